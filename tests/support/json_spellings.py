"""One JSON value in the many ways in which it can be written: escapes, repeated keys, numbers, spaces."""

from __future__ import annotations

import json
from random import Random
from typing import Any

KEPT = ("plain", "plain", "plain", "ascii", "escaped")


def spelled(random: Random, value: Any, *, keys_once: bool = False) -> tuple[str, Any]:
    """The value as JSON text, and what the text means to a reader of JSON. Half of the texts have no escape but those
    that they need. `keys_once`: no key is repeated, of which readers make different things."""
    text = _written(random, value, random.choice(KEPT), repeats=not keys_once and random.random() < 0.3)
    return text, json.loads(text)


def _written(random: Random, value: Any, how: str, *, repeats: bool) -> str:
    space = random.choice(["", "", " ", "\n\t"])
    if isinstance(value, dict):
        members = [(key, _written(random, inner, how, repeats=repeats)) for key, inner in value.items()]
        if repeats and members:  # the last one counts
            members.insert(0, (members[-1][0], _written(random, "order", how, repeats=False)))
        return "{" + f",{space}".join(f"{_text(random, key, how)}:{space}{inner}" for key, inner in members) + "}"
    if isinstance(value, list):
        return "[" + f",{space}".join(_written(random, inner, how, repeats=repeats) for inner in value) + "]"
    if isinstance(value, str):
        return _text(random, value, how)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 300:
        return random.choice(["300", "300.0", "3e2", "3E+2", "30.0e1"])
    return json.dumps(value)


def _text(random: Random, text: str, how: str) -> str:
    if how == "escaped":
        return '"' + "".join(_letter(random, letter) for letter in text) + '"'
    return json.dumps(text, ensure_ascii=how == "ascii")


def _letter(random: Random, letter: str) -> str:
    if letter == "/":
        return random.choice(["/", r"\/"])
    if ord(letter) < 0x1_0000 and random.random() < 0.5:
        return f"\\u{ord(letter):04x}"
    return json.dumps(letter)[1:-1]
