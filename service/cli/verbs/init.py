"""`headrace init`: a commented configuration and a function to start from. Nothing is overwritten."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ....dispatch.core.observer import Observer
from ...wiring.exits import Exit, UsageError
from .tables import show

CONFIG = """\
# Takes records from queues and streams to functions. `headrace check` checks this file, `headrace run` runs it.

aws:
  # The emulator. Standard variables (AWS_ENDPOINT_URL, AWS_REGION, AWS_PROFILE, …) are understood too.
  endpoint_url: "${AWS_ENDPOINT_URL:-http://localhost:4566}"
  region: us-east-1

functions:
  hello:
    runtime: python               # runs on this machine; or: command, external, invoke, http
    handler: app.handler          # module.function
    code: ./functions/hello
    timeout: 30                   # seconds
    concurrency: 4                # invocations at once, each in a process of its own
    environment:
      STAGE: dev

mappings:
  hello-queue:
    source: "arn:aws:sqs:us-east-1:000000000000:hello"   # Headrace waits until it exists
    function: hello
    batch_size: 10
    function_response_types: [ReportBatchItemFailures]   # the function reports the failed messages
    # Only these reach the function; all others are deleted from the queue:
    # filter_criteria:
    #   filters:
    #     - pattern: {body: {type: [created]}}

  # A stream (Kinesis, or a DynamoDB table's) has a starting position, and a policy for failed records:
  # clicks:
  #   source: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
  #   function: clicks
  #   starting_position: TRIM_HORIZON       # or LATEST
  #   maximum_retry_attempts: 3
  #   bisect_batch_on_function_error: true
  #   destination_config: {on_failure: {destination: "arn:aws:sqs:us-east-1:000000000000:failed-clicks"}}
"""

FUNCTION = '''\
"""Prints each message. Messages that are named in the answer come back; the others are deleted."""


def handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            print(record["body"])
        except Exception:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
'''

FILES = {"headrace.yaml": CONFIG, "functions/hello/app.py": FUNCTION}


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    directory = Path(arguments.directory)
    there = [name for name in FILES if (directory / name).exists()]
    if there:
        raise UsageError(f"{' and '.join(there)} exist in {directory}: nothing was written; name another directory")
    try:
        for name, text in FILES.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            show(f"wrote {path}")
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from error
    show("next: headrace check, then headrace run")
    return Exit.OK
