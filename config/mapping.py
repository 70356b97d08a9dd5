"""One event source mapping: the user's settings, and what follows from them for its kind of source.

The fields are in `fields/mapping_fields.py`, what differs from kind to kind in `kinds/`. Used by all code that serves a
mapping.
"""

from __future__ import annotations

import hashlib
import uuid as uuids

from pydantic import field_validator

from .errors import BugError
from .fields.arn import LOCAL_ACCOUNT, LOCAL_REGION, Arn
from .fields.mapping_fields import MappingFields, bounded, is_given, split_function
from .fields.mapping_limits import POLLERS_MAX
from .kinds import table
from .kinds.profile import SourceKind

__all__ = ["EventSourceMapping", "derive_uuid", "is_given", "split_function"]


class EventSourceMapping(MappingFields):
    """One mapping: a source, the function that its records go to, and how."""

    @field_validator("source")
    @classmethod
    def _in_its_form(cls, source: str) -> str:
        if source:
            table.check_form(Arn.parse(source))
        return source

    @property
    def kind(self) -> SourceKind | None:
        """The kind of source; None for one that Headrace knows nothing of."""
        return table.kind_of(self)

    @property
    def profile(self) -> SourceKind:
        """The kind of source of a mapping that breaks no rule."""
        kind = self.kind
        if kind is None:
            raise BugError(f"mapping {self.name} has a source that the rules should have refused: {self.source}")
        return kind

    def function_arn(self, account: str | None = None, region: str | None = None) -> str:
        """The function's ARN as in the mapping; for a name, without its qualifier. `account` takes precedence over
        the source's; `region` is used for a source that has none. The last resort are the emulators' defaults."""
        if self.function.startswith("arn:"):
            return self.function
        arn = self.arn or Arn("aws", "lambda", region or LOCAL_REGION, LOCAL_ACCOUNT, "")
        return f"arn:{arn.partition}:lambda:{arn.region}:{account or arn.account}:function:{self.function_name}"

    @property
    def batch_limit(self) -> int:
        """Records per batch, the source's default included."""
        default = self.kind.limits.batch_size if self.kind else 0
        return self.batch_size or default

    @property
    def window(self) -> float:
        """Seconds of the batching window, the source's default included."""
        given = self.maximum_batching_window_in_seconds
        default = self.kind.limits.window if self.kind else 0
        return default if given is None else given

    @property
    def retries(self) -> int | None:
        """Attempts after the first; None for no end."""
        given = bounded(self.maximum_retry_attempts)
        if given is None and self.kind and self.has_failure_destination:
            return self.kind.retries_with_destination
        return given

    @property
    def pollers(self) -> tuple[int, int] | None:
        """Pollers in provisioned mode, at least and at most; None without it."""
        given = self.provisioned_poller_config
        if given is None or not is_given(given) or self.kind is None:
            return None
        least = given.minimum_pollers or self.kind.pollers_min
        return least, given.maximum_pollers or max(least, POLLERS_MAX)

    @property
    def place(self) -> str:
        """Where the records come from, for people: an ARN, or brokers and topic."""
        return self.kind.place(self) if self.kind else self.source


def derive_uuid(account: str, region: str, name: str) -> str:
    """The identity of a configured mapping: the same after a restart and on a second host, and shaped like a random
    (version 4) UUID, because clients check that shape."""
    digest = hashlib.sha256(f"{account}\0{region}\0{name}".encode()).digest()
    return str(uuids.UUID(bytes=digest[:16], version=4))
