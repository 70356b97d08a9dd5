"""A function as immutable values. Pure; the effects of calls are in the modules
beside, and `control/store/function_plane.py` alone keeps functions.

    Function ── latest: Version      $LATEST, which updates change
             ├─ before: Version      the previous $LATEST, while an update is in progress
             ├─ versions: Version…   frozen by PublishVersion
             ├─ aliases, policies, event_invokes, …

    CREATING ──settled──► ACTIVE ──update──► UPDATING ──settled──► ACTIVE
                          ▲    │ its code is lost
                          │    ▼
       its code is back ──┴─ FAILED ──update of the code──► UPDATING
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, assert_never

from .catalogue import LATEST
from .names import Named
from .refusals import ApiError, conflict, no_such_resource, precondition_failed


class Phase(Enum):
    """The state of a version, which stands for AWS's `State` and `LastUpdateStatus` together."""

    CREATING = "creating"  # Pending, no update status
    ACTIVE = "active"  # Active, Successful
    UPDATING = "updating"  # Active, InProgress
    FAILED = "failed"  # Failed: its code is lost. Never stored: it follows from the files on the disk


@dataclass(frozen=True, slots=True)
class Package:
    """A deployment package."""

    sha256: str
    """The hash of the zip, in hexadecimal."""
    size: int
    """Bytes of the zip."""
    kms_key: str = ""
    """Recorded."""
    unzipped: int = 0
    """Bytes of its files; 0 where nobody counted them."""
    directory: str = ""
    """A directory of the user's that is run as it stands, in place of a zip; then `sha256` is of this path."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version: its code and configuration."""

    number: str
    """`$LATEST`, or from 1 on."""
    package: Package
    configuration: Mapping[str, Any]
    """The members of AWS's FunctionConfiguration, as shown; members that are not configured are absent."""
    modified: str
    revision: str
    phase: Phase = Phase.ACTIVE
    layers: tuple[Package, ...] = ()
    """The content of the configuration's `Layers`, in their order."""

    @property
    def hashes(self) -> frozenset[str]:
        """The hashes of all stored code that it needs."""
        return frozenset(each.sha256 for each in (self.package, *self.layers) if not each.directory)


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a version, or for two of them by weight."""

    name: str
    version: str
    description: str
    revision: str
    weights: Mapping[str, float] = field(default_factory=dict)
    """How often a further version is taken instead, by its number; at most one."""

    def pick(self, draw: float) -> str:
        """The version for one invocation; `draw` in [0, 1)."""
        for version, weight in self.weights.items():
            if draw < weight:
                return version
        return self.version


@dataclass(frozen=True, slots=True)
class EventInvoke:
    """How asynchronous invocations of one qualifier are delivered."""

    settings: Mapping[str, Any]
    """`MaximumRetryAttempts` and `MaximumEventAgeInSeconds` where set, `DestinationConfig` always with both members."""
    modified: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """The resource policy of one qualifier. Stored and shown, not enforced."""

    statements: tuple[Mapping[str, Any], ...]
    revision: str


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    arn: str
    """Unqualified."""
    latest: Version
    before: Version | None = None
    versions: tuple[Version, ...] = ()
    """Ascending."""
    last_number: int = 0
    """The highest number ever used: numbers are not used again."""
    published: str = ""
    """A digest of the last publication; empty when there was none, or when that version is gone."""
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    reserved: int | None = None
    event_invokes: Mapping[str, EventInvoke] = field(default_factory=dict)
    """By qualifier, `$LATEST` where none was given."""
    policies: Mapping[str, ResourcePolicy] = field(default_factory=dict)
    """By qualifier, empty for the function's own."""
    tags: Mapping[str, str] = field(default_factory=dict)
    recursion: str = "Terminate"
    runtime_management: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By version."""

    def version(self, number: str) -> Version | None:
        if number in ("", LATEST):
            return self.latest
        return next((each for each in self.versions if each.number == number), None)

    def resolve(self, qualifier: str, draw: float = 1.0) -> Version | None:
        """The version that a qualifier stands for."""
        alias = self.aliases.get(qualifier)
        return self.version(alias.pick(draw) if alias else qualifier)

    @property
    def packages(self) -> frozenset[str]:
        """Hashes of all stored code of the function."""
        every = (self.latest, *self.versions, *((self.before,) if self.before else ()))
        return frozenset().union(*(each.hashes for each in every))

    @property
    def settling(self) -> bool:
        """Whether time alone will change it."""
        return any(each.phase in (Phase.CREATING, Phase.UPDATING) for each in (self.latest, *self.versions))


Answer = Mapping[str, Any]
"""The answer of a call, by the members of its output."""

Decision = tuple[Function | None, Answer]
"""The function after a call (None: deleted), and the answer."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a call, and the randomness that it may use."""

    now: float
    """Seconds since the epoch."""
    seed: str
    """Different for every call."""

    def id(self, number: int = 0) -> str:
        """A UUID of this moment's own, one for each number."""
        return str(uuid.UUID(bytes=hashlib.sha256(f"{self.seed}/{number}".encode()).digest()[:16], version=4))

    @property
    def stamp(self) -> str:
        """The time in the form of `LastModified`."""
        return datetime.fromtimestamp(self.now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def not_found(arn: str) -> ApiError:
    return no_such_resource(f"Function not found: {arn}")


def existing(function: Function | None, named: Named) -> Function:
    """Raises ApiError, with the ARN as asked."""
    if function is None:
        raise not_found(named.qualified)
    return function


def asked(function: Function | None, named: Named) -> tuple[Function, Version]:
    """The function, and the version of it that was asked for. Raises ApiError."""
    function = existing(function, named)
    version = function.resolve(named.qualifier)
    if version is None:
        raise not_found(named.qualified)
    return function, version


def missing_qualifier(named: Named) -> ApiError:
    """AWS names a version that is missing differently from an alias."""
    if named.qualifier.isdigit() or "$" in named.qualifier:
        return not_found(named.qualified)
    return no_such_resource(f"Cannot find alias arn: {named.qualified}")


def expect_revision(given: str | None, actual: str) -> None:
    """Raises ApiError when the caller's revision is not the current one."""
    if given is not None and given != actual:
        raise precondition_failed()


def expect_settled(function: Function, *, or_failed: bool = False) -> None:
    """Check for calls that change or freeze code or configuration; `or_failed`: where the call may be the cure. Raises
    ApiError."""
    match function.latest.phase:
        case Phase.CREATING:
            raise _in_state("Pending")
        case Phase.UPDATING:
            raise conflict(
                f"The operation cannot be performed at this time. An update is in progress for resource: {function.arn}"
            )
        case Phase.FAILED:
            if not or_failed:
                raise _in_state("Failed")
        case Phase.ACTIVE:
            return
        case _:
            assert_never(function.latest.phase)


def _in_state(state: str) -> ApiError:
    return conflict(
        f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
    )
