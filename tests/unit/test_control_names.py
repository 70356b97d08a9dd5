"""Every spelling of a function's name, and what is said of those that do not fit."""

from __future__ import annotations

import pytest

from headrace.service.api.wire.refusals import form_of
from headrace.service.control.names import Home, Named, resolve, too_long, unqualified
from headrace.service.control.refusals import ApiError

HERE = Home("us-east-1", "000000000000")
ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


@pytest.mark.semantics("FUNC-01")
@pytest.mark.parametrize(
    ("text", "name", "qualifier"),
    [
        ("orders", "orders", ""),
        ("orders:3", "orders", "3"),
        ("orders:$LATEST", "orders", "$LATEST"),
        ("function:orders", "orders", ""),
        ("function:orders:live", "orders", "live"),
        ("000000000000:function:orders", "orders", ""),
        ("000000000000:function:orders:live", "orders", "live"),
        ("000000000000:orders", "orders", ""),
        (ARN, "orders", ""),
        (f"{ARN}:live", "orders", "live"),
        (f"{ARN}:$LATEST", "orders", "$LATEST"),
        ("arn:aws:lambda:us-east-1:000000000000:function", "function", ""),
        ("function", "function", ""),
        ("function:3", "3", ""),
        ("000000000000", "000000000000", ""),
        ("a.b", "a.b", ""),
    ],
)
def test_every_spelling_of_a_name(text: str, name: str, qualifier: str) -> None:
    assert resolve(text, HERE) == Named(name, qualifier, HERE.arn(name))


@pytest.mark.semantics("FUNC-02")
def test_a_qualifier_may_stand_in_both_places_when_they_agree() -> None:
    assert resolve("orders:live", HERE, "live").qualifier == "live"
    assert resolve("orders", HERE, "live").qualified == f"{ARN}:live"
    assert resolve("orders", HERE).qualified == ARN
    assert resolve("orders", HERE).explicit == f"{ARN}:$LATEST"
    with pytest.raises(ApiError) as refused:
        resolve("orders:live", HERE, "3")
    assert refused.value.code == "InvalidParameterValueException"
    assert (
        refused.value.message == "The derived qualifier from the function name does not match the specified qualifier."
    )


@pytest.mark.semantics("FUNC-03")
@pytest.mark.parametrize("text", ["a b", f"{ARN}:1:2", "arn:aws:sqs:us-east-1:000000000000:orders"])
def test_what_is_no_name_is_not_found(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        resolve(text, HERE)
    assert (refused.value.code, refused.value.message) == (
        "ResourceNotFoundException",
        f"Function not found: {HERE.arn(text)}",
    )


@pytest.mark.semantics("FUNC-03")
def test_functions_of_other_regions_and_accounts_are_not_reached() -> None:
    with pytest.raises(ApiError) as refused:
        resolve(ARN.replace("us-east-1", "eu-west-1"), HERE)
    assert (refused.value.code, refused.value.message) == (
        "ResourceNotFoundException",
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    )
    with pytest.raises(ApiError) as refused:
        resolve(ARN.replace("000000000000", "111111111111"), HERE)
    assert (refused.value.code, refused.value.message, form_of(refused.value).status) == (
        "AccessDeniedException",
        None,
        403,
    )


@pytest.mark.semantics("API-22")
def test_a_function_is_found_in_a_region_that_is_none_of_awss() -> None:
    local = Home("local", "000000000000")
    arn = local.arn("orders")
    assert resolve(f"{arn}:live", local) == Named("orders", "live", arn)
    with pytest.raises(ApiError, match=r"Functions from 'us-east-1' are not reachable in this region \('local'\)"):
        resolve(ARN, local)
    with pytest.raises(ApiError, match=r"Functions from 'local' are not reachable in this region \('us-east-1'\)"):
        resolve(arn, HERE)


def test_qualifiers_that_disagree_come_before_the_region() -> None:
    with pytest.raises(ApiError, match="derived qualifier"):
        resolve(f"{ARN.replace('us-east-1', 'eu-west-1')}:live", HERE, "3")


@pytest.mark.semantics("FUNC-04")
def test_a_name_over_64_characters_is_refused_in_these_words() -> None:
    assert too_long("a" * 64) is None
    refused = too_long("a" * 65)
    assert refused
    assert refused.code == "InvalidParameterValueException"
    assert refused.message == (
        f"1 validation error detected: Value '{'a' * 65}' at 'functionName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64"
    )


def test_what_concerns_whole_functions_takes_no_qualifier() -> None:
    unqualified(resolve("orders", HERE))
    unqualified(resolve("orders:$LATEST", HERE), latest=True)
    for text, latest in (("orders:$LATEST", False), ("orders:3", True)):
        with pytest.raises(ApiError, match="This operation is permitted on Lambda functions only"):
            unqualified(resolve(text, HERE), latest=latest)
