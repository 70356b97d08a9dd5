"""Plug-ins are found by their entry points, imported with a limit, and refused by name where they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.reasons import Reason, ReasonCode
from headrace.service.wiring import plugins
from headrace.service.wiring.plugins import EntryPointTable, InstalledPlugin

MODULE = """
import sys
from pydantic import BaseModel

class Settings(BaseModel):
    word: str = "x"

class Plugin:
    protocol_version = {version}
    settings = {settings}
    def {maker}(self, request): ...

plugin = Plugin()
"""


def install(directory: Path, name: str, text: str, group: str = "headrace.invokers") -> None:
    """What pip would leave of a package with one entry point."""
    module = name.replace("-", "_")
    (directory / f"{module}_code.py").write_text(text)
    info = directory / f"{module}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}_code:plugin\n")


def code(version: object = 1, settings: str = "Settings", maker: str = "invoker") -> str:
    return MODULE.format(version=version, settings=settings, maker=maker)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def find(name: str) -> InstalledPlugin:
    found = EntryPointTable("headrace.invokers", "invoker").find(name)
    assert found is not None
    return found


def test_an_installed_plugin(directory: Path) -> None:
    install(directory, "sound-plugin", code())
    found = find("sound-plugin")
    assert (found.title, found.refusal, found.broken) == ("plug-in 'sound-plugin' (sound-plugin 1.2)", "", None)
    assert found.settings.model_fields.keys() == {"word"}
    assert "sound-plugin" in EntryPointTable("headrace.invokers", "invoker").names


def test_nothing_of_that_name() -> None:
    assert EntryPointTable("headrace.invokers", "invoker").find("nobody") is None


@pytest.mark.semantics("PLUG-09")
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "newer",
            code(2),
            "was written for version 2 of the protocol, and this Headrace has version 1: update Headrace",
        ),
        (
            "older",
            code(0),
            "was written for version 0 of the protocol, and this Headrace has version 1: update the plug-in",
        ),
        ("mute", code("None"), "does not say for which version of the protocol it was written"),
        ("true", code("True"), "does not say for which version"),
        ("shapeless", code(settings="dict"), "has no pydantic model `settings`"),
        ("idle", code(maker="other"), "has no `invoker`"),
    ],
)
def test_a_plugin_that_does_not_fit_is_refused_with_what_to_do(
    directory: Path, name: str, text: str, said: str
) -> None:
    install(directory, name, text)
    found = find(name)
    assert found.broken is None
    assert said in found.refusal


@pytest.mark.semantics("PLUG-03")
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("raising", "raise OSError('no library')", "its import raised OSError: no library; correct or update"),
        ("leaving", "import sys\nsys.exit(3)", "its import raised SystemExit: 3"),
        ("nameless", "", "its import raised AttributeError"),
        ("proud", "class P:\n def __getattr__(self, n): raise OSError('no')\nplugin = P()", "raised OSError: no"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_a_function_that_cannot_start(
    directory: Path, name: str, text: str, said: str
) -> None:
    install(directory, name, text)
    found = find(name)
    assert found.broken is not None
    assert found.broken.code is ReasonCode.FUNCTION_CANNOT_START
    assert said in found.broken.text
    assert f"plug-in {name!r} ({name} 1.2)" in found.broken.text


@pytest.mark.semantics("PLUG-03")
def test_an_import_that_hangs_has_an_end(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "PATIENCE", 0.05)
    install(directory, "hanging", "import hanging_gate\nhanging_gate.gate.wait()\nplugin = None")
    (directory / "hanging_gate.py").write_text("import threading\ngate = threading.Event()\n")
    found = find("hanging")
    import hanging_gate  # type: ignore[import-not-found]

    hanging_gate.gate.set()
    assert found.broken is not None
    assert "its import did not end within 0.05 s" in found.broken.text


def test_a_check_of_settings_that_raises(directory: Path) -> None:
    install(directory, "strange", code())

    def check() -> None:
        raise RecursionError("deep")

    broken = find("strange").guarded(check)
    assert isinstance(broken, Reason)
    assert "the check of its settings raised RecursionError: deep" in broken.text
