"""All forms of a function's name: name, partial or full ARN, with or without a qualifier. Pure.

orders   orders:3   function:orders   000000000000:function:orders:live
arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .catalogue import LATEST
from .refusals import ApiError, access_denied, invalid_parameter, no_such_resource

NAME_MAX = 64

_ARN = re.compile(
    r"arn:(?:aws[a-zA-Z-]*)?:lambda:(?P<region>[a-zA-Z0-9-]+):(?P<account>\d{12}):function:(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
"""A full ARN, whose region may be any word."""
_SPELLING = re.compile(
    r"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True, slots=True)
class Home:
    """The region and account of the functions."""

    region: str
    account: str

    def arn(self, name: str) -> str:
        """A function's, unqualified."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{name}"

    def layer_arn(self, name: str) -> str:
        """A layer's, without a version."""
        return f"arn:aws:lambda:{self.region}:{self.account}:layer:{name}"


@dataclass(frozen=True, slots=True)
class Named:
    """The function of a call, with a version or alias if the call names one."""

    name: str
    qualifier: str
    """The qualifier of the request: `$LATEST`, a number, an alias's name; empty where none was given."""
    arn: str
    """Unqualified."""

    @property
    def qualified(self) -> str:
        """The ARN with the qualifier as asked; without one when none was asked for."""
        return with_qualifier(self.arn, self.qualifier)

    @property
    def explicit(self) -> str:
        """The ARN with the qualifier that is meant."""
        return f"{self.arn}:{self.qualifier or LATEST}"


def with_qualifier(arn: str, qualifier: str) -> str:
    return f"{arn}:{qualifier}" if qualifier else arn


def resolve(text: str, here: Home, qualifier: str = "") -> Named:
    """The function that a request's `FunctionName` and `Qualifier` mean. Raises ApiError, in AWS's order: qualifiers
    that disagree, another region, another account."""
    found = _ARN.fullmatch(text) or _SPELLING.fullmatch(text)
    if found is None:  # the shapes have let it through, so some form of it is legal elsewhere
        raise no_such_resource(f"Function not found: {here.arn(text)}")
    derived = found["qualifier"] or ""
    if derived and qualifier and derived != qualifier:
        raise invalid_parameter("The derived qualifier from the function name does not match the specified qualifier.")
    if found["region"] not in (None, here.region):
        raise no_such_resource(f"Functions from '{found['region']}' are not reachable in this region ('{here.region}')")
    if found["account"] not in (None, here.account):
        raise access_denied()
    return Named(found["name"], qualifier or derived, here.arn(found["name"]))


def too_long(name: str) -> ApiError | None:
    """Only the creation of a function reports this error; other calls do not find such a function."""
    if len(name) <= NAME_MAX:
        return None
    return invalid_parameter(
        f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
        f"Member must have length less than or equal to {NAME_MAX}"
    )


def unqualified(named: Named, *, latest: bool = False) -> None:
    """Check for calls on functions as a whole. `latest`: whether `$LATEST` is allowed. Raises ApiError."""
    if named.qualifier and not (latest and named.qualifier == LATEST):
        raise invalid_parameter(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
            "Please specify either a function name or an unqualified function ARN."
        )
