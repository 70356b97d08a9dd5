"""Templates and what stands beside them: builds, files of variables, strict starts, what cannot be read, what is no
template, and the verbs that take them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from headrace.config import nodes
from headrace.config.errors import ConfigError
from headrace.config.loader import Config
from headrace.config.loader import load as load_config
from headrace.service.cli.main import main
from headrace.service.templates import sam_translation, samconfig
from headrace.service.templates.core.model import ObjectPlace
from headrace.service.templates.project import SERVERLESS_TEMPLATE, gather, is_project, seen_in, stack_of
from headrace.service.wiring.exits import Exit
from support import template_cases

HEAD = 'AWSTemplateFormatVersion: "2010-09-09"\nTransform: AWS::Serverless-2016-10-31\n'
TEMPLATE = (
    HEAD
    + """
Parameters: {Stage: {Type: String, Default: dev}}
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: python3.11
      Environment: {Variables: {STAGE: !Ref Stage, DOLLAR: "a$b${c}"}}
      Events: {Q: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}
  Queue: {Type: AWS::SQS::Queue}
"""
)
CODE = "def handler(event, context):\n    return {}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "shop"
    (directory / "src").mkdir(parents=True)
    (directory / "src" / "app.py").write_text(CODE)
    (directory / "template.yaml").write_text(TEMPLATE)
    return directory


def refused(case: Path, command: str) -> str:
    with pytest.raises(ConfigError) as caught:
        template_cases.loaded(case, command)
    return str(caught.value)


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.semantics("TPL-25")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Resources: {A: {Type: AWS::SQS::Queue}\n  x", "template.yaml:2"),
        ("AWSTemplateFormatVersion: [\n# AWS::", "cannot be read as YAML"),
        ("\x00AWS::SQS::Queue", "template.yaml"),
        ("Resources: !!python/object:AWS::x {}", "is not understood"),
        ("- AWS::SQS::Queue", "no template"),
    ],
)
def test_a_template_that_cannot_be_read_names_file_and_place(project: Path, text: str, words: str) -> None:
    (project / "template.yaml").write_text(text)
    assert words in refused(project, "template.yaml")


@pytest.mark.semantics("TPL-25")
def test_bytes_that_are_no_text(project: Path) -> None:
    (project / "template.yaml").write_bytes(b"Resources: {A: {Type: 'AWS::SQS::Queue\xff'}}")
    assert "not UTF-8" in refused(project, "template.yaml")


@pytest.mark.semantics("TPL-25")
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("template.yaml --parameter Stag=x", "did you mean 'Stage'?"),
        ("template.yaml --bind Queues=arn:aws:sqs:us-east-1:000000000000:q", "did you mean 'Queue'?"),
        ("template.yaml --bind Queue=q", "is not an ARN"),
        ("template.yaml --bind Queue=http://host", "names no queue"),
        ("template.yaml --config-env prod", "no samconfig.toml"),
        ("template.yaml --env-vars gone.json", "gone.json"),
        ("template.yaml --env-vars list.json", "must hold a mapping"),
        ("template.yaml --env-vars broken.json", "is not JSON"),
    ],
)
def test_options_that_name_nothing(project: Path, command: str, words: str) -> None:
    (project / "list.json").write_text("[]")
    (project / "broken.json").write_text("{")
    assert words in refused(project, command)


@pytest.mark.semantics("TPL-25")
def test_a_section_of_samconfig_that_is_not_there(project: Path) -> None:
    (project / "samconfig.toml").write_text("[default.deploy.parameters]\n[staging.deploy.parameters]\n")
    assert "did you mean 'staging'?" in refused(project, "template.yaml --config-env stagin")
    (project / "samconfig.toml").write_text("[default")
    assert "cannot be read as TOML" in refused(project, "template.yaml")


@pytest.mark.semantics("TPL-30")
@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("A=1 B='x y'", {"A": "1", "B": "x y"}),
        ('A="1" B=""', {"A": "1", "B": ""}),
        ("ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue=x=y", {"A": "1", "B": "x=y"}),
        (["A=1", 'B="x y"'], {"A": "1", "B": "x y"}),
        ({"A": 1}, {"A": "1"}),
        ("A='open", {"A": "'open"}),
        ("", {}),
    ],
)
def test_overrides_of_samconfig(given: object, found: dict[str, str]) -> None:
    assert samconfig.overrides(given) == found


@pytest.mark.semantics("TPL-30")
def test_a_key_that_stands_twice_is_warned_of(project: Path) -> None:
    (project / "template.yaml").write_text(TEMPLATE + "  Queue: {Type: AWS::SQS::Queue}\n")
    assert "Queue" in "".join(template_cases.loaded(project, "template.yaml").report.warnings)


@pytest.mark.semantics("TPL-30")
def test_a_samconfig_in_yaml(project: Path) -> None:
    (project / "samconfig.yaml").write_text("default: {deploy: {parameters: {stack_name: other}}}\n")
    assert list(template_cases.loaded(project, "template.yaml").config.functions) == ["other-Orders"]
    (project / "samconfig.yaml").write_text("default: [")
    assert "cannot be read as YAML" in refused(project, "template.yaml")


@pytest.mark.semantics("TPL-05")
def test_what_aws_alone_runs_around_everything(project: Path) -> None:
    macros = "Fn::Transform: {Name: AWS::Include}\n"
    (project / "template.yaml").write_text(
        TEMPLATE.replace(
            "Resources:",
            f"{macros}Resources:\n  M: {{Type: AWS::Lambda::EventSourceMapping, "
            "Properties: {'Fn::Transform': x}}\n  F: {Type: AWS::Lambda::Function, Properties: {'Fn::Transform': x}}",
        )
    )
    report = template_cases.loaded(project, "template.yaml").report
    assert sorted(each.id for each in report.taken.not_taken) == ["F", "Fn::Transform", "M"]
    assert len(report.functions) == 1


# --- AWS's own translator ---------------------------------------------------------------------------------------------


@pytest.mark.semantics("TPL-12")
@pytest.mark.parametrize("case", [case for case in template_cases.cases() if case.startswith("sam/")])
def test_awss_translator_gives_the_same(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = template_cases.copied(tmp_path) / case
    with_it = template_cases.told(directory)
    monkeypatch.setitem(sys.modules, "samtranslator.translator.translator", None)
    without_it = template_cases.told(directory)
    assert [line for line in with_it.splitlines() if "aws-sam-translator" not in line] == without_it.splitlines()


@pytest.mark.semantics("TPL-12")
def test_the_translator_has_the_last_word_on_mappings(project: Path) -> None:
    root = gather([project / "template.yaml"]).roots[0]
    document = sam_translation.translated(root, "us-east-1", {}).document
    mapping = nodes.locate(document, ["Resources", "OrdersQ", "Properties", "EventSourceArn"])
    assert mapping.line == 13  # what both say alike stands where the template has it
    assert sam_translation.translated(root, "us-east-1", {}).notes == ()


# --- which paths are templates ----------------------------------------------------------------------------------------


@pytest.mark.semantics("TPL-01", "TPL-24")
@pytest.mark.parametrize(
    ("files", "named", "found"),
    [
        ({"headrace.yaml": "functions: {}\n"}, "headrace.yaml", False),
        ({"headrace.yaml": TEMPLATE}, "headrace.yaml", True),
        ({"headrace.yaml": "functions: {}\n"}, ".", False),
        ({"headrace.yaml": "functions: {}\n", "serverless.yml": "service: x\n"}, ".", False),
        ({"serverless.yml": "service: x\nprovider: {}\n"}, ".", True),
        ({"cdk.json": "{}"}, ".", True),
        ({"main.tf": ""}, ".", True),
        ({"package.json": "{}", "template.yaml": TEMPLATE}, ".", True),
        ({"a/b/template.yaml": TEMPLATE}, ".", True),
        ({"node_modules/b/template.yaml": TEMPLATE}, ".", False),
        ({".aws-sam/build/template.yaml": TEMPLATE}, ".", True),
        ({"broken.yaml": "{", "notes.yml": "- a\n"}, ".", False),
        ({}, "gone.yaml", False),
    ],
)
def test_what_is_a_project(tmp_path: Path, files: dict[str, str], named: str, found: bool) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert is_project(tmp_path / named) is found


@pytest.mark.semantics("TPL-31")
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"template.yaml": TEMPLATE}, "template.yaml is here (SAM): `headrace run template.yaml` runs it"),
        (
            {"cdk.json": "{}", "cdk.out/manifest.json": '{"version": "1", "artifacts": {}}'},
            "cdk.out/manifest.json is here (CDK's manifest): `headrace run cdk.out` runs it",
        ),
        (
            {"serverless.yml": "", f".serverless/{SERVERLESS_TEMPLATE}": '{"AWSTemplateFormatVersion": "x"}'},
            f".serverless/{SERVERLESS_TEMPLATE} is here (Serverless): `headrace run .serverless` runs it",
        ),
        (
            {"template.yaml": "a: b\n", "cdk.json": "{}"},
            "this directory has cdk.json, and no template yet: run `cdk synth`",
        ),
        ({"serverless.yml": ""}, "this directory has serverless.yml, which is the source of Serverless"),
        ({"main.tf": ""}, ""),
        ({"template.json": "{"}, ""),
        ({"orders.yaml": TEMPLATE}, ""),
    ],
)
def test_a_template_that_nobody_named_is_seen(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = seen_in(tmp_path)
    assert found.startswith(said)
    assert bool(found) is bool(said)


@pytest.mark.semantics("TPL-07")
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("shop/template.yaml", "shop"),
        ("shop/orders.yaml", "orders"),
        ("shop/Orders.template.json", "Orders"),
        ("shop/.aws-sam/build/template.yaml", "shop"),
        ("my shop/template.yml", "my-shop"),
        ("/template.yml", "stack"),
    ],
)
def test_a_stack_that_nobody_named(path: str, name: str) -> None:
    assert stack_of(Path(path)) == name


@pytest.mark.semantics("TPL-24")
def test_a_directory_of_cdk_without_a_template(tmp_path: Path) -> None:
    (tmp_path / "cdk.json").write_text("{}")
    assert "cdk synth" in refused(tmp_path, ".")


# --- builds -----------------------------------------------------------------------------------------------------------


def build(project: Path, age: int) -> None:
    """What `sam build` would have made, so many seconds after the source was written."""
    root = project / ".aws-sam" / "build"
    (root / "Orders").mkdir(parents=True)
    (root / "Orders" / "app.py").write_text(CODE)
    (root / "template.yaml").write_text(TEMPLATE.replace("CodeUri: src", "CodeUri: Orders"))
    moment = os.stat(project / "src" / "app.py").st_mtime + age
    os.utime(root / "Orders" / "app.py", (moment, moment))


def code_of(project: Path, command: str = "template.yaml") -> tuple[str, list[str]]:
    report = template_cases.loaded(project, command).report
    return os.path.relpath(report.functions[0].code, project), report.notes()


@pytest.mark.semantics("TPL-19")
def test_a_build_that_is_newer_is_run(project: Path) -> None:
    build(project, 10)
    assert code_of(project) == (".aws-sam/build/Orders", [])


@pytest.mark.semantics("TPL-19")
def test_a_source_that_is_newer_than_its_build_is_run_and_that_is_said(project: Path) -> None:
    build(project, -10)
    code, notes = code_of(project)
    assert code == "src"
    assert "older than its source" in notes[0]


@pytest.mark.semantics("TPL-19")
def test_a_source_that_needs_a_build_is_not_run(project: Path) -> None:
    build(project, -10)
    method = "    Metadata: {BuildMethod: makefile}\n"
    text = TEMPLATE.replace("    Type: AWS::Serverless::Function\n", f"    Type: AWS::Serverless::Function\n{method}")
    (project / "template.yaml").write_text(text)
    code, notes = code_of(project)
    assert code == ".aws-sam/build/Orders"
    assert "sam build" in notes[0]


@pytest.mark.semantics("TPL-19")
def test_the_template_of_a_build_is_read_as_it_is(project: Path) -> None:
    build(project, -10)
    assert code_of(project, ".aws-sam/build/template.yaml") == (".aws-sam/build/Orders", [])


@pytest.mark.semantics("TPL-19")
def test_a_source_of_serverless_that_was_changed_after_it_was_packaged(tmp_path: Path) -> None:
    packaged, source = tmp_path / ".serverless" / SERVERLESS_TEMPLATE, tmp_path / "serverless.yml"
    packaged.parent.mkdir()
    packaged.write_text('{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {}}')
    source.write_text("service: x\n")
    os.utime(source, (1, 1))
    assert gather([tmp_path]).warnings == []
    os.utime(packaged, (0, 0))
    (warning,) = gather([tmp_path]).warnings
    assert "serverless.yml: was changed after it was packaged" in str(warning)
    assert "run `serverless package` again" in str(warning)


@pytest.mark.semantics("TPL-18")
@pytest.mark.parametrize(
    ("runtime", "files", "note"),
    [
        ("python3.11", {"requirements.txt": "boto3\n"}, "requirements.txt"),
        ("python3.11", {"requirements.txt": "# none\n"}, ""),
        ("python3.11", {"requirements.txt": "boto3\n", ".venv/x": ""}, ""),
        ("nodejs20.x", {"app.js": "", "package.json": '{"dependencies": {"a": "1"}}'}, "npm install"),
        ("nodejs20.x", {"app.js": "", "package.json": "{}"}, ""),
        ("nodejs20.x", {"app.js": "", "package.json": "{"}, ""),
    ],
)
def test_dependencies_that_are_not_installed(project: Path, runtime: str, files: dict[str, str], note: str) -> None:
    for name, text in files.items():
        (project / "src" / name).parent.mkdir(exist_ok=True)
        (project / "src" / name).write_text(text)
    (project / "template.yaml").write_text(TEMPLATE.replace("python3.11", runtime))
    notes = "".join(template_cases.loaded(project, "template.yaml").report.notes())
    assert note in notes
    assert bool(notes) is bool(note)


@pytest.mark.semantics("TPL-18")
def test_a_zip_that_is_none_and_one_that_reaches_outside(project: Path) -> None:
    import zipfile

    with zipfile.ZipFile(project / "evil.zip", "w") as package:
        package.writestr("../outside.py", "")
    (project / "template.yaml").write_text(TEMPLATE.replace("CodeUri: src", "CodeUri: evil.zip"))
    (left, *_) = template_cases.loaded(project, "template.yaml").report.taken.not_taken
    assert "cannot be unpacked" in left.reason.text
    assert not (project / "outside.py").exists()


# --- strict -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("TPL-23")
def test_a_strict_start_takes_all_or_nothing(project: Path) -> None:
    assert template_cases.loaded(project, "template.yaml --strict").config.mappings
    text = TEMPLATE.replace("{STAGE: !Ref Stage,", "{STAGE: '{{resolve:ssm:x}}',")
    (project / "template.yaml").write_text(text)
    assert template_cases.loaded(project, "template.yaml").config.mappings
    said = refused(project, "template.yaml --strict")
    assert "template.yaml:6: Orders: runs without the variable STAGE" in said


@pytest.mark.semantics("TPL-23")
def test_a_strict_start_does_not_mind_events_that_are_no_mappings(project: Path) -> None:
    more = "      Events: {Api: {Type: HttpApi},"
    (project / "template.yaml").write_text(TEMPLATE.replace("      Events: {", more))
    assert template_cases.loaded(project, "template.yaml --strict").config.mappings


def test_a_template_without_anything_of_ours(project: Path) -> None:
    (project / "template.yaml").write_text("Resources: {B: {Type: AWS::S3::Bucket}}\n")
    assert "no function and no mapping" in refused(project, "template.yaml")


# --- the verbs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    return project


@pytest.mark.semantics("TPL-02")
def test_check_prints_the_table(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "template.yaml"]) == Exit.OK
    shown = capsys.readouterr().out
    assert "template.yaml: SAM, stack shop, account 000000000000" in shown
    assert "TAKEN     LOGICAL ID  AT" in shown
    assert "1 mapping and 1 function: no problem found" in shown


@pytest.mark.semantics("TPL-02")
def test_check_tells_programs(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", ".", "--output", "json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in told["template"]["taken"]] == ["Orders", "OrdersQ", "Queue"]
    assert told["template"]["not_taken"] == []
    assert list(told["mappings"]) == ["OrdersQ"]


@pytest.mark.semantics("TPL-29")
def test_a_version_that_is_not_here_is_replaced_by_the_one_that_is(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (inside / "template.yaml").write_text(TEMPLATE.replace("python3.11", "python3.99"))
    assert main(["check", "template.yaml"]) == Exit.OK
    shown = capsys.readouterr().out
    assert "note: Orders: python3.99 runs with Python 3." in shown
    assert "the nearest to python3.99 that is here" in shown
    assert "shop-Orders: python3.99, app.handler" in shown


@pytest.mark.semantics("TPL-27")
def test_import_writes_what_gives_the_same(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "template.yaml", "--to", "made/headrace.yaml"]) == Exit.OK
    assert "wrote made/headrace.yaml" in capsys.readouterr().out
    made = load_config(["made/headrace.yaml"], environ={})
    meant = template_cases.loaded(inside, "template.yaml").config
    assert made.mappings == meant.mappings
    ours, theirs = made.functions["shop-Orders"], meant.functions["shop-Orders"]
    assert os.path.normpath(ours.model_dump()["code"]) == os.path.normpath(theirs.model_dump()["code"])
    assert ours.model_dump()["environment"] == {"STAGE": "dev", "DOLLAR": "a$b${c}"}


@pytest.mark.semantics("TPL-27")
def test_import_writes_paths_that_start_at_the_file(inside: Path) -> None:
    (inside / "layer").mkdir()
    (inside / "bin").mkdir()
    (inside / "bin" / "bootstrap").write_text("#!/bin/sh\n")
    (inside / "bin" / "bootstrap").chmod(0o755)
    more = """
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer}}
  Own: {Type: AWS::Serverless::Function, Properties: {CodeUri: bin, Runtime: provided.al2023, Layers: [!Ref Layer]}}
  Inline: {Type: AWS::Serverless::Function, Properties: {InlineCode: "x = 1", Handler: index.x, Runtime: python3.11}}
