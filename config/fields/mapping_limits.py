"""Numbers of AWS, and of ours, that are the same for every kind of source, and the fields that are only recorded.

What differs from kind to kind is in `kinds/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Support(Enum):
    """The support of a field."""

    HONOURED = "honoured"
    REFUSED = "refused"  # AWS has no such parameter for the source
    RECORDED = "recorded"  # kept and echoed, without a local effect


RECEIVERS_DEFAULT = 5
"""Receivers of a queue where neither the mapping nor the function gives a number (AWS starts with five too)."""
POLLERS_MIN, POLLERS_MAX = 1, 200
"""Pollers in provisioned mode where the mapping gives no number. A kind of source may have more at least."""
NO_SHARE_GROUPS = "it needs a share group of Kafka, and this version has consumer groups only; say Stream, or remove it"
NO_WEB_IDENTITY = (
    "it needs a web identity token that AWS gives to a function's role, and no role is assumed here; give "
    "OAUTHBEARER_AUTH with a client of your identity provider"
)
RECEIVERS_OF_A_POLLER = 10
"""Batches that a queue's poller has in flight at most; here each is a receiver's."""
FILTERS_QUOTA = 5
FILTERS_MAX = 10
"""AWS's quota is 5 filters, and on request up to 10."""

RECORDED: Mapping[str, str] = MappingProxyType(
    {
        "kms_key_arn": "filters are not encrypted at rest locally",
        "tags": "nothing local reads them",
    }
)
"""The closed list of fields that are kept without effect, each with its reason."""
