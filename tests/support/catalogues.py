"""A catalogue on paper: functions that a test writes down and changes, without the calls that make them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headrace.service.control.catalogue import LATEST, AsynchronousSettings, Runnable
from headrace.service.control.names import Home

HERE = Home("us-east-1", "000000000000")


def runnable(name: str = "orders", version: str = LATEST, **more: Any) -> Runnable:
    known: dict[str, Any] = {
        "name": name,
        "version": version,
        "arn": HERE.arn(name),
        "state": "Active",
        "runtime": "python3.12",
        "handler": "app.handler",
        "code": Path("/nowhere"),
        "layers": (),
        "timeout": 3,
        "memory_size": 128,
        "environment": {},
        "role": "arn:aws:iam::000000000000:role/lambda",
        "log_group": f"/aws/lambda/{name}",
        "log_format": "Text",
        "application_log_level": "",
        "system_log_level": "",
        "dead_letter": "",
        "stored": True,
        "live": False,
        "held": frozenset(),
        "identity": f"{name} {version} 1",
    }
    return Runnable(**{**known, **more})


@dataclass
class PaperCatalogue:
    """Changes are told to those who watch, as the real one does."""

    versions: dict[tuple[str, str], Runnable] = field(default_factory=dict)
    """By name and version, `$LATEST` included."""
    aliases: dict[tuple[str, str], tuple[str, str, float]] = field(default_factory=dict)
    """Main version, further version, weight of the further one."""
    limits: dict[str, int] = field(default_factory=dict)
    settings: dict[tuple[str, str], AsynchronousSettings] = field(default_factory=dict)
    held: Counter[str] = field(default_factory=Counter)
    """Identities whose code has to stay."""
    watching: list[Callable[[str], None]] = field(default_factory=list)

    def exists(self, name: str) -> bool:
        return any(each[0] == name for each in self.versions)

    def runnable(self, name: str, qualifier: str = "", draw: float = 1.0) -> Runnable | None:
        main, further, weight = self.aliases.get((name, qualifier), (qualifier or LATEST, "", 0.0))
        return self.versions.get((name, further if draw < weight else main))

    def reserved(self, name: str) -> int | None:
        return self.limits.get(name)

    def asynchronous(self, name: str, qualifier: str = "") -> AsynchronousSettings:
        return self.settings.get((name, qualifier or LATEST), AsynchronousSettings())

    @contextmanager
    def holding(self, runnable: Runnable) -> Iterator[None]:
        self.held[runnable.identity] += 1
        yield
        self.held[runnable.identity] -= 1

    def watch(self, changed: Callable[[str], None]) -> None:
        self.watching.append(changed)

    # --- what a test does to it -------------------------------------------------------------------------------------

    def put(self, name: str = "orders", version: str = LATEST, **more: Any) -> Runnable:
        """A version as it is from now on."""
        before = self.versions.get((name, version))
        made = replace(before, **more) if before else runnable(name, version, **more)
        self.versions[name, version] = made
        self.tell(name)
        return made

    def alias(self, name: str, alias: str, version: str, further: str = "", weight: float = 0.0) -> None:
        self.aliases[name, alias] = (version, further, weight)
        self.tell(name)

    def limit(self, name: str, reserved: int | None) -> None:
        self.limits.pop(name, None)
        if reserved is not None:
            self.limits[name] = reserved
        self.tell(name)

    def remove(self, name: str) -> None:
        self.versions = {key: each for key, each in self.versions.items() if key[0] != name}
        self.tell(name)

    def tell(self, name: str) -> None:
        for changed in self.watching:
            changed(name)
