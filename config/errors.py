"""The product's exceptions, split by who is to blame. Imports nothing of ours but reasons, which are a leaf.

    HeadraceError
    ├── ConfigError            the user: every problem of a configuration, at once
    ├── SourceError            outside: a queue or stream did not do what was asked
    │   ├── SourceUnavailable      passing; try again with back-off
    │   ├── SourceMissing          it does not exist (yet, or any more); wait for it, visibly
    │   └── SourceRefused          it will not work however often we ask (permission, wrong kind)
    └── BugError               ours: a state that cannot be; the message says which rule broke

What an invocation can end in is not here: expected failures are values (`dispatch.core.model.Outcome`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from .reasons import Reason, ReasonCode


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration: its place, what is wrong, and what to do."""

    what: str
    path: str = ""
    """Where inside the document, e.g. `mappings.orders.batch_size`; empty for the document as a whole."""
    file: str = ""
    line: int | None = None
    """One-based; None where the problem has no line (a flag, an environment variable)."""
    hint: str = ""
    """What to do, e.g. `did you mean 'batch_size'?`."""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part)
        subject = f"{self.path}: {self.what}" if self.path else self.what
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {subject}{hint}" if place else f"{subject}{hint}"


class HeadraceError(Exception):
    """Base of everything that Headrace raises on purpose."""


class ConfigError(HeadraceError):
    """The user's request cannot be done; `problems` has every reason, in document order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def reason(self) -> Reason:
        """All of it in one line."""
        return Reason(ReasonCode.MISCONFIGURED, "; ".join(str(problem) for problem in self.problems))


class SourceError(HeadraceError):
    """A call to a queue or stream failed. `reason` says why."""

    usual: ClassVar[ReasonCode] = ReasonCode.UNAVAILABLE
    """The code of a reason that is told no other."""

    def __init__(self, text: str, code: ReasonCode | None = None) -> None:
        super().__init__(text)
        self.reason = Reason(code or self.usual, text)

    @classmethod
    def because(cls, reason: Reason) -> Self:
        """For a reason that arose elsewhere."""
        return cls(reason.text, reason.code)


class SourceUnavailable(SourceError):
    """A temporary failure (network, throttling, 5xx): try again with back-off."""


class SourceMissing(SourceError):
    """The queue or stream does not exist: wait for it, visibly."""

    usual = ReasonCode.MISSING


class SourceRefused(SourceError):
    """The source refuses us for good (permission, wrong kind): say so, and ask again rarely."""

    usual = ReasonCode.REFUSED


class BugError(HeadraceError):
    """A state that the design rules out."""
