"""From files, variables and flags to a configuration, or to every problem at once.

Owns the order of the steps and what spans several parts: references, duplicates, paths that must exist. How files are
read is in `documents.py`, wording in `complaints.py`, AWS's rules in `rules.py`. Raises ConfigError and nothing else,
whatever the input. Used by the daemon and the CLI.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from . import (
    complaints,
    documents,
    function,
    handler_files,
    masking,
    nodes,
    plugins,
    rules,
    secret_files,
    settings_sources,
    wanted,
)
from .addresses import would_call_itself
from .clock import SystemClock
from .documents import find_default
from .errors import ConfigError, Problem
from .fields.spoken import folded
from .function import AnyFunction, CommandFunction, HttpFunction, LocalFunction, PluginFunction, RemoteFunction
from .kinds.profile import SourceKind
from .kinds.table import KINDS
from .mapping import EventSourceMapping, derive_uuid
from .nodes import Node, NodePlace, locate
from .pattern_faults import CheckPatterns, PatternNotes, steps
from .plugins import Plugins
from .settings import SECTIONS, Settings

__all__ = ["Config", "find_default", "load"]

_Model = TypeVar("_Model", bound=BaseModel)

_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAPPING_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_NAME_SOURCES = frozenset(folded(name) for kind in KINDS for name in kind.names_source)
"""Fields of a mapping that name a source without an ARN."""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration without a problem."""

    settings: Settings
    functions: dict[str, AnyFunction]
    mappings: dict[str, EventSourceMapping]
    warnings: tuple[Problem, ...] = ()
    """What is allowed and deserves a line in the log, such as fields that are recorded without effect."""
    remarks: tuple[Problem, ...] = ()
    """Remarks: allowed and working, but good to know."""
    places: Mapping[str, NodePlace] = field(default_factory=dict)
    """Where each function and mapping stands, by its path."""

    @property
    def enabled(self) -> list[EventSourceMapping]:
        """The mappings that are to run."""
        return [mapping for mapping in self.mappings.values() if mapping.enabled]

    def directory(self, mapping: EventSourceMapping) -> Path:
        """That of the file in which the mapping stands: what its paths are relative to."""
        place = self.places.get(nodes.join("mappings", mapping.name))
        return Path(place.file).parent.absolute() if place is not None else Path.cwd()

    def file(self, mapping: EventSourceMapping) -> str:
        """The file in which the mapping stands."""
        place = self.places.get(nodes.join("mappings", mapping.name))
        return place.file if place is not None else ""

    def problem(self, path: str, what: str) -> Problem:
        """A problem that is found later, with file and line as well."""
        place = self.places.get(path)
        return place.problem(what) if place is not None else Problem(what, path)

    def effective(self) -> dict[str, object]:
        """All that is in force, as plain data fit to be printed: secrets are masked."""
        parts: dict[str, object] = {
            **self.settings.model_dump(mode="json"),
            "listen": str(self.settings.listen),
            "functions": {name: _dumped(item) for name, item in self.functions.items()},
            "mappings": {name: _dumped(item) for name, item in self.mappings.items()},
        }
        shown = masking.masked(parts)
        assert isinstance(shown, dict)
        return shown


def _dumped(item: BaseModel) -> dict[str, object]:
    return item.model_dump(mode="json", exclude={"name"}, exclude_none=True)


def load(
    paths: Sequence[str | Path],
    *,
    environ: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    check_patterns: CheckPatterns | None = None,
    pattern_notes: PatternNotes | None = None,
    given: Sequence[Node] = (),
    plugins: Plugins | None = None,
) -> Config:
    """The configuration of all paths (files or directories) together.

    `flags` is keyed by the path of a setting (`aws.real`); None means not given. `given`: documents that somebody made,
    out of a template: they are taken as they are, and no variables are filled in. `plugins`: what is installed of
    others. Raises ConfigError with every problem
    found, in the order of the files.
    """
    found, repeated = documents.read_all([Path(path) for path in paths])
    variables = nodes.Variables(lambda name: secret_files.value_of(environ, name))
    filled = [variables.fill(document) for document in found]
    members, problems = nodes.merge([*filled, *given])
    loading = _Loading(members, check_patterns, pattern_notes, [*repeated, *variables.problems, *problems], plugins)
    config = loading.config(environ, flags or {})
    if loading.problems or config is None:
        order = [document.file for document in found]
        raise ConfigError(_tidy(loading.problems, variables.problems, order))
    return config


