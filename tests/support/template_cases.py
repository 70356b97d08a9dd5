"""The templates of `tests/templates`, each with what a start has to tell of it.

    <format>/<case>/command.txt    what the command line says; `template.yaml` where there is none
    <format>/<case>/expected.txt   the table, with paths that start at the case
    NAME.zip.d/                    becomes the zip NAME.zip

`python -m support.template_cases FORMAT/CASE …` writes what is expected anew, to be read by somebody.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

from headrace.config.errors import ConfigError
from headrace.dispatch.kinds.pattern_check import check_patterns
from headrace.service.cli.main import parse
from headrace.service.cli.verbs.configs import configs_among, flags_of, templates_among
from headrace.service.cli.verbs.templates import request_of
from headrace.service.templates.loading import Fetch, LoadedTemplate, LoadingTools, load

ROOT = Path(__file__).parents[1] / "templates"
ENVIRONMENT = {"AWS_ENDPOINT_URL": "http://localhost:4566"}


def cases() -> list[str]:
    return sorted(str(each.parent.relative_to(ROOT)) for each in ROOT.glob("*/*/expected.txt"))


def copied(into: Path) -> Path:
    """All templates, with their zips made."""
    target = into / "templates"
    shutil.copytree(ROOT, target)
    for directory in sorted(target.rglob("*.zip.d")):
        with zipfile.ZipFile(directory.with_suffix(""), "w") as package:
            for file in sorted(each for each in directory.rglob("*") if each.is_file()):
                package.write(file, file.relative_to(directory))
        shutil.rmtree(directory)
    for packaged in target.glob("*/*/.serverless/*.json"):
        os.utime(packaged)  # newer than its source
    return target


def paths_of(case: Path) -> list[Path]:
    """What the command of a case names as templates."""
    with chdir(case):
        return templates_among(parse(["check", *shlex.split(command_of(case))]).config)


def loaded(
    case: Path,
    command: str,
    environ: dict[str, str] | None = None,
    templates: list[Path] | None = None,
    fetch: Fetch | None = None,
) -> LoadedTemplate:
    """What the command line `headrace check COMMAND` loads in the directory of a case. `templates`: those of its paths
    that are, where that is known. `fetch`: for what is in S3."""
    with chdir(case):
        arguments = parse(["check", *shlex.split(command)])
        templates = templates_among(arguments.config) if templates is None else templates
        assert templates, f"{arguments.config} are no templates"
        environ = ENVIRONMENT if environ is None else environ
        tools = LoadingTools(environ, flags_of(arguments), check_patterns, fetch=fetch)
        configs = configs_among(arguments.config, templates)
        return load(templates, configs, request_of(arguments), tools, lambda config: case / "scratch")


def command_of(case: Path) -> str:
    file = case / "command.txt"
    return file.read_text().strip() if file.is_file() else "template.yaml"


def told(case: Path) -> str:
    """What a start tells: the table, and the mappings and functions that are configured; or why there is none."""
    try:
        found = loaded(case, command_of(case))
    except ConfigError as fault:
        return "".join(f"refused: {problem}\n" for problem in fault.problems)
    report = found.report
    text = "".join(f"{line}\n" for line in _lines(found))
    assert len(report.functions) <= len(found.config.functions)
    text = re.sub(rf"{re.escape(str(case / 'scratch' / 'templates'))}/[0-9a-f]+", "<scratch>", text)
    return text.replace(f"{case.parent.parent}/", "")


def _lines(found: LoadedTemplate) -> Iterator[str]:
    report = found.report
    yield from report.headings
    yield from (f"taken: {' | '.join(row)}" for row in report.taken_rows())
    yield from (f"not taken: {' | '.join(row)}" for row in report.not_taken_rows())
    yield from (f"note: {note}" for note in report.notes())
    yield from (f"warning: {warning}" for warning in report.warnings)
    for name, function in found.config.functions.items():
        fields = function.model_dump(mode="json", exclude={"name", "code", "runtime", "handler"}, exclude_unset=True)
        yield f"function {name}: {fields}"
    for name, mapping in found.config.mappings.items():
        fields = mapping.model_dump(mode="json", exclude={"name", "uuid", "source", "function"}, exclude_unset=True)
        yield f"mapping {name}: {mapping.source or mapping.place} to {mapping.function}: {fields}"
    for creation in report.taken.creations:
        yield f"creation {creation.kind.value} {creation.name}: {dict(creation.settings)}"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        target = copied(Path(directory))
        for name in sys.argv[1:] or [str(each.relative_to(ROOT)) for each in sorted(ROOT.glob("*/*")) if each.is_dir()]:
            if Path(name).name == "code":
                continue
            text = told(target / name)
            (ROOT / name / "expected.txt").write_text(text)
            print(f"=== {name}\n{text}")


if __name__ == "__main__":
    os.environ.pop("AWS_REGION", None)
    main()