"""
    (inside / "template.yaml").write_text(TEMPLATE + more)
    assert main(["import", "template.yaml", "--to", "made/headrace.yaml"]) == Exit.OK
    written = (inside / "made" / "headrace.yaml").read_text()
    assert "code: ../bin\n    layers:\n    - ../layer\n" in written
    assert "code: ./headrace-code/templates/" in written
    made = load_config(["made/headrace.yaml"], environ={})
    assert set(made.functions) == {"shop-Orders", "shop-Own", "shop-Inline"}


@pytest.mark.semantics("TPL-27")
def test_import_overwrites_nothing(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (inside / "headrace.yaml").write_text("mine")
    assert main(["import", "template.yaml"]) == Exit.USAGE
    assert (inside / "headrace.yaml").read_text() == "mine"


@pytest.mark.semantics("TPL-27")
def test_import_keeps_what_was_not_taken_as_comments(inside: Path) -> None:
    more = "  Java: {Type: AWS::Serverless::Function, Properties: {CodeUri: src, Handler: x, Runtime: java21}}\n"
    (inside / "template.yaml").write_text(TEMPLATE + more)
    assert main(["import", "template.yaml"]) == Exit.OK
    assert "# not taken: function Java" in (inside / "headrace.yaml").read_text()


@pytest.mark.semantics("RUNTIME-01", "TPL-29")
def test_a_function_in_java_runs_where_the_setting_has_a_command(
    inside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "  Java: {Type: AWS::Serverless::Function, Properties: {CodeUri: jar, Handler: x, Runtime: java21}}\n"
    (inside / "template.yaml").write_text(TEMPLATE + more)
    (inside / "jar").mkdir()
    assert main(["check", "template.yaml"]) == Exit.OK
    assert "jar: there is no class and no jar: run `sam build`" in capsys.readouterr().out
    (inside / "jar" / "Orders.class").touch()
    assert main(["check", "template.yaml"]) == Exit.OK
    assert "the runtime java21 cannot be run here, because the setting 'runtimes' has" in capsys.readouterr().out
    monkeypatch.setenv("HEADRACE_RUNTIMES", '{"java21": {"command": ["sh", "{code}"]}}')
    assert main(["check", "template.yaml"]) == Exit.OK
    assert "shop-Java: java21, x" in capsys.readouterr().out


@pytest.mark.semantics("TPL-25")
@pytest.mark.parametrize(
    "command",
    [
        ["check", "template.yaml", "--parameter", "Stage"],
        ["check", "template.yaml", "--bind", "=x"],
        ["check", "plain.yaml", "--strict"],
        ["run", "plain.yaml", "--create-sources"],
    ],
)
def test_a_command_line_that_is_wrong(inside: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (inside / "plain.yaml").write_text("functions: {}\n")
    assert main(command) == Exit.USAGE
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.semantics("TPL-26")
def test_a_configuration_beside_the_templates_of_a_directory_counts(inside: Path) -> None:
    (inside / "headrace.yaml").write_text("functions: {shop-Orders: {http: 'http://127.0.0.1:9/'}}\nwarm: 3\n")
    found = template_cases.loaded(inside, ".")
    assert found.config.settings.warm == 3
    assert found.config.functions["shop-Orders"].model_dump()["http"] == "http://127.0.0.1:9/"
    assert list(found.config.mappings) == ["OrdersQ"]


@pytest.mark.semantics("TPL-15")
def test_with_real_aws_arns_stay(inside: Path) -> None:
    text = TEMPLATE.replace("!GetAtt Queue.Arn", "arn:aws:sqs:eu-west-1:123456789012:orders")
    (inside / "template.yaml").write_text(text)
    found = template_cases.loaded(inside, "template.yaml --real-aws")
    assert found.config.mappings["OrdersQ"].source == "arn:aws:sqs:eu-west-1:123456789012:orders"


@pytest.mark.semantics("TPL-30")
def test_the_region_of_samconfig_is_that_of_the_daemon(inside: Path) -> None:
    (inside / "samconfig.toml").write_text('[default.deploy.parameters]\nregion = "eu-west-3"\n')
    assert template_cases.loaded(inside, "template.yaml").config.settings.aws.region == "eu-west-3"
    flagged = template_cases.loaded(inside, "template.yaml --region eu-west-1")
    assert flagged.config.settings.aws.region == "eu-west-1"
    named = template_cases.loaded(inside, "template.yaml", {"AWS_REGION": "eu-west-2"})
    assert named.config.settings.aws.region is None
    assert named.config.mappings["OrdersQ"].source == "arn:aws:sqs:eu-west-2:000000000000:shop-Queue"


# --- code in S3, and layers of others ---------------------------------------------------------------------------------

IN_S3 = (
    HEAD
    + """
