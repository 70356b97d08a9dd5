"""`headrace schema`: the JSON Schema of a configuration, for editors."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ....config.schema import json_schema
from ....dispatch.core.observer import Observer
from ...wiring.exits import Exit
from .tables import show_json


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    show_json(json_schema())
    return Exit.OK
