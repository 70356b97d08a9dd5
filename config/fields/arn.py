"""Amazon resource names as values. A leaf: it knows their parts, and nothing of what any one service has for resources.

Emulators use regions of their own (ElasticMQ: `elasticmq`), so the region is any word, not a list of AWS's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ACCOUNT = re.compile(r"\d{12}")
_WORD = re.compile(r"[A-Za-z0-9-]+")
_PARTITION = re.compile(r"aws[A-Za-z0-9-]*")
_AWS_REGION = re.compile(r"(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-\d", re.ASCII)
_MADE_UP = re.compile(r"(arn:aws[A-Za-z0-9-]*:[A-Za-z0-9-]+:)([A-Za-z0-9-]+)(:.*)", re.DOTALL)

LOCAL_ACCOUNT, LOCAL_REGION = "000000000000", "us-east-1"
"""The emulators' values: defaults, when neither the settings nor the source give a value."""

EXAMPLE = "arn:aws:sqs:us-east-1:000000000000:orders"


def is_aws_region(text: str) -> bool:
    """Whether this has the form of AWS's regions. Emulators make others up."""
    return _AWS_REGION.fullmatch(text) is not None


def with_aws_region(text: str) -> str:
    """An ARN with a region of AWS's in the place of one that an emulator made up; any other text as it is."""
    found = _MADE_UP.fullmatch(text)
    return text if found is None or is_aws_region(found[2]) else f"{found[1]}us-east-1{found[3]}"


class ArnError(ValueError):
    """Text that is no ARN; the message says which part is wrong."""


@dataclass(frozen=True, slots=True)
class Arn:
    """`arn:partition:service:region:account:resource`; region and account may be empty (S3)."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Raises ArnError, which says which part is wrong."""
        parts = text.split(":", 5)
        if parts[0] != "arn":
            raise ArnError(f"is not an ARN: it must look like {EXAMPLE}")
        if len(parts) < 6:
            raise ArnError(f"is not a complete ARN: it has {len(parts)} of the 6 parts of {EXAMPLE}")
        arn = cls(*parts[1:])
        _check(arn)
        return arn

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @property
    def is_fifo(self) -> bool:
        """Whether a queue or a topic is FIFO: AWS has it in their names."""
        return self.resource.endswith(".fifo")

    def segment(self, index: int) -> str:
        """A part of the resource between slashes, counted from 0; empty where there is none."""
        parts = self.resource.split("/")
        return parts[index] if index < len(parts) else ""


@dataclass(frozen=True, slots=True)
class ArnForm:
    """What the ARNs of one service look like, beyond what all have in common."""

    service: str
    what: str
    """The word for the resource part in a message."""
    pattern: re.Pattern[str]
    words: str
    """The pattern for people."""

    def check(self, arn: Arn) -> None:
        """Raises ArnError for an ARN of this service that is not in its form; others are none of its business."""
        if arn.service != self.service:
            return
        if not arn.region or not arn.account:
            raise ArnError(f"has no region or no account, e.g. {EXAMPLE}")
        if not self.pattern.fullmatch(arn.resource):
            raise ArnError(f"has the {self.what} {arn.resource!r}: {self.words}")


def _check(arn: Arn) -> None:
    if not _PARTITION.fullmatch(arn.partition):
        raise ArnError(f"has the partition {arn.partition!r}, which must begin with 'aws'")
    if not _WORD.fullmatch(arn.service):
        raise ArnError(f"has the service {arn.service!r}, which must be a word such as 'sqs'")
    if arn.region and not _WORD.fullmatch(arn.region):
        raise ArnError(f"has the region {arn.region!r}, which must be a word such as 'us-east-1'")
    if arn.account and not _ACCOUNT.fullmatch(arn.account):
        raise ArnError(f"has the account {arn.account!r}, which must be 12 digits, e.g. 000000000000")
    if not arn.resource:
        raise ArnError("names no resource after the account")