Globals: {Function: {Handler: app.handler, Runtime: python3.11}}
Resources:
  Url: {Type: AWS::Serverless::Function, Properties: {CodeUri: "s3://code/url.zip"}}
  Parts:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: {Bucket: code, Key: parts.zip, Version: "7"}
      Layers: [!Ref Layer]
  Plain:
    Type: AWS::Lambda::Function
    Properties: {Code: {S3Bucket: !Ref Bucket, S3Key: plain.zip}, Handler: app.handler, Runtime: python3.11}
  Beside: {Type: AWS::Serverless::Function, Properties: {CodeUri: "s3://code/asset"}}
  Gone: {Type: AWS::Serverless::Function, Properties: {CodeUri: "s3://code/gone.zip"}}
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: {Bucket: code, Key: layer.zip}}}
Parameters: {Bucket: {Type: String, Default: parameter}}
"""
)


@pytest.mark.semantics("LAYER-22")
def test_code_in_s3_is_fetched_at_once_where_nobody_left_it_beside(project: Path) -> None:
    (project / "template.yaml").write_text(IN_S3)
    (project / "src").rename(project / "asset.asset")
    (project / "fetched").mkdir()
    (project / "fetched" / "app.py").write_text(CODE)
    asked: list[set[ObjectPlace]] = []

    def fetch(config: Config, needed: Collection[ObjectPlace], scratch: Path) -> dict[ObjectPlace, Path | str]:
        asked.append(set(needed))
        return {place: "NoSuchKey" if place.key == "gone.zip" else project / "fetched" for place in needed}

    found = template_cases.loaded(project, "template.yaml", fetch=fetch)
    places = [("code", "url.zip"), ("code", "gone.zip"), ("code", "layer.zip"), ("parameter", "plain.zip")]
    assert asked == [{*(ObjectPlace(*each) for each in places), ObjectPlace("code", "parts.zip", "7")}]
    assert {each.function.id for each in found.report.functions} == {"Url", "Parts", "Plain", "Beside"}
    (gone,) = found.report.taken.not_taken
    assert (gone.id, "in S3 (s3://code/gone.zip), and not on this machine (NoSuchKey)" in gone.reason.text) == (
        "Gone",
        True,
    )


@pytest.mark.semantics("LAYER-23")
@pytest.mark.parametrize("named", ["arn:aws:lambda:us-east-1:580247275435:layer:Vendor", None])
def test_a_layer_of_the_setting_is_mounted(project: Path, named: str | None) -> None:
    arn = "arn:aws:lambda:us-east-1:580247275435:layer:Vendor:3"
    (project / "vendor").mkdir()
    (project / "settings.yaml").write_text(f"layers: {{'{named or arn}': ./vendor}}\n")
    layers = f"      Handler: app.handler\n      Layers: ['{arn}']\n"
    (project / "template.yaml").write_text(TEMPLATE.replace("      Handler: app.handler\n", layers))
    (ready,) = template_cases.loaded(project, "template.yaml settings.yaml").report.functions
    assert ready.layers == (str(project / "vendor"),)


@pytest.mark.semantics("LAYER-23")
def test_a_layer_of_the_setting_is_mounted_for_terraform_too(tmp_path: Path) -> None:
    case = template_cases.copied(tmp_path) / "terraform" / "state-layers"
    (case / "vendor").mkdir()
    (case / "settings.yaml").write_text("layers: {'arn:aws:lambda:us-east-1:725887861453:layer:Dynatrace': ./vendor}\n")
    found = template_cases.loaded(case, "state.json settings.yaml").report.functions
    assert str(case / "vendor") in {layer for ready in found for layer in ready.layers}
