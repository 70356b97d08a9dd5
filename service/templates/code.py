"""The code of a template's functions, as directories of this machine: what a path means, zips, code that stands in the
template, and the artifacts of a build. Says of each function what is missing, and never raises for it.

A zip, and code that stands in a template, go into `scratch` under the hash of what they hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...config.errors import ConfigError
from ...config.reasons import Reason, ReasonCode
from ..control.refusals import ApiError
from ..control.store import packages
from .core import handlers
from .core.configuration import ReadyFunction
from .core.formats import TemplateFormat
from .core.model import CodeKind, CodeOrigin, LeftOut, ObjectPlace, TemplateFunction
from .project import BUILD, SERVERLESS_DIRECTORY
from .reading import is_directory, is_file, read_document

SKIPPED = frozenset({"node_modules", ".venv", "venv", "__pycache__", ".git", ".aws-sam", ".serverless", "cdk.out"})
"""Directories whose files say nothing of how new a source is."""


@dataclass(slots=True)
class CodeFinder:
    """Finds the code of one template's functions. `directory`: what its paths are relative to."""

    directory: Path
    format: TemplateFormat
    scratch: Path
    fetched: Mapping[ObjectPlace, Path | str] = field(default_factory=dict)
    """Directories with the code of objects in S3; why an object is not to be had."""
    _builds: dict[Path, Mapping[str, Path]] = field(default_factory=dict)

    def elsewhere(self, function: TemplateFunction) -> Iterator[ObjectPlace]:
        """The objects in S3 that the function needs: nobody has left them beside the template."""
        built = self._built(function.id) is not None
        for origin in (*(() if built else (function.code,)), *function.layers):
            if origin.place is not None and self._beside(origin.text) is None:
                yield origin.place

    def ready(self, function: TemplateFunction) -> ReadyFunction | Reason:
        """The function with its code, or what is missing."""
        if not handlers.family(function.runtime):
            return Reason(ReasonCode.NOT_TAKEN, handlers.no_runtime(function.runtime, function.name))
        notes: list[str] = []
        code = self._code(function, notes)
        if isinstance(code, Reason):
            return code
        layers: list[Path] = []
        for origin in function.layers:
            layer = self._directory(origin)
            if isinstance(layer, Reason):
                return Reason(layer.code, f"a layer: {layer.text}; leave layers out with --without-layers")
            layers.append(layer)
        if problem := self._without_handler(function, code, layers):
            return Reason(ReasonCode.CODE_MISSING, problem)
        notes += _uninstalled(function.runtime, code)
        paths = tuple(os.path.normpath(layer.absolute()) for layer in layers)
        return ReadyFunction(function.with_notes(*notes), function.runtime, os.path.normpath(code.absolute()), paths)

    def without_layers(self, function: TemplateFunction) -> TemplateFunction:
        """The function without the layers that are not here."""
        kept, gone = [], list(function.left_out)
        for origin in function.layers:
            layer = self._directory(origin)
            if isinstance(layer, Reason):
                gone.append(LeftOut(f"the layer {origin.text}", layer))
            else:
                kept.append(origin)
        return replace(function, layers=tuple(kept), left_out=tuple(gone))

    # --- where the code is ------------------------------------------------------------------------------------------

    def _code(self, function: TemplateFunction, notes: list[str]) -> Path | Reason:
        origin = function.code
        if origin.kind is CodeKind.INLINE:
            return self._written(
                origin.text, "index.js" if handlers.family(function.runtime) == "nodejs" else "index.py"
            )
        built = self._built(function.id)
        if built is None:
            return self._directory(origin)
        source = self._directory(origin) if origin.kind is CodeKind.PATH else None
        if isinstance(source, Path) and _newest(source) > _newest(built):
            if not function.build and not self._without_handler(function, source, ()):
                notes.append(f"{_shown(built)} is older than its source, which is run: `sam build` builds it anew")
                return source
            notes.append(f"{_shown(built)} is older than its source: `sam build` builds it anew")
        return built

    def _built(self, function_id: str) -> Path | None:
        """The directory that `sam build` made for a function."""
        root = self.directory / BUILD
        if self.format is not TemplateFormat.SAM or self.directory.parts[-2:] == BUILD.parts:
            return None
        if root not in self._builds:
            self._builds[root] = dict(_built_code(root))
        named = self._builds[root].get(function_id)
        return named if named is not None and is_directory(named) else None

    def _directory(self, origin: CodeOrigin) -> Path | Reason:
        match origin.kind:
            case CodeKind.PATH:
                return self._first([origin.text, *origin.others])
            case CodeKind.S3:
                return self._of_object(origin)
            case _:
                return Reason(ReasonCode.CODE_MISSING, "the template does not say where its code is")

    def _first(self, paths: list[str]) -> Path | Reason:
        for text in paths:
            path = self.directory / text
            if is_directory(path):
                return path
            if is_file(path):
                return self._unpacked(path) if zipfile.is_zipfile(path) else path.parent
        return Reason(ReasonCode.CODE_MISSING, handlers.absent(paths[0], self.format))

    def _of_object(self, origin: CodeOrigin) -> Path | Reason:
        """Code in S3: where a tool has left it beside its template, else as it was fetched."""
        beside = self._beside(origin.text)
        if beside is not None:
            return beside
        found = self.fetched.get(origin.place) if origin.place else None
        if isinstance(found, Path):
            return found
        where = f"in S3 ({origin.place or origin.text})" if origin.text else "in S3"
        what = f"its code is {where}, and not on this machine"
        why = f" ({found})" if found else ""
        text = f"{what}{why}: name it in a configuration file that is given too"
        return Reason(ReasonCode.CODE_MISSING, text)

    def _beside(self, key: str) -> Path | Reason | None:
        name = key.rpartition("/")[2]
        stem = name.removesuffix(".zip")
        beside = [self.directory / name, self.directory / SERVERLESS_DIRECTORY / name, self.directory / f"asset.{stem}"]
        for path in (*beside, self.directory / f"asset.{name}"):
            if name and is_directory(path):
                return path
            if name and is_file(path) and zipfile.is_zipfile(path):
                return self._unpacked(path)
        return None

    # --- what goes into the scratch directory -----------------------------------------------------------------------

    def _written(self, text: str, name: str) -> Path:
        digest = hashlib.sha256(f"{name}\0{text}".encode()).hexdigest()[:24]
        directory = self.scratch / digest
        if not (directory / name).is_file():
            directory.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        return directory

    def _unpacked(self, path: Path) -> Path | Reason:
        """The directory of a zip's files. It is complete as soon as it is there."""
        directory = self.scratch / hashlib.sha256(path.read_bytes()).hexdigest()[:24]
        if directory.is_dir():
            return directory
        self.scratch.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=self.scratch, prefix=".unpacking-"))
        made.chmod(0o755)
        try:
            packages.unpack(path, made)
            made.rename(directory)
        except ApiError as fault:
            return Reason(ReasonCode.CODE_MISSING, f"{_shown(path)} cannot be unpacked: {fault.message}")
        except OSError as fault:
            return Reason(ReasonCode.CODE_MISSING, f"{_shown(path)} cannot be unpacked: {fault.strerror or fault}")
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return directory

    # --- what is missing --------------------------------------------------------------------------------------------

    def _without_handler(self, function: TemplateFunction, code: Path, layers: list[Path] | tuple[()]) -> str:
        """What to say where no file holds the handler; empty where one does, or nobody can tell."""
        if handlers.family(function.runtime) == "java" and not _is_compiled(code):
            return f"{_shown(code)}: {handlers.uncompiled(self.format)}"
        wanted = handlers.candidates(function.runtime, function.handler)
        places = [code, *layers, *(layer / each for layer in layers for each in ("python", "nodejs"))]
        if not wanted or any(is_file(place / name) for place in places for name in wanted):
            return ""
        if handlers.family(function.runtime) == "python" and (code / ".venv").is_dir():
            return ""
        stem = wanted[0].rpartition(".")[0]
        typescript = any(is_file(code / f"{stem}{ending}") for ending in (".ts", ".mts", ".cts", ".tsx"))
        return f"{_shown(code)}: {handlers.missing(wanted, self.format, function.build, typescript)}"


