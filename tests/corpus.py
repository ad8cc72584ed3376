"""Text that means harm: what the safe-text door must make harmless wherever it is shown."""

from __future__ import annotations

import unicodedata

ESC, BEL, ST, C1_CSI, C1_OSC = "\x1b", "\x07", "\x1b\\", "\x9b", "\x9d"

HOSTILE: dict[str, str] = {
    "csi clear": f"a{ESC}[2J{ESC}[Hb",
    "csi colour": f"z{ESC}[31mred{ESC}[55mz",
    "csi report": f"z{ESC}[6nz{ESC}[c",
    "alt screen": f"z{ESC}[?1049lz{ESC}[?25l",
    "osc title": f"{ESC}]0;owned{BEL}",
    "osc link": f"{ESC}]8;;https://evil.example{ST}click{ESC}]8;;{ST}",
    "osc clipboard": f"{ESC}]52;c;cm0gLXJmIC8={BEL}",
    "osc notify": f"{ESC}]777;notify;a;b{BEL}",
    "dcs": f"{ESC}P+q544e{ST}",
    "apc": f"{ESC}_Gf=100;AAAA{ST}",
    "c1 csi": f"{C1_CSI}2J{C1_CSI}31m",
    "c1 osc": f"{C1_OSC}52;c;AAAA\x9c",
    "bell and backspace": f"pass{BEL}\b\b\b\bword",
    "carriage return": "safe text\rEVIL TEXT",
    "nul and del": "a\x00b\x7fc",
    "shift out": "a\x0eqqq\x0fb",
    "vertical tab": "a\x0bb\x0cc",
    "bidi override": "invoice\u202egpj.exe",
    "bidi isolate": "\u2066\u2067a\u2069\u202a",
    "zero width": "pay\u200bpal\u2060 \ufeffx\u00ad",
    "joiner storm": "a" + "\u200d" * 3000 + "b",
    "combining pile": "z" + "\u0301\u0316" * 10_000,
    "tags": "x" + "".join(chr(0xE0000 + ord(char)) for char in "hidden"),
    "selectors": "a" + "\ufe0f" * 500,
    "wide": "漢字かな 한글 👩‍👩‍👧‍👦 🏳️‍🌈 ｗｉｄｅ" * 20,
    "surrogates": "a\ud800b\udfffc",
    "separators": "a\u2028b\u2029c\x85d",
    "markup close": "[/] [/red] [/b]",
    "markup click": "[@click=app.quit]click me[/]",
    "markup bell": "[@click='app.bell']x[/] [link=file:///etc/passwd]y[/link]",
    "markup nested": "[bold][red]a[/bold][/red] [[[",
    "markdown action": "[x](action:app.quit) ![y](file:///etc/passwd) <script>z</script>",
    "markdown table": "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n|" + "b|" * 200,
    "markdown quotes": "> " * 500 + "deep",
    "markdown lists": "\n".join("  " * depth + "- x" for depth in range(300)),
    "markdown emphasis": "*a " * 3000,
    "markdown links": "[a](b) " * 3000,
    "markdown fence": "```" * 50 + "\n" + "~~~python\n" + "x" * 5000,
    "json deep": "[" * 5000 + "]" * 5000,
    "one long line": "x" * (1 << 20),
    "many lines": "y\n" * 20_000,
    "tabs": "\t" * 400 + "end",
    "look-alikes": "раураl аdmin ＡＤＭＩＮ ａｄｍｉｎ",
    "path": "../../../../etc/passwd\x00.jsonl",
}


def raw_controls(text: str) -> set[str]:
    """Characters in what a screen shows that a terminal would act on or a person not see.

    Newline and tab are allowed; so are joiners and selectors (their placing has its own test).
    """
    allowed = {"\n", "\t", "\u200c", "\u200d", *map(chr, range(0xFE00, 0xFE10))}
    return {
        char for char in set(text) - allowed if unicodedata.category(char) in {"Cc", "Cf", "Cs"}
    }
