"""An agent's model, written into the config file."""

from __future__ import annotations

from typing import Any

from engine.config.scan import KeyPath
from engine.errors import BranchlineError
from engine.text import safe_line
from tui.config.configwork import offer
from tui.home import Home

__all__ = ["model_path", "write_model"]


def model_path(document: Any, agent_id: str) -> KeyPath:
    """Where a config file says which model an agent answers with: its own entry, also where that
    names none yet, else that of all agents.

    Args:
        document: the file, read.
        agent_id: who answers.
    """
    agents = document.get("agents") if isinstance(document, dict) else None
    agents = agents if isinstance(agents, dict) else {}
    listed = agents.get("list")
    for at, one in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(one, dict) and one.get("id") == agent_id:
            return _primary(one, ("agents", "list", at, "model"))
    for name, one in agents.items():
        named = name not in ("defaults", "list") and isinstance(one, dict)
        if named and (one.get("id") or name) == agent_id:
            return _primary(one, ("agents", name, "model"))
    defaults = agents.get("defaults")
    return _primary(defaults, ("agents", "defaults", "model"))


def _primary(entry: Any, path: KeyPath) -> KeyPath:
    """Fallbacks that stand beside a model stay."""
    model = entry.get("model") if isinstance(entry, dict) else None
    return (*path, "primary") if isinstance(model, dict) and "primary" in model else path


async def write_model(app: Home, agent_id: str, ref: str) -> None:
    """Show what another model of an agent changes in the file, then write it. To be awaited in a
    worker."""
    import asyncio

    from engine.config.document import read_document
    from engine.config.edit import set_value

    try:
        text = await app.engine.settings.text()
        document = await asyncio.to_thread(read_document, text)
        edit = set_value(text, model_path(document.value, agent_id), ref)
    except BranchlineError as error:
        app.fail(error)
        return
    done = await offer(app, edit, f"Model of {safe_line(agent_id, limit=60)}")
    if done is not None:
        where = "" if done == "written" else ", in memory only"
        app.say(f"{ref}{where}. ^P, then Undo config change", "Model in the config", seconds=8)
