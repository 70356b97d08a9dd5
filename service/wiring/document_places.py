"""Where failure documents are: files, standard input, buckets and queues. Reads them, and deletes those of a queue that
were replayed.

A file holds one document, or one in each line. A topic's documents are in a queue that the topic feeds; SNS's envelope
around them is taken off where they are read (`dispatch/core/found_documents.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clients.endpoints import LocalEndpoint
from ...config.clients.queue_urls import resolve
from ...config.errors import HeadraceError

STDIN = "-"
BUCKET = "s3://"
QUEUE = "arn:"
HIDDEN = 900
"""Seconds for which a queue hides the documents that are replayed."""
MOST = 10_000
"""Documents of one queue that one replay takes; the rest stays for the next."""
LARGEST = 64 * 1024 * 1024
"""Bytes of one document."""


@dataclass(frozen=True, slots=True)
class DocumentText:
    """One document, as it was found."""

    name: str
    text: str
    receipt: str = ""
    """The receipt of the message that holds it."""
    queue: str = ""
    """Its ARN; empty for what is in no queue."""


class DocumentPlaces:
    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def gather(self, places: Sequence[str]) -> list[DocumentText]:
        """Raises HeadraceError for a place that cannot be read."""
        found: list[DocumentText] = []
        for place in places:
            if place.startswith(BUCKET):
                found += [each async for each in self._of_bucket(place)]
            elif place.startswith(QUEUE):
                found += [each async for each in self._of_queue(place)]
            else:
                found += _of_file(place)
        return found

    async def delete(self, documents: Sequence[DocumentText]) -> int:
        """Delete those that are in a queue, and return how many were. A message whose receipt is too old stays."""
        deleted = 0
        for each in documents:
            if each.receipt:
                client, url = await self._queue(each.queue)
                with faults.translating(f"delete a document of {each.queue}"):
                    await client.delete_message(QueueUrl=url, ReceiptHandle=each.receipt)
                deleted += 1
        return deleted

    # --- buckets ----------------------------------------------------------------------------------------------------

    async def _of_bucket(self, place: str) -> AsyncIterator[DocumentText]:
        """One object, or all under a prefix that ends in `/`."""
        bucket, _, key = place.removeprefix(BUCKET).partition("/")
        client = await self._clients.get("s3")
        keys = [key] if key and not key.endswith("/") else [each async for each in _keys(client, bucket, key)]
        for each in keys:
            name = f"{BUCKET}{bucket}/{each}"
            with faults.translating(f"read {name}"):
                answer = await client.get_object(Bucket=bucket, Key=each)
                if int(answer.get("ContentLength", 0)) > LARGEST:
                    raise HeadraceError(f"{name} is larger than any failure document")
                async with answer["Body"] as body:
                    content = await body.read()
            yield DocumentText(name, content.decode("utf-8", "replace"))

    # --- queues -----------------------------------------------------------------------------------------------------

    async def _of_queue(self, arn: str) -> AsyncIterator[DocumentText]:
        client, url = await self._queue(arn)
        number = empty = 0
        while empty < 2 and number < MOST:
            with faults.translating(f"receive from {arn}"):
                answer = await client.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=HIDDEN
                )
            messages = answer.get("Messages") or []
            empty = 0 if messages else empty + 1
            for message in messages:
                number += 1
                yield DocumentText(message["MessageId"], message["Body"], message["ReceiptHandle"], arn)

    async def _queue(self, arn: str) -> tuple[Any, str]:
        parts = arn.split(":")
        region = parts[3] if len(parts) > 3 else None
        client = await self._clients.get("sqs", region=region or None)
        target = await self._clients.target("sqs")
        endpoint = target.url if isinstance(target, LocalEndpoint) else None
        return client, await resolve(client, arn, endpoint, self._clients.settings.rewrite_queue_urls)


async def _keys(client: Any, bucket: str, prefix: str) -> AsyncIterator[str]:
    more: dict[str, str] = {}
    while True:
        with faults.translating(f"list {BUCKET}{bucket}/{prefix}"):
            answer = await client.list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
        for each in answer.get("Contents") or []:
            yield str(each["Key"])
        if not answer.get("IsTruncated"):
            return
        more = {"ContinuationToken": answer["NextContinuationToken"]}


def _of_file(place: str) -> list[DocumentText]:
    try:
        text = sys.stdin.read() if place == STDIN else Path(place).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise HeadraceError(f"cannot read the document {place}: {error}") from error
    name = "standard input" if place == STDIN else place
    if _is_json(text):
        return [DocumentText(name, text)]
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return [DocumentText(f"{name}:{number}", line) for number, line in lines]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
