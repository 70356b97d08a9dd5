"""A Dockerfile's stages and a compose file's services as plain processes, where there is no engine.

A stage's file system is a directory; absolute paths that belong to the image are mapped into it, ports to free ones,
and other services to the loopback. What a kernel would enforce (users, read-only mounts) is not shown by this.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

IMAGE_PATHS = re.compile(r"(?<![\w./-])/(opt|src|etc/headrace|var/lib/headrace|producer|tmp)(?![\w.-])")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Instruction:
    word: str
    text: str
    flags: Mapping[str, str]

    @property
    def argv(self) -> list[str]:
        """The JSON form, or the words."""
        argv: list[str] = json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)
        return argv


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    base: str
    instructions: list[Instruction]


def instructions(dockerfile: str) -> Iterator[Instruction]:
    lines = "\n".join(line for line in dockerfile.splitlines() if not line.lstrip().startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, text = line.strip().partition(" ")
            flags = {}
            while match := re.match(r"--([\w-]+)=(\S+)\s+", text):
                flags[match[1]] = match[2]
                text = text[match.end() :]
            yield Instruction(word, text.strip(), flags)


def stages(dockerfile: str) -> dict[str, Stage]:
    """The stages by name, in order; an ARG before the first is put in."""
    arguments: dict[str, str] = {}
    found: dict[str, Stage] = {}
    for each in instructions(dockerfile):
        if each.word == "ARG" and not found:
            name, _, value = each.text.partition("=")
            arguments[name] = value
        elif each.word == "FROM":
            base, _, name = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], each.text).partition(" AS ")
            found[name] = Stage(name, base, [])
        else:
            list(found.values())[-1].instructions.append(each)
    return found


@dataclass(slots=True)
class Image:
    """A stage that was carried out below `root`."""

    root: Path
    base: str
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    directory: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    def place(self, path: str) -> Path:
        return self.root / os.path.normpath(os.path.join(self.directory, path)).lstrip("/")

    def mapped(self, text: str) -> str:
        return IMAGE_PATHS.sub(lambda match: f"{self.root}/{match[1]}", text)

    def variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a process of this image sees: nothing of ours."""
        given = {name: self.mapped(value) for name, value in (self.environment | dict(more or {})).items()}
        own = given["PATH"].removesuffix(SYSTEM_PATH)
        return {"TMPDIR": str(self.root / "tmp")} | given | {"PATH": f"{own}{self.root / 'python'}:{SYSTEM_PATH}"}


class Builder:
    """Carries out one Dockerfile, of which `context` is the build context."""

    def __init__(self, context: Path, dockerfile: str, root: Path) -> None:
        self.images: dict[str, Image] = {}
        self._context = context
        self._root = root
        self._stages = stages(dockerfile)

    def build(self, target: str) -> Image:
        if target not in self.images:
            stage = self._stages[target]
            image = Image(self._root / target, stage.base)
            (image.root / "tmp").mkdir(parents=True)
            (image.root / "python").mkdir()
            base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
            (image.root / "python" / "python").symlink_to(base)
            for each in stage.instructions:
                getattr(self, f"_{each.word.lower()}")(image, each)
            self.images[target] = image
        return self.images[target]

    def _copy(self, image: Image, each: Instruction) -> None:
        *sources, into = each.argv
        place = image.place(into)
        if each.flags.get("from"):
            (source,) = sources
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(self.build(each.flags["from"]).place(source))  # programs name the path they were made at
            return
        for source in sources:
            origin = self._context / source
            target = place / origin.name if into.endswith("/") else place
            target.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(origin, target)

    def _run(self, image: Image, each: Instruction) -> None:
        text = each.text.replace(" --no-cache-dir", "")  # what was fetched once on this machine need not be again
        command = ["/bin/sh", "-ec", image.mapped(text)]
        ours = {"HOME": os.path.expanduser("~"), "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_COMPILE": "1"}
        done = subprocess.run(
            command,
            cwd=image.place("."),
            env=image.variables(ours),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"RUN {each.text}\n{done.stdout}{done.stderr}"

    def _env(self, image: Image, each: Instruction) -> None:
        for pair in each.argv:
            name, _, value = pair.partition("=")
            image.environment[name] = re.sub(r"\$(\w+)", lambda match: image.environment[match[1]], value)

    def _workdir(self, image: Image, each: Instruction) -> None:
        image.directory = each.text
        image.place(".").mkdir(parents=True, exist_ok=True)

    def _user(self, image: Image, each: Instruction) -> None:
        image.user = each.text

    def _volume(self, image: Image, each: Instruction) -> None:
        image.volumes += each.argv

    def _entrypoint(self, image: Image, each: Instruction) -> None:
        image.entrypoint = each.argv

    def _cmd(self, image: Image, each: Instruction) -> None:
        image.command = each.argv

    def _healthcheck(self, image: Image, each: Instruction) -> None:
        image.health = json.loads(each.text.partition("CMD ")[2])

    def _expose(self, image: Image, each: Instruction) -> None:
        assert each.text.isdigit()
