"""Functions and failure destinations of plug-ins in a configuration: what is validated, and where a problem stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from headrace.config.errors import ConfigError
from headrace.config.function import PluginFunction, describe
from headrace.config.loader import Config, load
from headrace.config.plugins import Plugin, Plugins, PluginTable
from headrace.config.reasons import Reason
from headrace.dispatch.invokers.base import cannot_start
from support.configs import write

T = TypeVar("T")


class Settings(BaseModel):
    image: Annotated[str, StringConstraints(pattern="^[a-z]+$")]
    replicas: int = Field(1, ge=1)
    api_token: str = ""

    @field_validator("replicas")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value == 7:
            raise LookupError("seven")
        return value


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


@dataclass
class Paper:
    """A plug-in on paper."""

    settings: type[BaseModel] = Settings
    title: str = "plug-in 'docker' (headrace-docker 1.2)"
    refusal: str = ""
    broken: Reason | None = None

    def guarded(self, call: Callable[[], T]) -> T | Reason:
        try:
            return call()
        except LookupError as error:
            return cannot_start(f"{self.title}: {error}")


@dataclass
class Shelf:
    plugins: dict[str, Plugin] = field(default_factory=dict)

    @property
    def names(self) -> Sequence[str]:
        return sorted(self.plugins)

    def find(self, name: str) -> Plugin | None:
        return self.plugins.get(name)


def shelf(**plugins: Plugin) -> PluginTable:
    return Shelf({name.replace("_", "-"): each for name, each in plugins.items()})


INSTALLED = Plugins(
    shelf(
        docker=Paper(),
        open=Paper(Open),
        old=Paper(refusal="was written for version 0"),
        bad=Paper(broken=cannot_start("boom")),
    ),
    shelf(notes=Paper(), bad=Paper(broken=cannot_start("boom"))),
)


def read(directory: Path, function: str, plugins: Plugins | None = INSTALLED) -> Config:
    return load([write(directory, f"functions:\n  f:\n{function}")], environ={}, plugins=plugins)


def refused(directory: Path, function: str, plugins: Plugins | None = INSTALLED) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(directory, function, plugins)
    return [str(problem).replace(f"{directory}/", "") for problem in raised.value.problems]


@pytest.mark.semantics("PLUG-01")
def test_a_function_of_a_plugin_has_its_own_settings_beside_ours(tmp_path: Path) -> None:
    config = read(
        tmp_path, "    plugin: docker\n    image: orders\n    replicas: 2\n    Timeout: 9\n    concurrency: 3\n"
    )
    made = config.functions["f"]
    assert isinstance(made, PluginFunction)
    assert made.settings == Settings(image="orders", replicas=2)
    assert (made.deadline, made.concurrency, made.directory) == (9.0, 3, tmp_path)
    assert describe(made) == "plug-in 'docker' (headrace-docker 1.2)"


def test_settings_of_a_plugin_may_be_called_as_other_kinds_are(tmp_path: Path) -> None:
    made = read(tmp_path, "    plugin: open\n    command: [a]\n    http: x\n").functions["f"]
    assert isinstance(made, PluginFunction)
    assert made.settings.model_extra == {"command": ["a"], "http": "x"}


def test_what_is_in_force_shows_the_settings_and_masks_secrets(tmp_path: Path) -> None:
    effective: Any = read(tmp_path, "    plugin: docker\n    image: orders\n    api_token: abc\n").effective()
    shown = effective["functions"]["f"]
    assert shown["plugin"] == "docker"
    assert shown["settings"] == {"image": "orders", "replicas": 1, "api_token": "********"}
    assert not {"directory", "broken", "title"} & set(shown)


@pytest.mark.semantics("PLUG-02")
@pytest.mark.parametrize(
    ("function", "said"),
    [
        (
            "plugin: dokcer\n    image: a",
            "3: functions.f.plugin: there is no plug-in 'dokcer' for a kind of function (did you mean 'docker'?;",
        ),
        ("plugin: docker", "2: functions.f: 'image' is missing"),
        (
            "plugin: docker\n    image: UPPER",
            "4: functions.f.image: must match ^[a-z]+$, not 'UPPER'",
        ),
        ("plugin: docker\n    image: a\n    replicas: 0", "5: functions.f.replicas: must be at least 1, not 0"),
        (
            "plugin: docker\n    image: a\n    replica: 3",
            "5: functions.f.replica: unknown key (did you mean 'replicas'?)",
        ),
        ("plugin: docker\n    image: a\n    timeout: 0", "5: functions.f.timeout: must be at least 1, not 0"),
        ("plugin: docker\n    image: a\n    name: x", "5: functions.f.name: unknown key"),
        (
            "plugin: old\n    image: a",
            "3: functions.f.plugin: plug-in 'docker' (headrace-docker 1.2) was written for version 0",
        ),
        ("plugin: [docker]\n    image: a", "3: functions.f.plugin: must be text, not a list"),
        (
            "plugin: '../x'\n    image: a",
            "3: functions.f.plugin: is not the name of a plug-in: '../x' (1 to 64 letters, digits, '-', '_' or '.')",
        ),
    ],
)
def test_a_wrong_setting_of_a_plugin_is_told_with_file_and_line(tmp_path: Path, function: str, said: str) -> None:
    found = refused(tmp_path, f"    {function}\n")
    assert len(found) == 1
    assert found[0].startswith(f"headrace.yaml:{said}")


def test_without_plugins_none_is_installed(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, "    plugin: docker\n", None)
    assert "none is installed" in found


@pytest.mark.semantics("PLUG-03")
@pytest.mark.parametrize("function", ["plugin: bad\n    image: a", "plugin: docker\n    image: a\n    replicas: 7"])
def test_a_plugin_that_breaks_is_no_problem_of_the_configuration(tmp_path: Path, function: str) -> None:
    made = read(tmp_path, f"    {function}\n").functions["f"]
    assert isinstance(made, PluginFunction)
    assert made.broken is not None
    assert made.settings is None


STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"


def with_destination(directory: Path, text: str, source: str = STREAM) -> Config:
    mapping = {
        "source": source,
        "function": "f",
        "starting_position": "LATEST",
        "destination_config": {"on_failure": {"destination": text}},
    }
    config = {"functions": {"f": {"http": "http://localhost:9000/"}}, "mappings": {"m": mapping}}
    return load([write(directory, json.dumps(config, indent=1), "headrace.json")], environ={}, plugins=INSTALLED)


@pytest.mark.semantics("PLUG-08")
def test_a_failure_destination_of_a_plugin(tmp_path: Path) -> None:
    made = with_destination(tmp_path, "plugin://notes?image=a&replicas=2").mappings["m"]
    assert made.failure_plugin == "plugin://notes?image=a&replicas=2"
    assert made.has_failure_destination
    assert made.failure_destination is None
    assert with_destination(tmp_path, "plugin://bad").mappings["m"].failure_plugin


@pytest.mark.semantics("PLUG-08")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plugin://note?image=a", "there is no plug-in 'note' for a failure destination (did you mean 'notes'?;"),
        ("plugin://notes?image=a&replicas=none", "must be a whole number, not 'none'"),
        ("plugin://notes?image=a&colour=red", "unknown key"),
        ("plugin://", "is not a destination"),
        ("plugin://no/path", "is not a destination"),
    ],
)
def test_a_wrong_failure_destination_of_a_plugin(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        with_destination(tmp_path, text)
    (problem,) = raised.value.problems
    assert problem.path == "mappings.m.destination_config.on_failure.destination"
    assert problem.line == 14
    assert said in str(problem)


def test_a_queue_has_no_failure_destination_of_a_plugin_either(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Unsupported DestinationConfig"):
        with_destination(tmp_path, "plugin://notes?image=a", "arn:aws:sqs:us-east-1:000000000000:q")
