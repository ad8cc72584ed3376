from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).parent.parent / "screenshots"
PICTURES = sorted(FOLDER.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_stands_alone_and_names_no_place_of_the_machine_it_was_taken_on(
    picture: Path,
) -> None:
    text = picture.read_text("utf-8")
    ElementTree.fromstring(text)
    assert "<script" not in text
    assert "@font-face" not in text
    assert not re.search(r"/(?:tmp|home|root|work|Users|var)/", text)
    links = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert links <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}


def test_every_screen_is_pictured_in_both_themes() -> None:
    names = {path.stem for path in PICTURES}
    for screen in ("sessions", "tree", "simulator", "routing"):
        assert {f"{screen}-dark", f"{screen}-light"} <= names


def test_the_tour_shows_its_pictures_one_after_the_other_without_a_gap() -> None:
    text = (FOLDER / "tour.svg").read_text("utf-8")
    assert len(text) < 1_500_000
    frames = ElementTree.fromstring(text).findall(f"{SVG}g")
    assert len(frames) >= 10
    spans = re.findall(r"([\d.]+)% \{ visibility: visible \} ([\d.]+)%, 100%", text)
    assert len(spans) == len(frames)
    starts, ends = ([float(span[at]) for span in spans] for at in (0, 1))
    assert starts[0] == 0
    assert ends[-1] == 100
    assert starts[1:] == ends[:-1]


def svg_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures_svg", FOLDER / "svg.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_picture_gets_the_same_text() -> None:
    tidy = svg_module().tidy
    one = '<svg viewBox="0 0 1 1"><text class="terminal-731-r1">a</text></svg>'
    assert tidy(one) == tidy(one.replace("731", "99"))
    assert tidy("a @font-face { src: url(x) }\n b") == "a b"
