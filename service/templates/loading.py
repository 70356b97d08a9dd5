"""From the templates of a project to a configuration, beside the files of configuration that are given too.

    files ──► what is taken ──► code on this machine ──► a document ──► the loader ──► Config, and what to tell

What the loader refuses of a function or a mapping is not taken, with the loader's reason; the rest is loaded. Raises
ConfigError for what cannot be read, for options that name nothing, and for a strict start from which something is
missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...config import nodes
from ...config.complaints import did_you_mean
from ...config.errors import ConfigError, Problem
from ...config.loader import Config
from ...config.loader import load as load_config
from ...config.nodes import Node
from ...config.pattern_faults import CheckPatterns, PatternNotes
from ...config.plugins import Plugins
from ...config.reasons import Reason, ReasonCode
from . import samconfig, variables_file
from .code import CodeFinder
from .core import configuration, creations, naming, taking, terraform
from .core.configuration import ReadyFunction
from .core.formats import TemplateFormat
from .core.model import NotTaken, ObjectPlace, TakenParts
from .core.options import LOCAL_ACCOUNT_ID, TemplateOptions
from .core.report import NOTHING, TemplateReport
from .core.stack import Stack
from .core.terraform_references import TerraformProject
from .core.values import Spot, TemplateValue
from .project import BUILD, ProjectFiles, RootTemplate, gather
from .sam_translation import translated

STANDARD_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class TemplateRequest:
    """What the command line says beside the templates."""

    stack: str = ""
    config_env: str = ""
    account: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    bindings: Mapping[str, str] = field(default_factory=dict)
    env_vars: str = ""
    """The path of a file of variables, in SAM's format."""
    create_sources: bool = False
    without_layers: bool = False
    strict: bool = False


Fetch = Callable[[Config, Collection[ObjectPlace], Path], Mapping[ObjectPlace, Path | str]]
"""The directories with the code of these objects, below this one; for an object that is not to be had, why."""


@dataclass(frozen=True, slots=True)
class LoadingTools:
    """What the loader is handed: the variables, the flags, the check of patterns, the plug-ins."""

    environ: Mapping[str, str]
    flags: Mapping[str, object]
    check_patterns: CheckPatterns
    pattern_notes: PatternNotes | None = None
    fetch: Fetch | None = None
    """Fetches code that is in S3; None: it counts as not to be had."""
    plugins: Plugins | None = None


@dataclass(frozen=True, slots=True)
class LoadedTemplate:
    config: Config
    report: TemplateReport
    document: Node
    """The configuration that the templates became."""


def load(
    templates: Sequence[Path],
    configs: Sequence[Path],
    request: TemplateRequest,
    tools: LoadingTools,
    scratch: Callable[[Config], Path],
) -> LoadedTemplate:
    """The configuration of these templates and files together. `scratch`: where unpacked code goes."""
    settings = _settings(configs, tools)
    files = gather(templates)
    project = _Project(files, request, settings, tools)
    taken = project.taken()
    defined = frozenset(settings.functions)
    taken = taking.without_defined(taken, defined)
    ready, taken = project.with_code(taken, scratch(settings))
    taken = taking.without_orphans(replace(taken, functions=tuple(each.function for each in ready)), defined)
    loaded = _loaded(configs, ready, taken, project.own_region, tools)
    report = TemplateReport(
        tuple(project.headings()),
        loaded.ready,
        loaded.taken,
        request.create_sources,
        tuple(str(problem) for problem in files.warnings),
    )
    _refuse(report, request.strict, templates)
    return LoadedTemplate(loaded.config, report, loaded.document)


def _refuse(report: TemplateReport, strict: bool, templates: Sequence[Path]) -> None:
    if strict and (report.faults or any(each.function.left_out for each in report.functions)):
        rows = report.not_taken_rows()
        places = [_place(row[2]) for row in rows if row[0] != "event"]
        texts = [(row[1], row[3]) for row in rows if row[0] != "event"]
        raise ConfigError(
            [Problem(why, name, file, line) for (file, line), (name, why) in zip(places, texts, strict=True)]
        )
    if not report.functions and not report.taken.mappings and not report.taken.not_taken:
        raise ConfigError([Problem(NOTHING, file=str(templates[0]), hint="name the file that declares them")])