def _built_code(root: Path) -> Iterator[tuple[str, Path]]:
    """The code of each function in what `sam build` made, by its id."""
    template = root / "template.yaml"
    if not template.is_file():
        return
    try:
        document, _ = read_document(template)
    except ConfigError:
        return
    resources = document.value.get("Resources") if isinstance(document.value, dict) else None
    for logical_id, node in resources.value.items() if resources and isinstance(resources.value, dict) else ():
        properties = node.value.get("Properties") if isinstance(node.value, dict) else None
        members = properties.value if properties is not None and isinstance(properties.value, dict) else {}
        code = members.get("CodeUri") or members.get("Code")
        if code is not None and isinstance(code.value, str):
            yield logical_id, root / code.value
        location = members.get("TemplateURL") or members.get("Location")
        if location is not None and isinstance(location.value, str) and is_file(root / location.value):
            inner = (root / location.value).parent
            for name, path in _built_code(inner):
                yield f"{logical_id}/{name}", path


def _is_compiled(code: Path) -> bool:
    """Whether there is something that a JVM can run. Looks no further than at the first class."""
    return any(True for pattern in ("*.jar", "lib/*.jar", "**/*.class") for _ in code.glob(pattern))


def _newest(directory: Path) -> float:
    """When the newest file of a directory was changed."""
    newest = 0.0
    for place, folders, files in os.walk(directory):
        folders[:] = [each for each in folders if each not in SKIPPED]
        for name in files:
            try:
                newest = max(newest, os.stat(os.path.join(place, name)).st_mtime)
            except OSError:
                continue
    return newest


def _uninstalled(runtime: str, code: Path) -> list[str]:
    """Dependencies that are listed beside the code and were not installed, as far as anybody can tell."""
    if handlers.family(runtime) == "python":
        listed = code / "requirements.txt"
        try:
            lines = listed.read_text().splitlines() if listed.is_file() else []
        except (OSError, ValueError):
            lines = []
        named = [row for row in lines if row.strip() and not row.lstrip().startswith(("#", "-"))]
        installed = (code / ".venv").is_dir() or any(code.glob("*.dist-info"))
        if named and not installed:
            return ["its requirements.txt is not installed beside it: `sam build`, or a .venv there"]
    elif handlers.family(runtime) == "nodejs" and not (code / "node_modules").is_dir():
        try:
            listed = json.loads((code / "package.json").read_text())
        except (OSError, ValueError):
            return []
        if isinstance(listed, dict) and listed.get("dependencies"):
            return ["its package.json has dependencies that are not installed: `npm install`"]
    return []


def _shown(path: Path) -> str:
    """A path as people read it: relative to where they are, if it is below."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
