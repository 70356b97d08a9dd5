"""The files of a project: which a path means, what format each is of, and the templates of nested stacks.

A directory is one project: the assembly of CDK, what Serverless packaged, or every template that lies in it. Raises
ConfigError for what cannot be read, and for sources of which a tool has to make a template first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...config.errors import ConfigError, Problem
from ...config.nodes import Node, plain
from .core import sam
from .core.formats import ADVICE, TERRAFORM_SOURCE, TemplateFormat, format_of, whole
from .reading import ENDINGS, is_file, read_document

SERVERLESS_DIRECTORY = ".serverless"
SERVERLESS_TEMPLATE = "cloudformation-template-update-stack.json"
SERVERLESS_SOURCES = tuple(f"serverless.{ending}" for ending in ("yml", "yaml", "json", "ts", "js"))
MANIFEST = "manifest.json"
BUILD = Path(".aws-sam", "build")
USUAL = (
    *("template.yaml", "template.yml", "template.json"),
    *(f"cdk.out/{MANIFEST}", f"{SERVERLESS_DIRECTORY}/{SERVERLESS_TEMPLATE}"),
)
"""Names under which people and tools leave templates in a project."""
DEPTH = 2
"""Directories below a directory without a template that are looked into."""
OURS = frozenset({"functions", "mappings", "aws"})
"""Sections of our own configuration."""
SKIPPED = frozenset({"node_modules", "dist", "build", "venv", "__pycache__", "cdk.out"})


@dataclass(frozen=True, slots=True)
class RootTemplate:
    """One template with the name of its stack, as far as its files say it."""

    path: Path
    format: TemplateFormat
    document: Node
    stack: str
    other_names: tuple[str, ...] = ()
    """How else `--stack` may call it."""
    environment: str = ""
    """Account and region that CDK's manifest names, for people."""
    source: Node | None = None
    """The template as it stands in its file."""

    @property
    def directory(self) -> Path:
        return self.path.parent


@dataclass(slots=True)
class ProjectFiles:
    roots: list[RootTemplate] = field(default_factory=list)
    nested: dict[tuple[str, str], tuple[str, Node]] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)
    """What is wrong with files and does not hinder reading them, such as a key that is given twice."""


def is_project(path: Path) -> bool:
    """Whether a path means templates, and no configuration of ours."""
    try:
        if path.is_dir():
            return any(True for _ in _in_directory(path)) or (_source_of(path) is not None and not _has_ours(path))
        return format_of(read_document(path)[0]) is not TemplateFormat.OTHER
    except ConfigError:
        return _reads_like_one(path)
    except OSError:
        return False


def seen_in(directory: Path) -> str:
    """What to do with the template, or the source of one, that lies in a directory under a usual name, in a sentence;
    empty where there is none. Terraform's sources are not meant: they are applied to an emulator, or to Headrace."""
    for path in (directory / name for name in USUAL):
        root = _quietly(path) if path.is_file() else None
        if root is not None and root.format not in (TemplateFormat.OTHER, *ADVICE):
            name = path.relative_to(directory)
            made = name.parts[0] if root.format in (TemplateFormat.CDK_MANIFEST, TemplateFormat.SERVERLESS) else name
            return f"{name} is here ({root.format.value}): `headrace run {made}` runs it"
    source = _source_of(directory)
    return f"this directory {': '.join(source)}" if source not in (None, TERRAFORM_SOURCE) else ""


def _reads_like_one(path: Path) -> bool:
    """Whether a file that cannot be read was meant as a template."""
    try:
        return path.is_file() and b"AWS::" in path.read_bytes()
    except OSError:
        return False


def _has_ours(directory: Path) -> bool:
    """Whether a configuration of ours lies in a directory."""
    for path in directory.iterdir():
        if path.suffix.lower() in ENDINGS and path.name not in SERVERLESS_SOURCES and path.is_file():
            root = _quietly(path)
            if root is not None and root.format is TemplateFormat.OTHER and OURS & set(_member(root.document, "")):
                return True
    return False


def gather(paths: Iterable[Path]) -> ProjectFiles:
    """The templates of all paths."""
    files = ProjectFiles()
    for path in paths:
        found = list(_in_directory(path)) if path.is_dir() else [_of_file(path)]
        if not found:
            what, hint = _source_of(path) or ("holds no template", "name a file")
            raise ConfigError([Problem(what, file=str(path), hint=hint)])
        for root in found:
            files.roots += _expanded(root, files)
    inner = {file for file, _ in files.nested.values()}
    files.roots = [root for root in files.roots if str(root.path) not in inner]
    return files


