"""Paths of a command, when code and layers lie elsewhere for its process."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.dispatch.invokers.local.isolation import relocated
from headrace.dispatch.invokers.local.start_command import Command

PLACES = {Path("/code/a"): Path("/opt/copy"), Path("/code/a/layer"): Path("/opt"), Path("/layers/b"): Path("/opt")}


@pytest.mark.semantics("LAYER-20")
@pytest.mark.parametrize(
    ("word", "moved"),
    [
        ("/code/a", "/opt/copy"),
        ("/code/a/app.js", "/opt/copy/app.js"),
        ("/code/a/layer/python", "/opt/python"),
        ("/code/a:/code/a/lib/*:/opt/ric/*", "/opt/copy:/opt/copy/lib/*:/opt/ric/*"),
        ("-Dhome=/layers/b/java", "-Dhome=/opt/java"),
        ("/code/another", "/code/another"),
        ("/code/a.b", "/code/a.b"),
        ("/code/a-b/c", "/code/a-b/c"),
        ("/other/code/a", "/other/code/a"),
        ("./code/a", "./code/a"),
        ("app.handler", "app.handler"),
    ],
)
def test_a_word_of_the_command(word: str, moved: str) -> None:
    assert relocated(Command(("run", word)), PLACES).argv == ("run", moved)


@pytest.mark.semantics("LAYER-20")
def test_a_list_of_paths_has_each_once() -> None:
    paths = "/layers/b/nodejs:/code/a/layer/nodejs:/code/a"
    assert relocated(Command((), {"NODE_PATH": paths}), PLACES).variables == {"NODE_PATH": "/opt/nodejs:/opt/copy"}


def test_a_command_without_places_is_as_it_was() -> None:
    command = Command(("run",), {"LIST": "a:a"})
    assert relocated(command, {}) is command
