"""Which runtimes a function may be created with. Pure.

The list and its order are those of AWS's message. Another part checks whether this machine can run a runtime.
"""

from __future__ import annotations

from .refusals import invalid_parameter

CREATABLE = (
    *("nodejs20.x", "python3.14", "provided.al2023", "python3.12", "python3.13", "nodejs24.x", "nodejs22.x"),
    *("java25", "python3.10", "python3.11", "java21", "ruby3.3", "ruby3.4", "ruby3.2", "python3.8", "python3.9"),
    *("java17", "nodejs16.x", "dotnet10", "dotnet8", "java11", "dotnet6", "nodejs18.x", "provided.al2", "java8.al2"),
)

RETIRED = frozenset(
    {
        *("nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x"),
        *("nodejs14.x", "java8", "python2.7", "python3.6", "python3.7", "go1.x", "ruby2.5", "ruby2.7", "provided"),
        *("dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1"),
    }
)


def check(runtime: str) -> None:
    """Raises ApiError: retired, or unknown (case-sensitive)."""
    if runtime in RETIRED:
        raise invalid_parameter(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions."
        )
    if runtime not in CREATABLE:
        raise invalid_parameter(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(CREATABLE)}] or be a valid ARN"
        )
