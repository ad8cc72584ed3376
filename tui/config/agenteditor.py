"""The agents in the editor of settings: one more, another default, one less with what names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from engine.config.agentedits import (
    AgentEntry,
    add_agent,
    agent_entries,
    default_agent,
    make_default,
    naming,
    remove_agent,
    rename_agent,
)
from engine.config.document import dotted
from engine.config.scan import KeyPath
from engine.text import safe_line
from engine.values import replace
from tui.behind.configrows import Entry
from tui.config.draft import Step
from tui.config.editor import AGENTS, ConfigEditor
from tui.config.entryforms import Asked, BadAnswer
from tui.widgets.dialogs.entryform import FormField

__all__ = ["AgentEditor", "removal_told"]

_FIELDS = (
    FormField("id", "id", says="a-z 0-9 _ -", doc="Names it in bindings, keys and folders."),
    FormField("name", "name", says="may stay empty", doc="Name shown to people. Default: the id."),
    FormField("model", "model", says="provider/model; may stay empty",
              doc="Model of this agent. Default: agents.defaults.model."),
    FormField("workspace", "workspace", says="a folder; may stay empty",
              doc="Folder with AGENTS.md and so on. Default: <state>/workspace-<id>."),
)  # fmt: skip


def removal_told(value: Any, path: KeyPath, sessions: Counter[str]) -> str:
    """What becomes of the rules and sessions of an agent that is removed; safe."""
    entry = next(one for one in agent_entries(value) if one.path == path)
    rules = [safe_line(dotted(place), limit=60) for place in naming(value, entry.id)]
    rest = [one for one in agent_entries(value) if one.path != path]
    heir = next((one.id for one in rest if one.default), rest[0].id if rest else "main")
    kept = sessions[entry.id]
    told = []
    if rules:
        named = ", ".join(rules[:6]) + (f" and {len(rules) - 6} more" if len(rules) > 6 else "")
        told.append(f"Named by {named}.")
    else:
        told.append("No binding and no pattern names it.")
    if entry.value.get("channels"):
        told.append("Its own channels go with it.")
    if kept:
        word = "session stays" if kept == 1 else "sessions stay"
        told.append(f"{kept:,} {word} where they are, and can be read.")
    else:
        told.append("It has no sessions.")
    told.append(f"What no rule claims goes to {safe_line(heir, limit=64)}.")
    return " ".join(told)


class AgentEditor(ConfigEditor):
    """The editor of settings, with what is special about agents."""

    @property
    def _among_agents(self) -> bool:
        return self.path == AGENTS

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "make_default":
            return self._among_agents
        return super().check_action(action, parameters)

    def keys(self) -> tuple[str, ...]:
        if not self._among_agents:
            return super().keys()
        return (
            "Enter change · a add · d remove · D default · r other id · w write · Esc back",
            "Enter · a add · d remove · D default · w write · Esc",
            "Enter · a d D · w write · Esc",
            "w write · Esc",
        )

    def when_empty(self) -> str:
        if self._among_agents:
            return "One agent, main, with all defaults; a adds one to the file"
        return super().when_empty()

    async def add(self) -> None:
        if not self._among_agents:
            await super().add()
            return

        def step(answers: Mapping[str, str]) -> Step:
            given = {field.name: answers[field.name].strip() for field in _FIELDS}
            if not given["id"]:
                raise BadAnswer("id", "give it an id: a-z 0-9 _ -")
            return partial(add_agent, value={key: text for key, text in given.items() if text})

        await self.ask(Asked("New agent", _FIELDS, step, self._new_place))

    def _new_place(self, answers: Mapping[str, str]) -> KeyPath:
        """Where the agent of these answers will stand."""
        found = agent_entries(self.value)
        listed = [one for one in found if one.path[:2] == AGENTS]
        name = answers["id"].strip()
        if found and not listed:
            return ("agents", name)
        return (*AGENTS, len(listed) if found or name == "main" else 1)

    async def take_out(self, entry: Entry) -> None:
        agents = agent_entries(self.value)
        if not any(one.path == entry.path for one in agents):
            await super().take_out(entry)
            return
        from tui.widgets.dialogs.box import Option, Pick

        one = next(each for each in agents if each.path == entry.path)
        rules = naming(self.value, one.id)
        infos = self.home.bridge.tracker.infos.values()
        about = removal_told(self.value, entry.path, Counter(info.agent_id for info in infos))
        options = [Option("alone", "remove it", "nothing else is changed")]
        if rules:
            options.insert(0, Option("rules", "remove it and them", "with the rules that name it"))
        title = f"Remove agent {safe_line(one.id, limit=64)}"
        chosen = await self.app.push_screen_wait(Pick(title, options, about=about))
        if chosen is not None:
            with_rules = chosen == "rules"
            await self.take(partial(remove_agent, path=entry.path, with_rules=with_rules))

    async def change(self, entry: Entry) -> None:
        """The id of an agent is also that of the rules that name it."""
        agents = agent_entries(self.value)
        agent = next((one for one in agents if (*one.path, "id") == entry.path), None)
        if agent is None:
            await super().change(entry)
        else:
            await self._other_id(entry, agent)

    async def _rename(self) -> None:
        entry, agents = self.entry, agent_entries(self.value)
        agent = next((one for one in agents if entry and one.path == entry.path), None)
        if entry is None or agent is None:
            await super()._rename()
        else:
            await self._other_id(entry, agent)

    async def _other_id(self, entry: Entry, agent: AgentEntry) -> None:
        infos = self.home.bridge.tracker.infos.values()
        if any(info.agent_id == agent.id for info in infos):
            self.say_why("its sessions stay under the id they have; new ones begin under this one")
        await self.rename(replace(entry, path=agent.path), rename_agent, agent.id)

    def action_make_default(self) -> None:
        self.act(self._make_default)

    async def _make_default(self) -> None:
        entry = self.entry
        if entry is None:
            return
        if default_agent(self.value) == entry.name:
            self.say_why(f"{entry.name} is the default agent already")
        else:
            await self.take(partial(make_default, path=entry.path))
