"""Failures of a file of the state directory, whatever it stores."""

from __future__ import annotations

from ..errors import ConfigError, SourceUnavailable
from ..reasons import ReasonCode


class UnusableState(ConfigError):
    """A file of the state directory is newer than this version, damaged, or not ours. It was left as it is."""


class StoreUnavailable(SourceUnavailable):
    """Reading or writing is not possible at the moment (for example, a full disk). Nothing of the request was
    stored."""

    usual = ReasonCode.STATE_UNAVAILABLE
