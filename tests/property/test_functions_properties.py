"""Functions under whatever calls come: versions, revisions, refusals and restarts keep their rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.service.control import (
    account_limits,
    aliases,
    answers,
    as_documents,
    event_invokes,
    functions,
    policies,
    recursion_and_runtime,
    tags,
    versions,
)
from headrace.service.control.model import Decision, Function, Moment, Package
from headrace.service.control.names import Named
from headrace.service.control.refusals import ApiError
from support.counts import count
from support.function_api import ARN, HERE, creation

PACKAGES = [Package(f"{number:064x}", 100 + number) for number in range(3)]
QUALIFIERS = ["", "$LATEST", "1", "2", "3", "9", "live", "beta"]

Decide = Callable[[Function | None, Moment], Decision]


@dataclass(frozen=True)
class Step:
    """One call, and whether it is one that may change `$LATEST`'s revision."""

    name: str
    decide: Decide
    revises: bool = False

    def __repr__(self) -> str:
        return self.name


def named(qualifier: str = "") -> Named:
    return Named("orders", qualifier, ARN)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    name = draw(st.sampled_from(sorted(STEPS)))
    return STEPS[name](draw)


def _create(draw: st.DrawFn) -> Step:
    package, publish = draw(st.sampled_from(PACKAGES)), draw(st.booleans())
    request = creation(Publish=publish)
    return Step(
        f"create {publish}",
        lambda function, moment: functions.create(function, named(), request, package, moment),
        revises=True,
    )


def _code(draw: st.DrawFn) -> Step:
    package = draw(st.sampled_from(PACKAGES))
    request = {"ZipFile": b"", "Publish": draw(st.booleans()), "DryRun": draw(st.booleans())}
    return Step(
        f"code {package.size} {request}",
        lambda function, moment: functions.update_code(function, named(), request, package, moment),
        revises=not request["DryRun"],
    )


def _configure(draw: st.DrawFn) -> Step:
    request = draw(st.fixed_dictionaries({}, optional={"Timeout": st.integers(1, 3), "Description": st.just("d")}))
    return Step(
        f"configure {request}",
        lambda function, moment: functions.update_configuration(function, named(), request, moment),
        revises=True,
    )


def _settle(draw: st.DrawFn) -> Step:
    def decide(function: Function | None, moment: Moment) -> Decision:
        return (functions.settle(function, moment) if function else None), {}

    return Step("settle", decide, revises=True)


def _publish(draw: st.DrawFn) -> Step:
    request = draw(st.fixed_dictionaries({}, optional={"Description": st.just("v")}))
    return Step(
        f"publish {request}",
        lambda function, moment: versions.publish(function, named(), request, moment),
        revises=True,
    )


def _delete(draw: st.DrawFn) -> Step:
    which = named(draw(st.sampled_from([*QUALIFIERS[1:], *"1212", ""])))
    return Step(f"delete {which.qualifier}", lambda function, moment: functions.delete(function, which))


def _alias(draw: st.DrawFn) -> Step:
    request: dict[str, Any] = {"Name": draw(st.sampled_from(["live", "beta"]))}
    request["FunctionVersion"] = draw(st.sampled_from(["$LATEST", "1", "2", "9"]))
    if draw(st.booleans()):
        weights = draw(st.dictionaries(st.sampled_from(["1", "2"]), st.floats(0, 1), max_size=2))
        request["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    decide = draw(st.sampled_from([aliases.create, aliases.update]))
    return Step(f"alias {request}", lambda function, moment: decide(function, named(), request, moment))


def _delete_alias(draw: st.DrawFn) -> Step:
    name = draw(st.sampled_from(["live", "beta"]))
    return Step(f"delete alias {name}", lambda function, moment: aliases.delete(function, named(), name))


def _permission(draw: st.DrawFn) -> Step:
    which = named(draw(st.sampled_from(QUALIFIERS)))
    request = {"StatementId": draw(st.sampled_from("ab")), "Action": "lambda:InvokeFunction", "Principal": "*"}
    decide = draw(st.sampled_from([policies.add, policies.remove]))
    return Step(
        f"{decide.__name__} permission {which.qualifier} {request['StatementId']}",
        lambda function, moment: decide(function, which, request, moment),
    )


def _event_invoke(draw: st.DrawFn) -> Step:
    which = named(draw(st.sampled_from(QUALIFIERS)))
    request = {"MaximumRetryAttempts": draw(st.integers(0, 2))}
    decide = draw(st.sampled_from([event_invokes.put, event_invokes.update]))
    return Step(
        f"{decide.__name__} event-invoke {which.qualifier}",
        lambda function, moment: decide(function, which, request, lambda arn: True, moment),
    )


def _tag(draw: st.DrawFn) -> Step:
    given_tags = draw(st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2))
    return Step(
        f"tag {given_tags}", lambda function, moment: tags.tag(function, named(), given_tags, moment), revises=True
    )


def _reserve(draw: st.DrawFn) -> Step:
    number = draw(st.integers(0, 1000))
    return Step(f"reserve {number}", lambda function, moment: account_limits.reserve(function, named(), number, 100))


def _runtime(draw: st.DrawFn) -> Step:
    which = named(draw(st.sampled_from(QUALIFIERS)))
    request = {"UpdateRuntimeOn": "FunctionUpdate"}
    return Step(
        f"runtime {which.qualifier}",
        lambda function, moment: recursion_and_runtime.put_runtime(function, which, request),
    )


