"""A draft of the config: changes that are shown, and not yet in force or in the file.

Each step is an edit of the text by token span, so whatever a person wrote around it stays; when
the file changes underneath, the steps are made again in its new text.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from engine.config.edit import Edit, replace_text, set_value
from engine.config.schema import DmScope
from engine.errors import EditRefused
from engine.values import replace

__all__ = ["SCOPE", "Draft", "Step"]

Step = Callable[[str], Edit]
"""Makes a change in a text; pure."""

SCOPE = ("session", "dmScope")


class Draft(Struct, frozen=True):
    """Changes on top of what the file says. Every method costs a reading of the text or more.

    Attributes:
        base: the file's text.
        steps: what was changed, first to last.
        scope: a dmScope that is being tried; made after the steps.
        stepped: the base with the steps.
        text: that with the scope.
        reasons: what each step does, in a few words.
    """

    base: str
    stepped: str
    text: str
    steps: tuple[Step, ...] = ()
    scope: DmScope | None = None
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, base: str) -> Draft:
        """No changes yet."""
        return cls(base, base, base)

    @property
    def changes(self) -> bool:
        return self.text != self.base

    def with_step(self, step: Step) -> Draft:
        """One more change.

        Raises:
            EditRefused: it cannot be made.
        """
        edit = step(self.stepped)
        grown = replace(
            self,
            steps=(*self.steps, step),
            reasons=(*self.reasons, edit.reason),
            stepped=edit.text,
        )
        return grown.with_scope(self.scope)

    def with_scope(self, scope: DmScope | None) -> Draft:
        """Another dmScope tried; None tries none.

        Raises:
            EditRefused: it cannot be set in this text.
        """
        text = self.stepped if scope is None else set_value(self.stepped, SCOPE, scope).text
        return replace(self, scope=scope, text=text)

    def without_last(self) -> Draft:
        """The last change taken back: the scope that is tried, else the last step."""
        if self.scope is not None:
            return self.with_scope(None)
        return self._again(self.base, self.steps[:-1], None)[0]

    def on(self, base: str) -> tuple[Draft, int]:
        """(the same changes in another text, how many could not be made there)."""
        if base == self.base:
            return self, 0
        return self._again(base, self.steps, self.scope)

    def _again(
        self, base: str, steps: tuple[Step, ...], scope: DmScope | None
    ) -> tuple[Draft, int]:
        made, lost = Draft.of(base), 0
        for step in steps:
            try:
                made = made.with_step(step)
            except EditRefused:
                lost += 1
        try:
            return made.with_scope(scope), lost
        except EditRefused:
            return made, lost + 1

    def edit(self) -> Edit:
        """All changes as one edit of the file's text."""
        reasons = [*self.reasons]
        if self.scope is not None:
            reasons.append(f"set session.dmScope to {self.scope}")
        return replace_text(self.base, self.text, ", ".join(reasons))
