"""`headrace positions`: lists, sets, skips, moves and removes positions in streams and topics.

A daemon that uses the state directory of the configuration is asked; else the directory itself is worked on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import anyio

from ....config.errors import HeadraceError
from ....config.loader import Config
from ....dispatch.core.observer import Observer
from ...wiring.exits import Exit
from ...wiring.state import StateDirectory
from . import positions_asked, positions_stored
from .asking import base_of, confirmed, url_of
from .configs import default, read_config
from .tables import show

QUESTIONS = {
    "set": "{mapping}{lane} goes on at {to}, whatever was read until now.",
    "skip": "{mapping}{lane} gives up on {record}, which the function never takes then.",
    "remove": "{mapping} forgets its positions, and begins again at its starting position.",
}
"""By verb, for those that cannot be taken back."""


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    config = read_config(arguments.config or default(), arguments)  # a daemon without a configuration has positions too
    base = "" if arguments.positions_verb == "move" else _base(config, arguments)
    if not _wanted(arguments, base):
        show("nothing was changed")
        return Exit.FAILURE
    if base:
        positions_asked.run(base, arguments)
    else:
        anyio.run(positions_stored.run, config, arguments)
    return Exit.OK


def _wanted(arguments: argparse.Namespace, base: str) -> bool:
    question = QUESTIONS.get(arguments.positions_verb or "")
    if question is None:
        return True
    lane = getattr(arguments, "lane", "")
    text = question.format(
        mapping=arguments.mapping,
        lane=f", {lane}," if lane else "",
        to=getattr(arguments, "to", ""),
        record=getattr(arguments, "record", "") or "the record that holds it up",
    )
    where = f" (the daemon at {base})" if base else f" (no daemon uses {arguments.state or 'the state directory'})"
    return confirmed(f"{text}{where}", yes=arguments.yes)


def _base(config: Config, arguments: argparse.Namespace) -> str:
    """The address of the daemon to ask; empty when none uses the state directory."""
    if arguments.url:
        return base_of(arguments.url)
    directory = config.settings.state
    owner = StateDirectory.owner(directory)
    if owner is None:
        return ""
    if not config.settings.listen.port:
        raise HeadraceError(
            f"a daemon{owner} uses the state directory {directory}, and listens on any free port: name its address "
            "with --url"
        )
    return url_of(str(config.settings.listen))