def _place(at: str) -> tuple[str, int | None]:
    file, _, number = at.rpartition(":")
    return (file, int(number)) if number.isdigit() else (at, None)


def _settings(configs: Sequence[Path], tools: LoadingTools) -> Config:
    """The settings beside the templates. What is wrong with the files is told later, with everything."""
    try:
        return load_config(configs, environ=tools.environ, flags=tools.flags, plugins=tools.plugins)
    except ConfigError:
        return load_config((), environ=tools.environ, flags=tools.flags, plugins=tools.plugins)


# --- the project ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Project:
    files: ProjectFiles
    request: TemplateRequest
    settings: Config
    tools: LoadingTools
    own_region: str = ""
    """The region that samconfig.toml names, where nobody else does."""
    _notes: list[str] = field(default_factory=list)
    _roots: list[RootTemplate] = field(default_factory=list)
    _bases: dict[str, RootTemplate] = field(default_factory=dict)
    _options: TemplateOptions = field(default_factory=TemplateOptions)

    def taken(self) -> TakenParts:
        """What is taken of all templates."""
        self._roots = self._chosen()
        configs = {root.path: self._samconfig(root) for root in self._roots}
        if self.request.config_env and not any(
            each.stack or each.parameters or each.region for each in configs.values()
        ):
            samconfig.read(self._roots[0].directory, self.request.config_env)
        self._options = self._settled(configs.values())
        stacks: list[Stack] = []
        depth = [0]
        for root in self._roots:
            if root.format is not TemplateFormat.TERRAFORM:
                stacks.append(self._stack(root, configs[root.path], stacks, depth))
        self._check_options(stacks)
        taken = taking.take(stacks, self._options)
        for root in self._roots:
            if root.format is TemplateFormat.TERRAFORM:
                taken = taken.joined(terraform.take(root.document, self._options))
        taken = taking.without_doubles(taken)
        return replace(taken, notes=(*taken.notes, *self._notes))

    def headings(self) -> list[str]:
        given = self._options
        where = f"account {given.account}, region {given.region}"
        return [f"{root.path}: {root.format.value}, stack {self._stack_name(root)}, {where}" for root in self._roots]

    def _chosen(self) -> list[RootTemplate]:
        """The templates, or those of the stack that is named where an assembly has several."""
        roots, name = self.files.roots, self.request.stack
        if not name or not any(root.format is TemplateFormat.CDK for root in roots) or len(roots) == 1:
            return roots
        chosen = [root for root in roots if name in (root.stack, *root.other_names)]
        if not chosen:
            names = [root.stack for root in roots]
            hint = did_you_mean(name, names) or f"there are {', '.join(names[:10])}"
            raise ConfigError([Problem(f"there is no stack {name!r}", "--stack", hint=hint)])
        return chosen

    def _samconfig(self, root: RootTemplate) -> samconfig.SamConfig:
        if root.format not in (TemplateFormat.SAM, TemplateFormat.FRAGMENT, TemplateFormat.CLOUDFORMATION):
            return samconfig.SamConfig()
        directory = root.directory.absolute()
        if directory.parts[-2:] == BUILD.parts:
            directory = directory.parent.parent
        file = samconfig.found(directory)
        if file is None:
            return samconfig.SamConfig()
        found = samconfig.read(directory, self.request.config_env)
        if found.others:
            others = ", ".join(found.others)
            self._notes.append(f"{file.name} has {others} too: choose with --config-env")
        return found

    def _settled(self, configs: Iterable[samconfig.SamConfig]) -> TemplateOptions:
        """Account, region and endpoint, of whoever names them first."""
        aws, environ = self.settings.settings.aws, self.tools.environ
        region = aws.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        if not region:
            region = self.own_region = next((each.region for each in configs if each.region), "")
        urls = aws.endpoint_urls.get("sqs") or aws.endpoint_url
        return TemplateOptions(
            self.request.account or aws.account or LOCAL_ACCOUNT_ID,
            region or STANDARD_REGION,
            urls or environ.get("AWS_ENDPOINT_URL_SQS") or environ.get("AWS_ENDPOINT_URL") or "",
            bool(aws.real),
            self.request.stack,
            self.request.parameters,
            self.request.bindings,
            variables_file.read(self.request.env_vars),
            self.request.without_layers,
            {arn: str(path.absolute()) for arn, path in self.settings.settings.layers.items()},
        )

    def _stack_name(self, root: RootTemplate) -> str:
        if root.format is TemplateFormat.CDK and len(self.files.roots) > 1:
            return root.stack
        found = self._samconfig_stack(root)
        return self.request.stack or found or root.stack

    def _samconfig_stack(self, root: RootTemplate) -> str:
        notes, self._notes = self._notes, []
        found = self._samconfig(root).stack
        self._notes = notes
        return found

    def _stack(self, root: RootTemplate, config: samconfig.SamConfig, known: list[Stack], depth: list[int]) -> Stack:
        if root.environment and not self._options.real and self._elsewhere(root.environment):
            here = f"account {self._options.account}, region {self._options.region}"
            self._notes.append(f"{root.path}: its manifest says {root.environment}; it is led to {here}")
        given = {**config.parameters, **self.request.parameters}
        values = {name: TemplateValue(text, Spot("--parameter")) for name, text in given.items()}
        translation = translated(root, self._options.region, given)
        self._notes += translation.notes
        document = translation.document.value
        members = document if isinstance(document, dict) else {}
        declared = nodes.plain(members["Parameters"]) if "Parameters" in members else {}
        own = {name: value for name, value in values.items() if isinstance(declared, dict) and name in declared}
        name = self._stack_name(root)
        self._bases[str(root.path)] = root
        return Stack(name, str(root.path), members, self._options, own, self.files.nested, _exports(known), depth=depth)

    def _elsewhere(self, environment: str) -> bool:
        found = re.fullmatch(r"aws://([^/]+)/(.+)", environment)
        account, region = (found[1], found[2]) if found else ("", "")
        differs = account.isdigit() and account != self._options.account
        return differs or (region not in ("", "unknown-region") and region != self._options.region)

    # --- options that name nothing ----------------------------------------------------------------------------------

    def _check_options(self, stacks: Sequence[Stack]) -> None:
        every = list(_with_nested(stacks))
        problems = [
            problem
            for names, option, known, what in (
                (
                    self.request.parameters,
                    "--parameter",
                    {n for s in every for n in s.section("Parameters")},
                    "parameter",
                ),
                (self.request.bindings, "--bind", _ids(every, self._roots), "resource"),
            )
            for name in names
            if name not in known and (problem := _unknown(name, option, known, what))
        ]
        bound = [naming.bound_arn(text, self._options) for text in self.request.bindings.values()]
        problems += [Problem(fault, "--bind") for fault in bound if isinstance(fault, str)]
        if problems:
            raise ConfigError(problems)
        names = {
            name for stack in every for name in (*stack.resources, *(stack.id_of(each) for each in stack.resources))
        }
        for name in self._options.environment:
            if name not in names and name != "Parameters" and stacks:
                self._notes.append(
                    f"--env-vars: {name} may be no function here: {did_you_mean(name, names) or 'check it'}"
                )

    # --- code -------------------------------------------------------------------------------------------------------

    def with_code(self, taken: TakenParts, scratch: Path) -> tuple[list[ReadyFunction], TakenParts]:
        """The functions whose code is here; what the others lack is told."""
        ready: list[ReadyFunction] = []
        left = list(taken.not_taken)
        finders: dict[str, CodeFinder] = {}
        for function in taken.functions:
            file = function.spot.file
            root = self._bases.get(file) or self._roots[0]
            finders.setdefault(file, CodeFinder(Path(file).parent, root.format, scratch / "templates"))
        needed = {place for each in taken.functions for place in finders[each.spot.file].elsewhere(each)}
        found_objects = self._fetched(needed, scratch / "objects")
        for function in taken.functions:
            finder = finders[function.spot.file]
            finder.fetched = found_objects
            given = finder.without_layers(function) if self.request.without_layers else function
            found = finder.ready(given)
            if isinstance(found, Reason):
                left.append(NotTaken(function.id, "function", function.spot, found, function.name))
            else:
                ready.append(found)
        return ready, replace(taken, not_taken=tuple(left))

    def _fetched(self, needed: Collection[ObjectPlace], scratch: Path) -> Mapping[ObjectPlace, Path | str]:
        return self.tools.fetch(self.settings, needed, scratch) if self.tools.fetch and needed else {}


