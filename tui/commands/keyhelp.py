"""What the help says: the prose of the pane in focus, and every key that acts there just now.

The keys are read from the screen itself, as a press would find them, so the list cannot say
anything else than what the keys do, whatever the keymap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc

from textual.actions import parse
from textual.binding import ActiveBinding
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen

__all__ = ["HOW", "Group", "HelpPage", "KeyRow", "deed", "flowing", "help_of"]

EVERYWHERE, EDITING, SCROLL = "Everywhere", "Editing text", "Scroll"
_SHARED = ("go.", "app.")
"""Names of what every screen has."""
_SCROLLS = ("scroll_", "page_")

HOW = """\
## How it works

**Two states.** While the cursor is in a field you write, and only keys with Ctrl and F-keys act.
**Esc** leaves the field; then single letters act. **o** goes back to writing. The last line always
shows what you can press now, **F1** all of it.

**Nothing is destroyed.** A conversation is a tree: going back, editing and forking make new
branches beside the old ones (**F3** shows them), and **u** there undoes.

**Everything says why.** Beside the chat stand the rule that chose the agent, the key of the
session, the model with its source, whose words are in the memory and how full the window is.

**Everything has a name.** **^P** finds sessions, people, models, branches, labels, settings and
commands by a few letters. **^O** puts a letter on each pane to jump there, **Tab** goes round.
"""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One action: keys as shown, what it does, more about it; and the bindings behind it."""

    keys: tuple[str, ...]
    says: str
    more: str
    bindings: tuple[ActiveBinding, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Keys that belong together."""

    title: str
    rows: tuple[KeyRow, ...]


@dataclass(frozen=True, slots=True)
class HelpPage:
    """The help for where the focus is. `prose` is Markdown of ours."""

    title: str
    prose: str
    groups: tuple[Group, ...]


def help_of(screen: Screen[object]) -> HelpPage:
    """The help for a screen as it stands now."""
    start: DOMNode = screen.focused or screen
    nodes = list(start.ancestors_with_self)
    prose = next((text for node in nodes if (text := _own_help(node))), "")
    return HelpPage(_title(start), prose, tuple(_groups(screen, nodes)))


def flowing(text: str) -> str:
    """Help as it is written in the code, each paragraph as one line, without its heading."""
    parts = re.split(r"\n\s*\n", cleandoc(text))
    whole = (part if part.startswith(("|", "-", "#")) else " ".join(part.split()) for part in parts)
    return "\n\n".join(part for part in whole if not part.startswith("#"))


def _own_help(node: DOMNode) -> str:
    text = getattr(node, "HELP", None)
    return flowing(text) if isinstance(text, str) else ""


def _title(node: DOMNode) -> str:
    return node.BINDING_GROUP_TITLE or ("Dialog" if isinstance(node, ModalScreen) else "Here")


def _groups(screen: Screen[object], nodes: list[DOMNode]) -> Iterator[Group]:
    """The pane's keys first, then the screen's, those of everywhere, and what only edits text."""
    titles = (*map(_title, nodes), EVERYWHERE, EDITING)
    found: dict[str, dict[tuple[str, object], list[ActiveBinding]]] = {
        title: {} for title in titles
    }
    for active in screen.active_bindings.values():
        if active.enabled and active.binding.description:
            actions = found[_group_of(active, screen)]
            actions.setdefault((_says(active), deed(active)), []).append(active)
    for title, actions in found.items():
        if actions:
            yield Group(title, tuple(_row(screen, tuple(same)) for same in actions.values()))


def _group_of(active: ActiveBinding, screen: Screen[object]) -> str:
    node, name = active.node, active.binding.id or ""
    if name.startswith(_SHARED) or node is screen.app or (node is screen and not name):
        return EVERYWHERE
    if not name and node is screen.focused and screen.focused.check_consume_key("a", "a"):
        return EDITING
    return _title(node)


def deed(active: ActiveBinding) -> object:
    """What a binding does, wherever it stands: the same word may stand for two things."""
    return "" if _says(active) == SCROLL else parse(active.binding.action)[1:]


def _says(active: ActiveBinding) -> str:
    """What a row stands for; all ways to scroll are one row."""
    binding = active.binding
    scrolls = not binding.id and binding.action.startswith(_SCROLLS)
    return SCROLL if scrolls else binding.description


def _row(screen: Screen[object], same: tuple[ActiveBinding, ...]) -> KeyRow:
    shown = dict.fromkeys(screen.app.get_key_display(each.binding) for each in same)
    more = next((each.binding.tooltip for each in same if each.binding.tooltip), "")
    return KeyRow(tuple(shown), _says(same[0]), more, same)
