"""What callers of the API are told of the daemon's settings."""

from __future__ import annotations

import pytest

from headrace.config.clients.endpoints import RefusedEndpoint, decide
from headrace.config.errors import ConfigError, Problem
from headrace.service.control.advice import of_settings


@pytest.mark.semantics("API-23")
def test_what_lies_in_the_settings_is_said_to_lie_there() -> None:
    refused = decide("sqs", None, real=False)
    assert isinstance(refused, RefusedEndpoint)
    assert of_settings(ConfigError([refused.problem])) == (
        "sqs has no endpoint, so its calls would reach real AWS, where Headrace would read, delete and write real "
        "data. The operator of Headrace can change that: name the emulator in aws.endpoint_url or AWS_ENDPOINT_URL; "
        "to allow real AWS, set aws.real: true or give --real-aws."
    )


def test_several_problems_are_said_once_each() -> None:
    assert of_settings(ConfigError([Problem("a", hint="x"), Problem("b", hint="x")])) == (
        "a; b. The operator of Headrace can change that: x."
    )
    assert of_settings(ConfigError([Problem("a")])) == "a."