def _expanded(root: RootTemplate, files: ProjectFiles) -> Iterator[RootTemplate]:
    if root.format is TemplateFormat.CDK_MANIFEST:
        for each in _assembly(root.path, root.document):
            _nest(each.path, each.document, files, 0)
            yield each
        return
    if root.format in ADVICE:
        what, hint = ADVICE[root.format]
        raise ConfigError([Problem(what, file=str(root.path), hint=hint)])
    _, problems = read_document(root.path)
    files.warnings += problems
    if root.format is TemplateFormat.SERVERLESS:
        files.warnings += _outdated(root.path.absolute())
    document = prepared(root.document, root.format)
    _nest(root.path, document, files, 0)
    yield replace(root, document=document, source=root.document)


def _outdated(packaged: Path) -> list[Problem]:
    """A warning where the source of Serverless was changed after it was packaged."""
    sources = [packaged.parents[1] / name for name in SERVERLESS_SOURCES]
    newer = [each for each in sources if each.is_file() and each.stat().st_mtime > packaged.stat().st_mtime]
    what, hint = "was changed after it was packaged, and what was packaged is run", "run `serverless package` again"
    return [Problem(what, file=str(each), hint=hint) for each in newer if packaged.parent.name == SERVERLESS_DIRECTORY]


def prepared(document: Node, form: TemplateFormat) -> Node:
    """The template as one of CloudFormation."""
    if form is TemplateFormat.FRAGMENT:
        return sam.expanded(whole(document))
    return sam.expanded(document) if form is TemplateFormat.SAM else document


# --- one file ---------------------------------------------------------------------------------------------------------


def _of_file(path: Path) -> RootTemplate:
    document, _ = read_document(path)
    form = format_of(document)
    if form is TemplateFormat.CLOUDFORMATION and path.name == SERVERLESS_TEMPLATE:
        return RootTemplate(path, TemplateFormat.SERVERLESS, document, _serverless_stack(path.parent))
    if form is TemplateFormat.CLOUDFORMATION and path.name.endswith(".template.json"):
        form = TemplateFormat.CDK
    if form is TemplateFormat.SAM and _wraps(document):
        form = TemplateFormat.FRAGMENT
    return RootTemplate(path, form, document, stack_of(path))


def _wraps(document: Node) -> bool:
    return isinstance(document.value, dict) and "Resources" not in document.value


def stack_of(path: Path) -> str:
    """The name of a stack that nobody named: that of the file, or of the directory of a `template.*`."""
    path = path.absolute()
    stem = path.name.removesuffix(path.suffix).removesuffix(".template")
    if stem in ("template", SERVERLESS_TEMPLATE.removesuffix(".json")):
        directory = path.parent
        if directory.parts[-2:] == BUILD.parts:
            directory = directory.parent.parent
        stem = directory.name
    return re.sub(r"[^A-Za-z0-9-]+", "-", stem).strip("-") or "stack"


def _serverless_stack(directory: Path) -> str:
    """`<service>-<stage>`, of what Serverless remembers beside its template."""
    try:
        state = json.loads((directory / "serverless-state.json").read_text())
        service, stage = state["service"]["service"], state["service"]["provider"]["stage"]
    except (OSError, ValueError, KeyError, TypeError):
        return stack_of(directory.absolute().parent / "template.json")
    return re.sub(r"[^A-Za-z0-9-]+", "-", f"{service}-{stage}")


# --- directories ------------------------------------------------------------------------------------------------------


def _in_directory(directory: Path) -> Iterator[RootTemplate]:
    for manifest in (directory / MANIFEST, directory / "cdk.out" / MANIFEST):
        if manifest.is_file() and (root := _quietly(manifest)) and root.format is TemplateFormat.CDK_MANIFEST:
            yield root
            return
    for packaged in (directory / SERVERLESS_TEMPLATE, directory / SERVERLESS_DIRECTORY / SERVERLESS_TEMPLATE):
        if packaged.is_file():
            yield _of_file(packaged)
            return
    found = list(_beside(directory))
    if not found and (directory / BUILD / "template.yaml").is_file():
        found = [_of_file(directory / BUILD / "template.yaml")]
    yield from found or _below(directory, DEPTH)