def _exports(stacks: list[Stack]) -> Callable[[str], TemplateValue | None]:
    """What any stack of the project exports. The list grows while the stacks are made."""

    def found(name: str) -> TemplateValue | None:
        for stack in _with_nested(stacks):
            for output, node in stack.section("Outputs").items():
                export = node.value.get("Export") if isinstance(node.value, dict) else None
                given = export.value.get("Name") if export is not None and isinstance(export.value, dict) else None
                value = stack.resolve(given) if given is not None else None
                if value is not None and value.held == name:
                    return stack.output(output, value.spot)
        return None

    return found


def _with_nested(stacks: Sequence[Stack]) -> Iterable[Stack]:
    for stack in stacks:
        yield stack
        children = [stack.child(each) for each in stack.resources if stack.kind_of(each) == naming.STACK]
        yield from _with_nested([child for child in children if child is not None])


def _ids(stacks: Sequence[Stack], roots: Sequence[RootTemplate]) -> set[str]:
    known = {name for stack in stacks for each in stack.resources for name in (each, stack.id_of(each))}
    for root in roots:
        if root.format is TemplateFormat.TERRAFORM:
            project = TerraformProject.of(root.document, TemplateOptions())
            known |= {name for each in project.instances.values() for name in (each.address, each.name)}
    return known