STEPS: dict[str, Callable[[st.DrawFn], Step]] = {
    "create": _create,
    "code": _code,
    "configure": _configure,
    "settle": _settle,
    "settle again": _settle,
    "publish": _publish,
    "delete": _delete,
    "alias": _alias,
    "delete alias": _delete_alias,
    "permission": _permission,
    "event-invoke": _event_invoke,
    "tag": _tag,
    "reserve": _reserve,
    "runtime": _runtime,
}


class Disk:
    """What would be stored, as text."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], str] = {}

    def keep(self, before: Function | None, after: Function | None) -> None:
        if before is None and after is None:
            return
        puts, deletes = as_documents.changes(before, after)
        self.documents.update({name: json.dumps(document) for name, document in puts.items()})
        for name in deletes:
            del self.documents[name]

    def read(self) -> Function | None:
        kinds: dict[str, dict[str, Any]] = {as_documents.FUNCTION: {}, as_documents.VERSION: {}}
        for (kind, key), text in self.documents.items():
            kinds[kind][key] = json.loads(text)
        return as_documents.functions(kinds[as_documents.FUNCTION], kinds[as_documents.VERSION], HERE).get("orders")


def revisions(function: Function | None) -> dict[str, str]:
    return {} if function is None else {each.number: each.revision for each in (function.latest, *function.versions)}


def check_sound(function: Function | None) -> None:
    if function is None:
        return
    numbers = [int(version.number) for version in function.versions]
    assert numbers == sorted(set(numbers))
    assert not numbers or numbers[-1] <= function.last_number
    every = [function.latest.revision, *(version.revision for version in function.versions)]
    every += [alias.revision for alias in function.aliases.values()]
    assert len(every) == len(set(every)), "a revision is one thing's alone"
    for alias in function.aliases.values():
        assert all(function.version(number) for number in (alias.version, *alias.weights))
    for qualifier in (*function.policies, *function.event_invokes, *function.runtime_management):
        assert function.resolve(qualifier) is not None, f"nothing is left of {qualifier}"


@pytest.mark.semantics("FUNC-05", "FUNC-20", "FUNC-36", "FUNC-37")
@settings(max_examples=count(200, 5000))
@given(st.lists(steps(), min_size=3, max_size=25))
def test_functions_keep_their_rules_under_any_calls(calls: list[Step]) -> None:
    """It is there at first, with one version; more of it comes and goes by the calls."""
    package = PACKAGES[0]
    function, _ = functions.create(None, named(), creation(Publish=True), package, Moment(0.0, "create"))
    assert function
    function = functions.settle(function, Moment(0.0, "settle"))
    disk = Disk()
    disk.keep(None, function)
    given_numbers, lives = {(1, "1")}, 1
    for index, step in enumerate(calls):
        before, text = function, json.dumps(list(disk.documents.items()))
        try:
            after, _ = step.decide(function, Moment(1_700_000_000.0 + index, str(index)))
        except ApiError:
            assert json.dumps(list(disk.documents.items())) == text
            assert function is None or answers.configuration(function, function.latest, ARN)
            continue
        disk.keep(before, after)
        assert disk.read() == after, "a restart shows the same"
        check_sound(after)
        lives += before is None and after is not None
        check_numbers(given_numbers, lives, before, after)
        check_revisions(step, before, after)
        function = after


def check_numbers(
    given_numbers: set[tuple[int, str]], lives: int, before: Function | None, after: Function | None
) -> None:
    """A number is given once in the life of a function."""
    old = {version.number for version in before.versions} if before else set()
    for version in after.versions if after else ():
        if version.number not in old:
            assert (lives, version.number) not in given_numbers
            given_numbers.add((lives, version.number))


def check_revisions(step: Step, before: Function | None, after: Function | None) -> None:
    """A version's revision never changes but when it is settled; `$LATEST`'s with each call that says so."""
    if before is None or after is None:
        return
    old, new = revisions(before), revisions(after)
    settled = {each.number for each in (before.latest, *before.versions) if each.phase.value != "active"}
    for number in (old.keys() & new.keys()) - {"$LATEST"}:
        changed = old[number] != new[number]
        assert changed is (step.name == "settle" and number in settled), (step, number)
    changed = old["$LATEST"] != new["$LATEST"]
    if step.name == "settle":
        assert changed is ("$LATEST" in settled)
    elif step.name.startswith("publish"):
        assert changed is (len(after.versions) > len(before.versions)), "a publication that is none changes nothing"
    else:
        assert changed is step.revises, step


@pytest.mark.semantics("FUNC-20")
@given(st.lists(st.sampled_from(PACKAGES), min_size=1, max_size=6))
def test_a_publication_is_one_exactly_when_something_changed(packages: list[Package]) -> None:
    function, _ = functions.create(None, named(), creation(), packages[0], Moment(0.0, "create"))
    published: list[str] = []
    for index, package in enumerate(packages):
        assert function
        function = functions.settle(function, Moment(0.0, f"settle {index}"))
        function = replace(function, latest=replace(function.latest, package=package))
        function, answer = versions.publish(function, named(), {}, Moment(0.0, f"publish {index}"))
        published.append(answer["CodeSha256"])
    assert function
    runs = [one for index, one in enumerate(published) if index == 0 or published[index - 1] != one]
    assert len(function.versions) == len(runs)
