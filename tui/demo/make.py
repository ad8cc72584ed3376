"""Making the demo's state: the story, played by a real engine under a clock of the past."""

from __future__ import annotations

from pathlib import Path

from engine.clock import Clock, ManualClock, SystemClock
from engine.config.edit import set_value
from engine.disk import Disk, ensure_dir, explain, write_atomic
from engine.engine import Engine, SessionInfo
from engine.errors import StoreError
from engine.text import safe_line
from engine.turns.order import Receipt
from engine.values import replace
from tui.demo import story

__all__ = ["make_state", "open_state"]


async def open_state(state_dir: Path) -> None:
    """Fill an empty or missing folder with the demo; one that holds it already stays as it is.

    Raises:
        StoreError: the folder holds something else, or it cannot be written.
    """
    if not _is_there(state_dir):
        await make_state(state_dir)


def _is_there(state_dir: Path) -> bool:
    from tui.memory import load_memory

    try:
        if not state_dir.exists() or not any(state_dir.iterdir()):
            return False
    except OSError as error:
        raise explain(error, "could not look into the folder for the demo") from error
    if load_memory(state_dir).tour is None:
        raise StoreError(
            f"{state_dir} is not empty and holds no demo",
            remedy="Name an empty folder, or leave --state-dir out for one that is removed again",
        )
    return True


async def make_state(state_dir: Path, clock: Clock | None = None) -> None:
    """Fill a state dir with the demo.

    Args:
        state_dir: an empty folder; made if missing.
        clock: the story ends when this one stands; by default the machine's own.

    Raises:
        StoreError: it cannot be written.
    """
    end = (clock or SystemClock()).now()
    _begin(state_dir)
    past = ManualClock(end - story.STORY[0].ago * 60_000)
    async with Engine.open(
        state_dir,
        config_path=state_dir / "branchline.json5",
        environ={},
        clock=past,
        paced=False,
    ) as engine:
        player = _Player(engine)
        for step in story.STORY:
            past.advance((end - step.ago * 60_000 - past.now()) / 1000)
            await player.play(step)
        _remember(state_dir, player)


def _begin(state_dir: Path) -> None:
    disk = Disk()
    try:
        ensure_dir(disk, state_dir)
        write_atomic(disk, state_dir / "branchline.json5", story.CONFIG.encode())
    except OSError as error:
        raise explain(error, "could not make the demo") from error


def _remember(state_dir: Path, player: _Player) -> None:
    """The app starts in the chat with the tree, and with the tour; advice on models can wait."""
    from tui.memory import AppMemory, save_memory

    known = [info for info in player.known if info.kind == "session"]
    memory = AppMemory(
        last_session=story.LISBON,
        hint_dismissed=True,
        seen={info.ref: info.heard for info in known},
        known_until=max((info.last_active for info in known), default=0),
        needs=player.failed,
        tour=(),
    )
    save_memory(state_dir, memory)


class _Player:
    """Plays steps, and keeps where the named messages and their answers landed; what the
    operator knew when they left; why turns failed."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._asked: dict[str, str] = {}
        self._answers: dict[str, str] = {}
        self.known: tuple[SessionInfo, ...] = ()
        self.failed: dict[str, str] = {}

    async def play(self, step: story.Step) -> None:
        branches, key = self._engine.branches, story.LISBON
        match step:
            case story.Said():
                envelope = replace(story.PEOPLE[step.who], text=step.text)
                receipt = await self._engine.submit(envelope, session_key=step.session)
                await self._settle(receipt, step.name)
            case story.Edited():
                receipt = await branches.edit(key, self._asked[step.of], step.text)
                await self._settle(receipt, step.name)
            case story.Regenerated():
                await (await branches.regenerate(key, self._asked[step.of])).result()
            case story.Move():
                await branches.move(key, self._answers[step.to])
            case story.Label():
                await branches.label(key, self._asked[step.of], step.text)
            case story.Branch():
                await branches.name_branch(key, self._answers[step.of], step.name)
            case story.Forked():
                await branches.fork(key, self._answers[step.of], name=step.name)
            case story.Fold():
                await self._engine.compaction.compact(key, keep_from=self._asked[step.keep_from])
            case story.Model():
                await self._engine.set_override(step.session, step.model)
            case story.Sorted():
                await self._engine.keeping.label(step.session, (step.label,))
            case story.Archived():
                await self._engine.keeping.archive(step.session, reason=step.reason)
            case story.Left():
                self.known = await self._engine.sessions()
            case story.Configure():
                settings = self._engine.settings
                edit = set_value(await settings.text(), step.path, step.value)
                await settings.write(edit, step.reason)

    async def _settle(self, receipt: Receipt, name: str) -> None:
        result = await receipt.result()
        if result.error is not None:
            self.failed[receipt.session_key] = safe_line(result.error.message)
        if name and receipt.entry_id is not None:
            self._asked[name] = receipt.entry_id
            self._answers[name] = result.reply_entry_id or receipt.entry_id
