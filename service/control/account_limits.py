"""Reserved concurrency, and the limits and usage of an account. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .model import Answer, Decision, Function, Package, existing, not_found
from .names import Named, unqualified
from .refusals import unsupported

CONCURRENT = 1000
"""Executions of an account at once."""
UNRESERVED_MIN = 100
"""Minimum part of these for functions without reserved concurrency."""
ZIPPED_MAX = 52_428_800
"""Bytes of a zip."""
UNZIPPED_MAX = 262_144_000
"""Bytes of a package, unpacked; with the layers of its function."""
TOTAL_MAX = 80_530_636_800
"""Bytes of all zips. Shown, not enforced: the disk says when it is full."""


def reserve(function: Function | None, named: Named, number: int, others: int) -> Decision:
    """`others`: the sum of the other functions' reserved concurrency."""
    unqualified(named)
    if function is None:
        raise not_found(named.explicit)
    if CONCURRENT - others - number < UNRESERVED_MIN:
        raise unsupported(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{UNRESERVED_MIN}]."
        )
    return replace(function, reserved=number), {"ReservedConcurrentExecutions": number}


def free(function: Function | None, named: Named) -> Decision:
    unqualified(named)
    return replace(existing(function, named), reserved=None), {}


def reserved(function: Function | None, named: Named) -> Answer:
    unqualified(named)
    number = existing(function, named).reserved
    return {} if number is None else {"ReservedConcurrentExecutions": number}


def account(functions: Iterable[Function], layers: Iterable[Package] = ()) -> Answer:
    """`layers`: the packages of all versions of layers."""
    every = list(functions)
    sizes = [version.package.size for each in every for version in (each.latest, *each.versions)]
    sizes += [package.size for package in layers]
    return {
        "AccountLimit": {
            "TotalCodeSize": TOTAL_MAX,
            "CodeSizeUnzipped": UNZIPPED_MAX,
            "CodeSizeZipped": ZIPPED_MAX,
            "ConcurrentExecutions": CONCURRENT,
            "UnreservedConcurrentExecutions": CONCURRENT - sum(each.reserved or 0 for each in every),
        },
        "AccountUsage": {"TotalCodeSize": sum(sizes), "FunctionCount": len(every)},
    }
