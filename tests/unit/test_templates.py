"""Every template of `tests/templates`: what a start tells of it, to the line. Each format has twelve and more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.service.templates.core import configuration
from support import template_cases

CASES = template_cases.cases()
RULES = (
    (
        pytest.mark.semantics("TPL-01", "TPL-02"),
        "sam/queue cloudformation/json cdk/queue serverless/queue terraform/state-queue",
    ),
    (pytest.mark.semantics("TPL-03"), "sam/sub-with-maps cloudformation/functions cloudformation/find-in-map"),
    (pytest.mark.semantics("TPL-04"), "sam/deployed-values cloudformation/parameters serverless/imports"),
    (pytest.mark.semantics("TPL-05"), "sam/transform"),
    (pytest.mark.semantics("TPL-06"), "cloudformation/cycles"),
    (pytest.mark.semantics("TPL-07"), "sam/queue sam/samconfig cdk/queue serverless/name-of-file sam/fragment"),
    (pytest.mark.semantics("TPL-08"), "cloudformation/bind terraform/plan-bind"),
    (pytest.mark.semantics("TPL-09"), "sam/deployed-values terraform/plan-unknown"),
    (pytest.mark.semantics("TPL-10"), "sam/conditions"),
    (pytest.mark.semantics("TPL-11"), "sam/globals"),
    (pytest.mark.semantics("TPL-12"), "sam/queue sam/table sam/kafka sam/deployed-values"),
    (pytest.mark.semantics("TPL-13"), "sam/globals sam/kafka cloudformation/parameters"),
    (pytest.mark.semantics("TPL-14"), "sam/alias cdk/alias serverless/alias terraform/state-stream"),
    (pytest.mark.semantics("TPL-15"), "cloudformation/literal-arns cdk/real-environment terraform/state-real-account"),
    (pytest.mark.semantics("TPL-16"), "sam/nested cloudformation/nested cdk/nested-stack cdk/exports cdk/one-stage"),
    (pytest.mark.semantics("TPL-17"), "cdk/stages serverless/directory-of-package sam/imports sam/fragment"),
    (
        pytest.mark.semantics("TPL-18"),
        "sam/code-places cdk/without-metadata serverless/individually terraform/state-code",
    ),
    (
        pytest.mark.semantics("TPL-20"),
        "sam/layers sam/without-layers cdk/layers serverless/layers terraform/state-layers",
    ),
    (pytest.mark.semantics("TPL-21"), "terraform/plan-modules terraform/plan-for-each terraform/plan-queue"),
    (pytest.mark.semantics("TPL-22"), "cloudformation/refused-by-rules"),
    (pytest.mark.semantics("TPL-24"), "serverless/source-alone serverless/source-named terraform/sources-alone"),
    (pytest.mark.semantics("TPL-25"), "cdk/unknown-stage"),
    (pytest.mark.semantics("TPL-26"), "cloudformation/image-elsewhere"),
    (pytest.mark.semantics("TPL-30"), "sam/samconfig sam/samconfig-prod"),
)
"""Which cases prove which rules."""


def claims(case: str) -> Iterator[pytest.MarkDecorator]:
    return (mark for mark, names in RULES if case in names.split())


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_cases.copied(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("case", [pytest.param(case, marks=list(claims(case))) for case in CASES])
def test_a_template_is_told_as_expected(case: str, templates: Path) -> None:
    assert template_cases.told(templates / case) == (template_cases.ROOT / case / "expected.txt").read_text()


def test_each_format_has_twelve_templates_at_least() -> None:
    counts = Counter(case.partition("/")[0] for case in CASES)
    assert set(counts) == {"sam", "cloudformation", "cdk", "serverless", "terraform"}
    assert min(counts.values()) >= 12, counts


@pytest.mark.parametrize("case", CASES)
def test_nothing_ends_in_a_fault_of_ours(case: str) -> None:
    text = (template_cases.ROOT / case / "expected.txt").read_text()
    assert text
    assert "Traceback" not in text


@pytest.mark.parametrize("case", ["sam/globals", "sam/kafka", "sam/table", "sam/layers", "terraform/state-kafka"])
def test_what_is_written_is_what_is_configured(case: str, templates: Path) -> None:
    found = template_cases.loaded(templates / case, template_cases.command_of(templates / case))
    written = configuration.written(found.document)
    assert {key: list(written[key]) for key in ("functions", "mappings")} == {  # type: ignore[call-overload]
        "functions": list(found.config.functions),
        "mappings": list(found.config.mappings),
    }


def test_the_same_template_gives_the_same_configuration(templates: Path) -> None:
    case = templates / "sam" / "sub-with-maps"
    first, second = (template_cases.loaded(case, "template.yaml --stack shop") for _ in range(2))
    assert configuration.written(first.document) == configuration.written(second.document)
    assert first.config.mappings["OrdersQ"].uuid == second.config.mappings["OrdersQ"].uuid


def test_every_case_that_is_named_is_there() -> None:
    assert {name for _, names in RULES for name in names.split()} <= set(CASES)