def _beside(directory: Path) -> Iterator[RootTemplate]:
    """The templates of a directory. A file that cannot be read is none, unless somebody names it."""
    for path in sorted(directory.iterdir()):
        if path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file():
            root = _quietly(path)
            if root is not None and root.format not in (TemplateFormat.OTHER, TemplateFormat.CDK_MANIFEST, *ADVICE):
                yield root


def _below(directory: Path, depth: int) -> Iterator[RootTemplate]:
    """The templates of the directories below one without any."""
    if depth == 0:
        return
    for each in sorted(directory.iterdir()):
        if each.is_dir() and each.name not in SKIPPED and not each.name.startswith("."):
            yield from list(_beside(each)) or _below(each, depth - 1)


def _quietly(path: Path) -> RootTemplate | None:
    try:
        return _of_file(path)
    except ConfigError:
        return None


def _source_of(directory: Path) -> tuple[str, str] | None:
    """What is said of a directory in which a tool has to make a template first; None for any other."""
    for name in SERVERLESS_SOURCES:
        if (directory / name).is_file():
            what, hint = ADVICE[TemplateFormat.SERVERLESS_SOURCE]
            return f"has {name}, which {what}", hint
    if (directory / "cdk.json").is_file():
        return "has cdk.json, and no template yet", "run `cdk synth`, then name this directory again"
    return TERRAFORM_SOURCE if next(directory.glob("*.tf"), None) else None


# --- CDK --------------------------------------------------------------------------------------------------------------


def _assembly(manifest: Path, document: Node) -> Iterator[RootTemplate]:
    """The stacks of an assembly and of those inside of it, which are CDK's stages."""
    for name, artifact in _mapping(_mapping(plain(document)).get("artifacts")).items():
        given, kind = _mapping(_mapping(artifact).get("properties")), _mapping(artifact).get("type")
        if kind == "aws:cloudformation:stack" and (file := _word(given.get("templateFile"))):
            path = manifest.parent / file
            template, _ = read_document(path)
            shown = _word(_mapping(artifact).get("displayName"))
            stack = _word(given.get("stackName")) or shown or str(name)
            environment = _word(_mapping(artifact).get("environment"))
            form = TemplateFormat.SAM if format_of(template) is TemplateFormat.SAM else TemplateFormat.CDK
            made = prepared(template, form)
            yield RootTemplate(path, form, made, stack, (str(name), shown), environment, template)
        elif kind == "cdk:cloud-assembly" and (directory := _word(given.get("directoryName"))):
            inner = manifest.parent / directory / MANIFEST
            if is_file(inner) and inner != manifest:
                yield from _assembly(inner, read_document(inner)[0])


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


# --- nested stacks ----------------------------------------------------------------------------------------------------

_NESTED = ("AWS::CloudFormation::Stack",)


def _nest(path: Path, document: Node, files: ProjectFiles, depth: int) -> None:
    """Reads the templates of the nested stacks of a template, and of those inside of them."""
    resources = _member(document, "Resources")
    for logical_id, node in resources.items():
        kind = _member(node, "").get("Type")
        if kind is None or kind.value not in _NESTED or depth > 8:
            continue
        inner = _template_of(node, path.parent)
        if inner is None or (str(path), logical_id) in files.nested:
            continue
        try:
            child, problems = read_document(inner)
        except ConfigError as fault:
            files.warnings += fault.problems
            continue
        files.warnings += problems
        child = prepared(child, format_of(child))
        files.nested[str(path), logical_id] = (str(inner), child)
        _nest(inner, child, files, depth + 1)


def _template_of(resource: Node, directory: Path) -> Path | None:
    """The file of a nested stack: CDK's asset, or a path."""
    asset = _member(resource, "Metadata").get("aws:asset:path")
    url = _member(resource, "Properties").get("TemplateURL")
    for node in (asset, url):
        if node is not None and isinstance(node.value, str) and node.value and "://" not in node.value:
            path = directory / node.value
            inside = [path / f"template{ending}" for ending in (".yaml", ".yml", ".json")]
            return next((each for each in (path, *inside) if is_file(each)), None)
    return None


def _member(node: Node, key: str) -> dict[str, Node]:
    found = node if not key else node.value.get(key) if isinstance(node.value, dict) else None
    return found.value if found is not None and isinstance(found.value, dict) else {}
