from __future__ import annotations

import os
import shutil
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from engine.config.edit import replace_text, set_value
from engine.config.revisions import (
    FOLDER,
    KEPT,
    check_edit,
    keep_revision,
    list_revisions,
    read_text,
    rollback_edit,
    write_config,
)
from engine.disk import Disk
from engine.errors import ConfigError, EditRefused, StoreError
from tests.engine.sessions.support import FaultyDisk, Killed, QuickDisk

TEXT = """{
  session: { dmScope: "main" }, // shared
  models: { providers: { x: { apiKey: "${X_KEY}", baseUrl: "http://127.0.0.1:9/v1" } } },
}
"""
NEW = TEXT.replace('"main"', '"per-peer"')
SCOPE = ("session", "dmScope")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def config(state: Path) -> Path:
    path = state / "branchline.json5"
    path.write_text(TEXT)
    return path


def write(path: Path, state: Path, scope: str, now: int = 1000, disk: Disk | None = None) -> int:
    disk = disk or QuickDisk()
    edit = set_value(read_text(disk, path) or "", SCOPE, scope)
    return write_config(disk, path, edit, state_dir=state, now=now).number


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("bits", [0o600, 0o644, 0o664, 0o400])
def test_an_edit_is_written_with_the_files_own_permissions(
    config: Path, state: Path, bits: int
) -> None:
    config.chmod(bits)
    old = os.umask(0o077)
    try:
        write(config, state, "per-peer")
    finally:
        os.umask(old)
    assert config.read_text() == NEW
    assert mode(config) == bits
    assert sorted(path.name for path in state.iterdir()) == ["branchline.json5", FOLDER]


def test_a_new_file_and_the_revisions_are_the_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        path, state = tmp_path / "deep" / "er" / "branchline.json5", tmp_path / "state"
        edit = replace_text("", TEXT, "first")
        write_config(QuickDisk(), path, edit, state_dir=state, now=1)
    finally:
        os.umask(old)
    assert mode(path) == 0o600
    assert mode(state / FOLDER) == 0o700
    assert {mode(file) for file in (state / FOLDER).iterdir()} == {0o600}


def test_a_link_stays_and_its_target_is_written(tmp_path: Path, state: Path) -> None:
    target = tmp_path / "dotfiles" / "real.json5"
    target.parent.mkdir()
    target.write_text(TEXT)
    link = state / "branchline.json5"
    link.symlink_to("../dotfiles/real.json5")
    write(link, state, "per-peer")
    assert link.is_symlink()
    assert target.read_text() == NEW
    assert [path.name for path in target.parent.iterdir()] == ["real.json5"]


def test_a_file_that_changed_meanwhile_is_left_alone(config: Path, state: Path) -> None:
    edit = set_value(TEXT, SCOPE, "per-peer")
    config.write_text(TEXT + "// by hand\n")
    with pytest.raises(EditRefused, match="changed since it was read"):
        write_config(QuickDisk(), config, edit, state_dir=state, now=1)
    config.unlink()
    with pytest.raises(EditRefused, match="changed since it was read"):
        write_config(QuickDisk(), config, edit, state_dir=state, now=1)
    assert not config.exists()
    assert list_revisions(QuickDisk(), config, state_dir=state) == ()


def test_every_text_is_kept_also_one_that_somebody_else_wrote(config: Path, state: Path) -> None:
    write(config, state, "per-peer", now=1000)
    config.write_text(NEW + "// by hand\n")
    write(config, state, "main", now=2000)
    found = list_revisions(QuickDisk(), config, state_dir=state)
    assert [one.text for one in found] == [
        TEXT + "// by hand\n",
        NEW + "// by hand\n",
        NEW,
        TEXT,
    ]
    assert [one.number for one in found] == [4, 3, 2, 1]
    assert [one.time for one in found] == [2000, 2000, 1000, 1000]
    assert found[0].reason == 'set session.dmScope to "main"'
    assert found[1].reason == "as found in the file"
    assert "${X_KEY}" in found[0].text


def test_any_revision_comes_back_as_a_new_one(config: Path, state: Path) -> None:
    for scope in ("per-peer", "per-channel-peer", "main", "per-peer"):
        write(config, state, scope)
    disk = QuickDisk()
    edit = rollback_edit(disk, config, 1, state_dir=state)
    assert '-  session: { dmScope: "per-peer" }, // shared' in edit.diff
    back = write_config(disk, config, edit, state_dir=state, now=5)
    assert config.read_text() == TEXT
    assert (back.number, back.reason) == (6, "back to revision 1")
    again = rollback_edit(disk, config, 5, state_dir=state)
    write_config(disk, config, again, state_dir=state, now=6)
    assert config.read_text() == NEW
    with pytest.raises(EditRefused, match="There are 1 to 7"):
        rollback_edit(disk, config, 99, state_dir=state)


def test_the_last_twenty_are_kept_of_each_file(config: Path, state: Path) -> None:
    other = state / "other.json5"
    other.write_text(TEXT)
    write(other, state, "per-peer")
    for number in range(30):
        write(config, state, ("per-peer", "main")[number % 2])
    found = list_revisions(QuickDisk(), config, state_dir=state)
    assert len(found) == KEPT
    assert found[0].text == config.read_text()
    assert len(list_revisions(QuickDisk(), other, state_dir=state)) == 2
    assert found[0].number == 33