def _tidy(problems: list[Problem], unfilled: list[Problem], order: list[str]) -> list[Problem]:
    """In the order of the documents, without what only follows from a variable that could not be filled in."""
    blank = {(problem.file, problem.path) for problem in unfilled}
    kept = [problem for problem in problems if problem in unfilled or (problem.file, problem.path) not in blank]
    places = {file: index for index, file in enumerate(order)}
    return sorted(dict.fromkeys(kept), key=lambda problem: (places.get(problem.file, -1), problem.line or 0))


@dataclass(slots=True)
class _Loading:
    """One pass over a merged document, collecting problems."""

    members: dict[str, Node]
    check_patterns: CheckPatterns | None
    pattern_notes: PatternNotes | None
    problems: list[Problem]
    plugins: Plugins | None = None
    warnings: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    def config(self, environ: Mapping[str, str], flags: Mapping[str, object]) -> Config | None:
        self._unknown_sections()
        sections = Node({key: self.members[key] for key in SECTIONS if key in self.members}, "")
        settings, found = settings_sources.assemble(sections, environ, flags)
        self.problems.extend(found)
        functions = self._functions()
        mappings = self._mappings(settings or Settings())
        self._references(mappings)
        self._duplicates(mappings)
        if not self._named("mappings"):
            self.warnings.append(
                Problem("there are no mappings, so there is nothing to do until the API creates some", "mappings")
            )
        if settings is None:
            return None
        self._loops(functions, settings, environ)
        return Config(settings, functions, mappings, tuple(self.warnings), tuple(self.remarks), self._places())

    def _places(self) -> dict[str, NodePlace]:
        named = {
            nodes.join(section, name): node
            for section in ("functions", "mappings")
            for name, node in self._named(section).items()
        }
        return {path: NodePlace(path, node.file, node.line) for path, node in named.items()}

    # --- sections -----------------------------------------------------------------------------------------------

    def _unknown_sections(self) -> None:
        known = ("functions", "mappings", *SECTIONS)
        for key, node in self.members.items():
            if key not in known and not key.startswith("x-") and key != "$schema":
                self.problems.append(
                    complaints.unknown_key(key, known, NodePlace(nodes.join("", key), node.file, node.line))
                )

    def _named(self, section: str) -> dict[str, Node]:
        """The members of `functions` or `mappings`."""
        node = self.members.get(section)
        if node is None or node.value is None:
            return {}
        if isinstance(node.value, dict):
            return node.value
        self.problems.append(NodePlace(section, node.file, node.line).problem("must be a mapping of names to values"))
        return {}

    def _validated(self, model: type[_Model], node: Node, name: str, path: str) -> tuple[_Model | None, set[str]]:
        """The model, as far as it can be had, and the fields that were left out because they are wrong."""
        assert isinstance(node.value, dict)
        wrong = self._without_value(node, path)
        if "name" in node.value:
            self.problems.append(complaints.unknown_key("name", (), locate(node, ["name"], path)))
        named = {**node.value, "name": Node(name, node.file, node.line)}
        try:
            return wanted.validated(model, nodes.without(named, wrong)), wrong
        except ValidationError as fault:
            self.problems.extend(complaints.problems(fault, model, node, path))
            wrong |= {str(error["loc"][0]) for error in fault.errors() if error["loc"]}
            wrong |= {complaints.meant_by(error, model) for error in fault.errors() if len(error["loc"]) == 1} - {""}
        try:
            return wanted.validated(model, nodes.without(named, wrong)), wrong
        except ValidationError:
            return None, wrong

    def _without_value(self, node: Node, path: str) -> set[str]:
        """The keys that are left without a value: a slip, or something that the user meant to finish."""
        assert isinstance(node.value, dict)
        blank = {key for key, member in node.value.items() if member.value is None}
        for key in sorted(blank):
            self.problems.append(locate(node, [key], path).problem("has no value", "give one, or remove the key"))
        return blank

    # --- functions ----------------------------------------------------------------------------------------------

    def _functions(self) -> dict[str, AnyFunction]:
        functions: dict[str, AnyFunction] = {}
        for name, node in self._named("functions").items():
            path = nodes.join("functions", name)
            if (kind := self._kind(name, node, NodePlace(path, node.file, node.line))) is None:
                continue
            node = _unwrapped(node)
            is_plugin = kind is PluginFunction
            made, wrong = self._validated(kind, plugins.own_members(node) if is_plugin else node, name, path)
            if made is not None:
                assert isinstance(made, AnyFunction)
                made = self._with_settings(made, node, path) if isinstance(made, PluginFunction) else made
                functions[name] = made.located(Path(node.file).parent.absolute())
                self._paths_exist(functions[name], node, path, wrong)
                self._handler_exists(functions[name], node, path)
        return functions

    def _kind(self, name: str, node: Node, place: NodePlace) -> type[BaseModel] | None:
        if not _FUNCTION_NAME.fullmatch(name):
            self.problems.append(
                place.problem("is not a valid name of a function", "1 to 64 letters, digits, '-' or '_'")
            )
        if not isinstance(node.value, dict):
            self.problems.append(place.problem("must be a mapping with one of " + ", ".join(function.KINDS)))
            return None
        kinds = function.kinds_of(node.value)
        if len(kinds) == 1:
            return function.KINDS[kinds[0]]
        if kinds:
            what = f"has {' and '.join(repr(kind) for kind in kinds)}: each makes it another kind of function"
            self.problems.append(place.problem(what, "keep one"))
            return None
        meant = _misspelled_kind(node.value)
        if meant == "runtime":
            return LocalFunction  # which says more of what is wrong
        if meant:
            key = next(key for key in node.value if complaints.nearest(key, function.KINDS) == meant)
            self.problems.append(complaints.unknown_key(key, list(function.KINDS), locate(node, [key], place.path)))
            return None
        what = "does not define how to run it"
        self.problems.append(place.problem(what, "give one of " + ", ".join(function.KINDS)))
        return None

    def _with_settings(self, made: PluginFunction, node: Node, path: str) -> PluginFunction:
        place = NodePlace(path, node.file, node.line)
        looked = plugins.function_settings(self.plugins, made.plugin, node, place)
        self.problems.extend(looked.problems)
        return made.model_copy(update={"settings": looked.settings, "broken": looked.broken, "title": looked.title})

    def _paths_exist(self, made: AnyFunction, node: Node, path: str, wrong: set[str]) -> None:
        if not isinstance(made, LocalFunction | CommandFunction):
            return
        directories: list[tuple[list[str | int], Path]] = [(["code"], made.code)]
        directories += [(["layers", index], layer) for index, layer in enumerate(made.layers)]
        if isinstance(made, LocalFunction) and made.venv:
            directories.append((["venv"], made.venv))
        for keys, directory in directories:
            if str(keys[0]) not in {folded(key) for key in wrong} and not _is_directory(directory):
                self.problems.append(locate(node, keys, path).problem(f"there is no directory {str(directory)!r}"))

    def _handler_exists(self, made: AnyFunction, node: Node, path: str) -> None:
        if isinstance(made, LocalFunction) and (file := handler_files.missing(made)):
            what = f"names a module, but there is no {file} in {str(made.code)!r}"
            self.warnings.append(locate(node, ["handler"], path).problem(what, "correct it, or build the code"))

    def _loops(self, functions: Mapping[str, AnyFunction], settings: Settings, environ: Mapping[str, str]) -> None:
        """A daemon that sends its own records to itself would do so for ever."""
        fallback = settings.aws.endpoint_urls.get("lambda") or settings.aws.endpoint_url
        fallback = fallback or environ.get("AWS_ENDPOINT_URL_LAMBDA") or environ.get("AWS_ENDPOINT_URL")
        section = self.members.get("functions")
        for name, made in functions.items():
            match made:
                case RemoteFunction():
                    keys, url = ["invoke", "endpoint_url"], made.invoke.endpoint_url or fallback
                case HttpFunction():
                    keys, url = ["http"], made.http
                case _:
                    continue
            if url and section and would_call_itself(url, str(settings.listen)):
                place = locate(section, [name, *keys], "functions")
                what = f"{masking.masked(url)} is Headrace's own address: it would call itself for ever"
                self.problems.append(place.problem(what, "name the emulator's address, or change 'listen'"))

    # --- mappings -----------------------------------------------------------------------------------------------

    def _mappings(self, settings: Settings) -> dict[str, EventSourceMapping]:
        mappings: dict[str, EventSourceMapping] = {}
        for name, node in self._named("mappings").items():
            place = NodePlace(nodes.join("mappings", name), node.file, node.line)
            if not _MAPPING_NAME.fullmatch(name):
                what = "is not a valid name of a mapping"
                self.problems.append(place.problem(what, "1 to 128 letters, digits, '-', '_' or '.'"))
            if not isinstance(node.value, dict):
                self.problems.append(place.problem("must be a mapping with 'source' and 'function'"))
                continue
            made, wrong = self._validated(EventSourceMapping, node, name, place.path)
            if made is not None:
                mappings[name] = _identified(made, settings)
                self._rules(
                    mappings[name], node, place.path, {folded(key) for key in wrong}, settings.shortest_record_age
                )
        return mappings

    def _rules(self, made: EventSourceMapping, node: Node, path: str, wrong: set[str], shortest_age: int) -> None:
        unclear = "source" in wrong or (made.kind is None and wrong & _NAME_SOURCES)  # its consequences are no news
        broken = [] if unclear else rules.check(made, SystemClock().wall(), shortest_age)
        for violation in [*broken, *rules.check_function(made)]:
            if folded(violation.field) not in wrong:
                place = nodes.place_of(node, violation.field, path)
                self.problems.append(place.problem(violation.what, violation.hint))
        if made.failure_plugin and "destinationconfig" not in wrong:
            place = locate(node, ["destination_config", "on_failure", "destination"], path)
            self.problems.extend(plugins.destination_settings(self.plugins, made.failure_plugin, place).problems)
        for note in rules.notes(made):
            self.warnings.append(locate(node, [note.field], path).problem(note.what, note.hint))
        if self.check_patterns is not None and made.kind is not None:
            self._patterns(self.check_patterns, made, made.kind, node, path)
        if self.pattern_notes is not None and made.kind is not None:
            self._told_of_patterns(self.pattern_notes, made, made.kind, node, path)

    def _told_of_patterns(
        self, notes: PatternNotes, made: EventSourceMapping, kind: SourceKind, node: Node, path: str
    ) -> None:
        for index, pattern in enumerate(made.patterns):
            for note in notes(kind, pattern):
                keys: list[str | int] = ["filter_criteria", "filters", index, "pattern"]
                inside = note.path.split(".") if note.path and not isinstance(pattern, str) else []
                problem = locate(node, [*keys, *inside], path).problem(note.what, note.hint)
                (self.warnings if note.matches_nothing else self.remarks).append(problem)

    def _patterns(
        self, check: CheckPatterns, made: EventSourceMapping, kind: SourceKind, node: Node, path: str
    ) -> None:
        for index, pattern in enumerate(made.patterns):
            keys: list[str | int] = ["filter_criteria", "filters", index, "pattern"]
            for fault in check(kind, [pattern]):
                place = locate(node, keys, path)
                if isinstance(pattern, str):
                    what = f"{fault.what} (at {fault.path})" if fault.path else fault.what
                else:
                    place, what = locate(node, [*keys, *steps(fault.path)], path), fault.what
                self.problems.append(place.problem(what, fault.hint))

    def _place(self, name: str, key: str) -> NodePlace:
        return locate(self.members["mappings"], [name, key], "mappings")

    def _references(self, mappings: Mapping[str, EventSourceMapping]) -> None:
        defined = self._named("functions")
        for name, made in mappings.items():
            if made.function_name and made.function_name not in defined:
                hint = complaints.did_you_mean(made.function_name, defined)
                hint = hint or (
                    f"defined are {', '.join(list(defined)[:10])}" if defined else "add it under 'functions'"
                )
                what = f"there is no function {made.function_name[:64]!r}"
                self.problems.append(self._place(name, "function").problem(what, hint))

    def _duplicates(self, mappings: Mapping[str, EventSourceMapping]) -> None:
        """Each mapping is held against those before it that have something in common with it."""
        earlier: dict[Hashable, list[str]] = {}
        by_uuid: dict[str, str] = {}
        order = {name: index for index, name in enumerate(mappings)}
        for name, made in mappings.items():
            claims = list(made.kind.identity.claims(made)) if made.kind else []
            rivals = {first for claim in claims for first in earlier.get(claim, ())}
            self._rival(name, made, [(first, mappings[first]) for first in sorted(rivals, key=order.__getitem__)])
            for claim in claims:
                earlier.setdefault(claim, []).append(name)
            first = by_uuid.setdefault(made.uuid, name)
            if first != name:
                what = f"has the UUID of the mapping {first!r}"
                self.problems.append(self._place(name, "uuid").problem(what, "remove it, or give another"))

    def _rival(self, name: str, made: EventSourceMapping, others: Sequence[tuple[str, EventSourceMapping]]) -> None:
        """Blame the first mapping that is in the way of this one."""
        for first, other in others:
            hint = f"the other is {first!r}"
            if what := rules.conflict(made, other):
                field = made.profile.identity.named_in(made)
                self.problems.append(self._place(name, field).problem(what, hint))
                return
            if made.uuid != other.uuid and (fault := rules.shared(made, other)):
                self.problems.append(self._place(name, fault.field).problem(fault.what, f"{hint}; {fault.hint}"))
                return


