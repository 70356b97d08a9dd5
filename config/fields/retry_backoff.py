"""How long to wait before a batch is invoked again: for one mapping, or for all that say nothing. A leaf."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from .spoken import Spoken

BASE, CAP = 0.5, 30.0
"""Seconds. AWS publishes no numbers; these fit the observed eight calls in a minute."""


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number of seconds")
    return value


_Seconds = Annotated[float, Field(ge=0.01, le=3600, allow_inf_nan=False), BeforeValidator(_no_boolean)]


class RetryBackoff(Spoken):
    """The pause before a batch is invoked again, after a failure or a throttle. It doubles with each failure in a row,
    and is reduced at random by up to half."""

    base: _Seconds = Field(BASE, alias="base")
    """Seconds after the first failure."""
    cap: _Seconds = Field(CAP, alias="cap")
    """Maximum seconds."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.cap < self.base:
            raise ValueError(f"has the cap {self.cap:g}, which is below the base {self.base:g}: give a larger cap")
        return self