def test_the_same_text_is_not_kept_twice(config: Path, state: Path) -> None:
    for _ in range(3):
        keep_revision(QuickDisk(), config, TEXT, state_dir=state, now=1, reason="seen")
    assert write(config, state, "main") == 1
    assert len(list_revisions(QuickDisk(), config, state_dir=state)) == 1


def test_what_is_no_revision_is_passed_over(config: Path, state: Path) -> None:
    write(config, state, "per-peer")
    (state / FOLDER / "000009.json5").write_bytes(b"\xff\xfe")
    (state / FOLDER / "000010.json5").write_text("[]\n{}")
    (state / FOLDER / "notes.txt").write_text("mine")
    found = list_revisions(QuickDisk(), config, state_dir=state)
    assert [one.number for one in found] == [2, 1]
    assert write(config, state, "main") == 3
    assert (state / FOLDER / "notes.txt").read_text() == "mine"


def test_what_a_killed_writer_left_is_cleaned_up_and_nothing_else(
    config: Path, state: Path
) -> None:
    (state / FOLDER).mkdir()
    left = [
        state / ".branchline.json5.99999.1.tmp",
        state / FOLDER / ".000001.json5.99999.1.tmp",
    ]
    others = [state / ".pairing.json.99999.1.tmp", state / "branchline.json5~"]
    for path in (*left, *others):
        path.write_text("half")
    write(config, state, "per-peer")
    assert not [path for path in left if path.exists()]
    assert all(path.exists() for path in others)


def test_writers_take_turns_and_none_is_lost(config: Path, state: Path) -> None:
    done: list[int] = []

    def one(number: int) -> None:
        for _ in range(200):
            text = read_text(QuickDisk(), config) or ""
            edit = set_value(text, ("session", f"k{number}"), number)
            with suppress(EditRefused):
                write_config(QuickDisk(), config, edit, state_dir=state, now=1)
                done.append(number)
                return

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = config.read_text()
    assert sorted(done) == [0, 1, 2, 3, 4, 5]
    assert all(f"k{number}: {number}" in text for number in range(6))


def test_an_edit_that_breaks_the_config_is_refused_and_one_that_mends_it_is_not() -> None:
    bad = set_value(TEXT, SCOPE, "everybody")
    with pytest.raises(ConfigError, match="dmScope"):
        check_edit(bad, None, {})
    two = '{ session: { dmScope: "x", resetTriggers: 5 } }'
    assert check_edit(set_value(two, SCOPE, "main"), None, {}).config is None
    with pytest.raises(ConfigError, match="dmScop"):
        check_edit(set_value(two, ("session", "dmScop"), "main"), None, {})
    assert check_edit(set_value(TEXT, SCOPE, "per-peer"), None, {}).config is not None


class Faulty(FaultyDisk):
    def chmod(self, fd: int, mode: int) -> None:
        self._step("chmod")
        super().chmod(fd, mode)


@pytest.mark.parametrize("kind", ["enospc", "eio", "short", "kill", "power"])
@pytest.mark.parametrize("linked", [False, True], ids=["plain", "linked"])
def test_a_write_survives_a_fault_at_every_call(tmp_path: Path, kind: str, linked: bool) -> None:
    base, state = tmp_path / "base", tmp_path / "state"
    base.mkdir()
    (base / "real.json5").write_text(TEXT)
    (base / "real.json5").chmod(0o640)
    config = state / ("branchline.json5" if linked else "real.json5")
    seen: set[str] = set()
    for at in range(1, 200):
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(base, state)
        if linked:
            config.symlink_to("real.json5")
        disk = Faulty(at, "kill" if kind == "power" else kind)
        acked = False
        try:
            write(config, state, "per-peer", disk=disk)
            acked = True
        except (StoreError, Killed) as error:
            assert isinstance(error, Killed) or error.remedy
        disk.bury(lose=kind == "power")
        if not disk.hit:
            break
        place = (at, disk.trace[at - 1])
        seen.add(disk.trace[at - 1])
        text = config.read_text()
        assert text in (TEXT, NEW), place
        assert not acked or text == NEW, place
        assert mode(config) == 0o640, place
        assert linked == config.is_symlink()
        kept = [one.text for one in list_revisions(QuickDisk(), config, state_dir=state)]
        assert set(kept) <= {TEXT, NEW}, place
        if kind not in ("kill", "power"):
            assert (NEW in kept) == (text == NEW), place
        # The next one goes on from there, and cleans up.
        write(config, state, "per-account-channel-peer")
        assert "per-account-channel-peer" in config.read_text(), place
        found = list_revisions(QuickDisk(), config, state_dir=state)
        assert [one.text for one in found[:2]] == [config.read_text(), text], place
        assert not [path for path in state.rglob("*") if path.name.endswith(".tmp")], place
    else:
        raise AssertionError("the loop did not come to an end")
    assert {"open", "write", "fsync", "rename", "lock", "chmod", "read"} <= seen