def _identified(made: EventSourceMapping, settings: Settings) -> EventSourceMapping:
    """The mapping with its identity: the one given, or the one that follows from account, region and name."""
    if made.uuid:
        return made.model_copy(update={"uuid": made.uuid.lower()})
    arn = made.arn
    account = (arn.account if arn else "") or settings.aws.account or "000000000000"
    region = (arn.region if arn else "") or settings.aws.region or "us-east-1"
    return made.model_copy(update={"uuid": derive_uuid(account, region, made.name)})


def _unwrapped(node: Node) -> Node:
    """AWS writes `Environment: {Variables: {…}}`; so may a user."""
    assert isinstance(node.value, dict)
    key = nodes.spelling(node.value, "environment")
    match node.value.get(key):
        case Node(value={"Variables": Node(value=dict()) as variables, **others}) if not others:
            return replace(node, value={**node.value, key: variables})
        case _:
            return node


def _misspelled_kind(members: Mapping[str, Node]) -> str:
    """The kind of function that an unknown key is likely to mean; empty when there is none."""
    known = {folded(name) for kind in function.KINDS.values() for name in kind.model_fields}
    unknown = [key for key in members if folded(key) not in known]
    return next(filter(None, (complaints.nearest(key, function.KINDS) for key in unknown)), "")


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