def _unknown(name: str, option: str, known: Iterable[str], what: str) -> Problem:
    names = sorted(known)
    hint = did_you_mean(name, names) or (
        f"there are {', '.join(names[:10])}" if names else f"there is no {what} at all"
    )
    return Problem(f"there is no {what} {name[:80]!r}", option, hint=hint)


# --- the loader -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Loaded:
    config: Config
    ready: tuple[ReadyFunction, ...]
    taken: TakenParts
    document: Node


def _loaded(
    configs: Sequence[Path], ready: Sequence[ReadyFunction], taken: TakenParts, region: str, tools: LoadingTools
) -> _Loaded:
    """Load, leave out what is refused, and load again. Raises ConfigError for what is wrong with all the rest."""
    defined = frozenset(_settings(configs, tools).functions)
    while True:
        document = configuration.document(ready, taken.mappings, region)
        try:
            config = load_config(
                configs,
                environ=tools.environ,
                flags=tools.flags,
                check_patterns=tools.check_patterns,
                pattern_notes=tools.pattern_notes,
                given=[document],
                plugins=tools.plugins,
            )
        except ConfigError as fault:
            ready, taken, left = _without(fault, ready, taken)
            if not left:
                raise
            taken = taking.without_orphans(replace(taken, functions=tuple(each.function for each in ready)), defined)
            continue
        return _Loaded(config, tuple(ready), replace(taken, creations=creations.wanted(taken)), document)


def _without(
    fault: ConfigError, ready: Sequence[ReadyFunction], taken: TakenParts
) -> tuple[list[ReadyFunction], TakenParts, bool]:
    """All but the first function or mapping that a problem is about, and whether there was any. One at a time: what
    is wrong with another may only follow from it."""
    about: dict[str, list[str]] = {}
    for problem in fault.problems:
        about.setdefault(_owner(problem.path), []).append(_said(problem))
    functions = {nodes.join("functions", each.function.name): each for each in ready}
    mappings = {nodes.join("mappings", each.name): each for each in taken.mappings}
    first = next((path for path in about if path in functions or path in mappings), None)
    if first is None:
        return list(ready), taken, False
    reason = Reason(ReasonCode.MISCONFIGURED, "; ".join(about[first]))
    if first in functions:
        given = functions.pop(first).function
        left = NotTaken(given.id, "function", given.spot, reason, given.name)
    else:
        mapping = mappings.pop(first)
        left = NotTaken(mapping.id, "mapping", mapping.spot, reason)
    kept = replace(taken, mappings=tuple(mappings.values()), not_taken=(*taken.not_taken, left))
    return list(functions.values()), kept, True


def _owner(path: str) -> str:
    """The function or mapping that a path leads into: `mappings.orders` of `mappings.orders.batch_size`."""
    found = re.match(r"(functions|mappings)(\.[^.\[]+|\[\"(?:[^\"\\]|\\.)*\"\])", path)
    return found[0] if found else path


def _said(problem: Problem) -> str:
    rest = problem.path.removeprefix(_owner(problem.path)).lstrip(".")
    line = f" (line {problem.line})" if problem.line else ""
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{rest + ': ' if rest else ''}{problem.what}{hint}{line}"
