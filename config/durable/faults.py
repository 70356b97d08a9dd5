"""What a file of the state directory can refuse, whatever it stores."""

from __future__ import annotations

from ..errors import ConfigError, SourceUnavailable
from ..reasons import ReasonCode


class UnusableState(ConfigError):
    """A file of the state directory is newer than this version, damaged, or not ours. It was left as it is."""


class StoreUnavailable(SourceUnavailable):
    """Nothing could be read or written just now (a full disk, say). Nothing of the request was stored."""

    usual = ReasonCode.STATE_UNAVAILABLE
