"""From a queue's ARN to the URL that reaches it.

Emulators answer GetQueueUrl with the host they believe to be known by, which a sibling container or another machine
often cannot resolve. The path is right, so only scheme, host and port are replaced, by those of the endpoint that
answered. `aws.rewrite_queue_urls: false` switches it off.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..addresses import host_and_port
from ..errors import SourceRefused
from . import faults
from .endpoints import is_aws


def rewrite(url: str, endpoint: str | None) -> str:
    """`url` at the scheme, host and port of `endpoint`; unchanged when they agree, or when there is no endpoint or it
    is AWS itself, whose URLs are always right. A relative answer (a bare path) is completed."""
    if not endpoint or is_aws(endpoint):
        return url
    theirs, ours = urlsplit(url), urlsplit(endpoint)
    if theirs.scheme == ours.scheme and host_and_port(theirs) == host_and_port(ours):
        return url
    return urlunsplit((ours.scheme, _without_user(ours.netloc), theirs.path, theirs.query, ""))


def _without_user(netloc: str) -> str:
    return netloc.rpartition("@")[2]


async def resolve(client: Any, arn: str, endpoint: str | None, rewriting: bool = True) -> str:
    """The URL of the queue `arn`, from an SQS client.

    Raises SourceMissing when there is no such queue, SourceUnavailable when no answer comes, SourceRefused when it is
    no queue's ARN or access is denied.
    """
    account, name = _owner_and_name(arn)
    with faults.translating(f"find queue {arn}"):
        answer = await client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
    url = str(answer["QueueUrl"])
    return rewrite(url, endpoint) if rewriting else url


def _owner_and_name(arn: str) -> tuple[str, str]:
    parts = arn.split(":")
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "sqs" or not parts[5]:
        raise SourceRefused(
            f"{arn!r} is not the ARN of a queue: write it like arn:aws:sqs:us-east-1:000000000000:orders"
        )
    return parts[4], parts[5]
