"""Questions to an SQS server, one function each, about what matters to a poller. Used by the table of quirks only.

A probe gets a lab on a fresh set of queues and returns what it saw as a plain value. It asserts nothing: what AWS does,
and where an emulator differs, stands in tests/integration/test_sqs_quirks.py.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .eventually import eventually

SOON = 5
"""Seconds of a long poll that should find something, on a machine that is busy."""
LONG_AGO = 1_600_000_000_000
"""A time in milliseconds that any real clock is past, and that no clock in seconds reaches."""


class Lab:
    """A client of one server, and queues with names of their own."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        # Without `proxies` it would read the whole environment, which pytest changes while probes run in threads.
        config = Config(retries={"max_attempts": 1}, read_timeout=40, tcp_keepalive=True, proxies={})
        self.client: Any = boto3.client("sqs", endpoint_url=endpoint, region_name="us-east-1", config=config)

    def close(self) -> None:
        self.client.close()

    def queue(self, *, fifo: bool = False, **attributes: object) -> str:
        wanted = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}
        if fifo:
            wanted |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        name = f"probe-{uuid.uuid4().hex[:12]}{'.fifo' if fifo else ''}"
        url: str = self.client.create_queue(QueueName=name, Attributes=wanted)["QueueUrl"]
        return url

    def arn(self, url: str) -> str:
        return str(self.attributes(url, "QueueArn")["QueueArn"])

    def attributes(self, url: str, *names: str) -> dict[str, str]:
        found: dict[str, str] = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return found

    def send(self, url: str, *bodies: str, group: str | None = None, **more: Any) -> None:
        if group is not None:
            more["MessageGroupId"] = group
        for body in bodies:
            self.client.send_message(QueueUrl=url, MessageBody=body, **more)

    def receive(self, url: str, limit: int = 10, wait: int = 0, **more: Any) -> list[dict[str, Any]]:
        reply = self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=limit, WaitTimeSeconds=wait, **more)
        messages: list[dict[str, Any]] = reply.get("Messages", [])
        return messages

    def release(self, url: str, message: dict[str, Any]) -> None:
        self.client.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)

    def refused(self, operation: str, **parameters: Any) -> str:
        """The error code of a call, or "accepted"."""
        try:
            getattr(self.client, operation)(**parameters)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "accepted"


Probe = Callable[[Lab], object]


def bodies(messages: list[dict[str, Any]]) -> str:
    return " ".join(message["Body"] for message in messages)


# --- receive --------------------------------------------------------------------------------------------------------


def empty_long_poll_waits(lab: Lab) -> object:
    url, began = lab.queue(), time.monotonic()
    lab.receive(url, wait=1)
    return time.monotonic() - began > 0.9


def long_poll_wakes_on_send(lab: Lab) -> object:
    url = lab.queue()
    with long_poll_under_way(lab, url) as finish:
        lab.send(url, "late")
        began = time.monotonic()
        found = finish()
    return bodies(found), time.monotonic() - began < SOON


@contextmanager
def long_poll_under_way(lab: Lab, url: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """A long poll of 20 s in a thread, begun as far as a client can see it."""
    other, sent, found = Lab(lab.endpoint), threading.Event(), list[dict[str, Any]]()
    other.client.meta.events.register("before-send.sqs.*", lambda **_: sent.set())
    thread = threading.Thread(target=lambda: found.extend(other.receive(url, wait=20)))
    thread.start()
    sent.wait(SOON)
    time.sleep(0.3)  # not for an outcome: so that the request is likely to lie at the server, which tells nobody

    def finish() -> list[dict[str, Any]]:
        thread.join()
        return found

    try:
        yield finish
    finally:
        thread.join()
        other.close()


def limit_of_a_receive(lab: Lab) -> object:
    url = lab.queue()
    lab.send(url, *"abcdefghijkl")
    return [len(lab.receive(url, limit=3)), len(lab.receive(url, limit=10))]


def concurrent_receives(lab: Lab) -> object:
    """How many of forty messages four receivers at a time get. SQS may give one to two of them."""
    url = lab.queue(VisibilityTimeout="600")
    for start in range(0, 40, 10):
        entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(start, start + 10)]
        lab.client.send_message_batch(QueueUrl=url, Entries=entries)
    with ThreadPoolExecutor(4) as receivers:
        found = list(receivers.map(lambda _: lab.receive(url, limit=3), range(20)))
    seen = [message["Body"] for messages in found for message in messages]
    seen += [message["Body"] for _ in range(14) for message in lab.receive(url)]
    return len(set(seen))


def visibility_of_a_receive(lab: Lab) -> object:
    url = lab.queue(VisibilityTimeout="600")
    lab.send(url, "a")
    lab.receive(url, VisibilityTimeout=3)
    return bodies(lab.receive(url)), bodies(lab.receive(url, wait=SOON))


def invisible_again_while_polled(lab: Lab) -> object:
    """Does a long poll that began before the visibility timeout passed get the message then?"""
    url = lab.queue(VisibilityTimeout="1")
    lab.send(url, "a")
    lab.receive(url)
    began = time.monotonic()
    found = lab.receive(url, wait=20)
    return bodies(found), time.monotonic() - began < SOON


def abandoned_long_poll(lab: Lab) -> object:
    """Does a receive whose client hung up take a message that is sent later?"""
    url = lab.queue(VisibilityTimeout="600")
    hang_up_in_a_long_poll(lab, url)
    lab.send(url, "a")
    try:
        eventually(lambda: waiting(lab, url) == 0, "the message is taken", patience=SOON)
    except AssertionError:
        return False
    return True


def hang_up_in_a_long_poll(lab: Lab, url: str) -> None:
    target = urlsplit(lab.endpoint)
    body = json.dumps({"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20})
    credential = "test/20300101/us-east-1/sqs/aws4_request"
    head = [
        "POST / HTTP/1.1",
        f"Host: {target.netloc}",
        "X-Amz-Target: AmazonSQS.ReceiveMessage",
        "Content-Type: application/x-amz-json-1.0",
        f"Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
        f"Content-Length: {len(body)}",
    ]
    with socket.create_connection((target.hostname or "", target.port or 0)) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
        connection.settimeout(1)
        try:
            answered = connection.recv(100)
        except TimeoutError:
            return
        raise AssertionError(f"the long poll was answered at once: {answered!r}")


# --- FIFO -----------------------------------------------------------------------------------------------------------


def group_locked_in_flight(lab: Lab) -> object:
    url = lab.queue(fifo=True)
    lab.send(url, "a1", "a2", group="a")
    lab.send(url, "b1", group="b")
    first = lab.receive(url, limit=1)
    return bodies(first), bodies(lab.receive(url)), bodies(lab.receive(url))


def groups_in_one_receive(lab: Lab) -> object:
    url = lab.queue(fifo=True)
    for body in ("a1", "b1", "a2", "b2"):
        lab.send(url, body, group=body[0])
    found = bodies(lab.receive(url)).split()
    return [body for body in found if body[0] == "a"], [body for body in found if body[0] == "b"]


def group_open_after_delete(lab: Lab) -> object:
    url = lab.queue(fifo=True)
    lab.send(url, "a1", "a2", group="a")
    (first,) = lab.receive(url, limit=1)
    lab.client.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    return bodies(lab.receive(url))


def one_given_back_of_three(lab: Lab) -> object:
    url = lab.queue(fifo=True)
    lab.send(url, "a1", "a2", "a3", "a4", group="a")
    found = lab.receive(url, limit=3)
    lab.release(url, found[0])
    return bodies(found), bodies(lab.receive(url))


def all_given_back_in_order(lab: Lab) -> object:
    return _given_back(lab, lambda found: found)


def all_given_back_in_reverse(lab: Lab) -> object:
    return _given_back(lab, lambda found: found[::-1])


def _given_back(lab: Lab, order: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> object:
    url = lab.queue(fifo=True)
    lab.send(url, "a1", "a2", "a3", "a4", group="a")
    for message in order(lab.receive(url, limit=3)):
        lab.release(url, message)
    return bodies(lab.receive(url))


def order_after_expiry(lab: Lab) -> object:
    url = lab.queue(fifo=True)
    lab.send(url, "a1", "a2", "a3", "a4", group="a")
    lab.receive(url, limit=3, VisibilityTimeout=1)
    eventually(lambda: not in_flight(lab, url), "the messages are visible again")
    return bodies(lab.receive(url))


def sent_twice(lab: Lab) -> object:
    url = lab.queue(fifo=True)
    lab.send(url, "same", "same", group="a")
    return bodies(lab.receive(url))


# --- receipts and deletes -------------------------------------------------------------------------------------------


def expired(lab: Lab, *, fifo: bool) -> tuple[str, dict[str, Any]]:
    """A message whose visibility timeout passed without another receive."""
    url = lab.queue(fifo=fifo)
    lab.send(url, "a", group="a" if fifo else None)
    (message,) = lab.receive(url, VisibilityTimeout=1)
    eventually(lambda: not in_flight(lab, url), "the message is visible again")
    return url, message


def in_flight(lab: Lab, url: str) -> bool:
    return lab.attributes(url, "ApproximateNumberOfMessagesNotVisible") != {
        "ApproximateNumberOfMessagesNotVisible": "0"
    }


def late_delete(lab: Lab) -> object:
    return _late_delete(lab, fifo=False)


def late_delete_fifo(lab: Lab) -> object:
    return _late_delete(lab, fifo=True)


def _late_delete(lab: Lab, *, fifo: bool) -> object:
    url, message = expired(lab, fifo=fifo)
    code = lab.refused("delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return code, bodies(lab.receive(url))


def delete_by_an_old_receipt(lab: Lab) -> object:
    """The message was received again in the meantime."""
    url, message = expired(lab, fifo=False)
    (again,) = lab.receive(url)
    code = lab.refused("delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    lab.refused("change_message_visibility", QueueUrl=url, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0)
    return code, message["ReceiptHandle"] != again["ReceiptHandle"], bodies(lab.receive(url))


def delete_twice(lab: Lab) -> object:
    url = lab.queue()
    lab.send(url, "a")
    (message,) = lab.receive(url)
    lab.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return lab.refused("delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def delete_by_no_receipt(lab: Lab) -> object:
    return lab.refused("delete_message", QueueUrl=lab.queue(), ReceiptHandle="nonsense")


def batch_with_a_bad_receipt(lab: Lab) -> object:
    url = lab.queue()
    lab.send(url, "a", "b")
    good = [message["ReceiptHandle"] for message in lab.receive(url)]
    receipts = [good[0], "nonsense", good[1]]
    entries = [{"Id": str(place), "ReceiptHandle": receipt} for place, receipt in enumerate(receipts)]
    try:
        reply = lab.client.delete_message_batch(QueueUrl=url, Entries=entries)
    except ClientError as error:
        return error.response["Error"]["Code"]
    done = sorted(entry["Id"] for entry in reply.get("Successful", []))
    failed = [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in reply.get("Failed", [])]
    return done, failed, in_flight(lab, url)


def late_give_back(lab: Lab) -> object:
    url, message = expired(lab, fifo=False)
    receipt = message["ReceiptHandle"]
    return lab.refused("change_message_visibility", QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)


def give_back_the_deleted(lab: Lab) -> object:
    url = lab.queue()
    lab.send(url, "a")
    receipt = lab.receive(url)[0]["ReceiptHandle"]
    lab.client.delete_message(QueueUrl=url, ReceiptHandle=receipt)
    code = lab.refused("change_message_visibility", QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
    return code != "accepted"


# --- redrive --------------------------------------------------------------------------------------------------------


def with_redrive(lab: Lab, *, fifo: bool = False) -> tuple[str, str]:
    dead = lab.queue(fifo=fifo)
    policy = {"deadLetterTargetArn": lab.arn(dead), "maxReceiveCount": 2}
    return lab.queue(fifo=fifo, RedrivePolicy=policy), dead


def redrive(lab: Lab) -> object:
    return _redrive(lab, fifo=False)


def redrive_fifo(lab: Lab) -> object:
    return _redrive(lab, fifo=True)


def _redrive(lab: Lab, *, fifo: bool) -> object:
    url, dead = with_redrive(lab, fifo=fifo)
    lab.send(url, "a", group="a" if fifo else None)
    seen = [message["MessageId"] for _ in range(3) for message in lab.receive(url, VisibilityTimeout=0)]
    moved = lab.receive(dead, wait=SOON)
    return len(seen), bodies(moved), [message["MessageId"] for message in moved] == seen[:1]


def group_goes_on_after_redrive(lab: Lab) -> object:
    url, dead = with_redrive(lab, fifo=True)
    lab.send(url, "a1", "a2", group="a")
    for _ in range(2):
        lab.receive(url, limit=1, VisibilityTimeout=0)
    return bodies(lab.receive(url, limit=1, wait=SOON)), bodies(lab.receive(dead, wait=SOON))


def redrive_without_a_receive(lab: Lab) -> object:
    """Is the message still in the source queue after its last receive, until somebody asks for it again?"""
    url, dead = with_redrive(lab)
    lab.send(url, "a")
    for _ in range(2):
        lab.receive(url, VisibilityTimeout=0)
    return waiting(lab, url), waiting(lab, dead)


def waiting(lab: Lab, url: str) -> int:
    return int(lab.attributes(url, "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"])


def attributes_of_the_redriven(lab: Lab) -> object:
    url, dead = with_redrive(lab)
    lab.send(url, "a")
    for _ in range(3):
        lab.receive(url, VisibilityTimeout=0)
    (moved,) = lab.receive(dead, wait=SOON, MessageSystemAttributeNames=["All"])
    attributes = moved.get("Attributes", {})
    return attributes.get("DeadLetterQueueSourceArn") == lab.arn(url), attributes.get("ApproximateReceiveCount")


# --- attributes -----------------------------------------------------------------------------------------------------


def one_message(lab: Lab, *, fifo: bool = False, sent: dict[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
    url = lab.queue(fifo=fifo)
    lab.send(url, "a", group="a" if fifo else None, **(sent or {}))
    (message,) = lab.receive(url, **asked)
    return message


def system_attributes(lab: Lab) -> object:
    return sorted(one_message(lab, MessageSystemAttributeNames=["All"]).get("Attributes", {}))


def system_attributes_by_the_old_name(lab: Lab) -> object:
    return sorted(one_message(lab, AttributeNames=["All"]).get("Attributes", {}))


def system_attributes_unasked(lab: Lab) -> object:
    return sorted(one_message(lab).get("Attributes", {}))


def system_attributes_fifo(lab: Lab) -> object:
    return sorted(one_message(lab, fifo=True, MessageSystemAttributeNames=["All"]).get("Attributes", {}))


def one_system_attribute(lab: Lab) -> object:
    return sorted(one_message(lab, MessageSystemAttributeNames=["SentTimestamp"]).get("Attributes", {}))


def sequence_number(lab: Lab) -> object:
    number = one_message(lab, fifo=True, MessageSystemAttributeNames=["All"])["Attributes"].get("SequenceNumber", "")
    return number.isdigit(), len(number) == 20


def times_of_a_message(lab: Lab) -> object:
    """Milliseconds as text; the first receive stays, the count grows."""
    url = lab.queue()
    lab.send(url, "a")
    asked: dict[str, Any] = {"MessageSystemAttributeNames": ["All"], "VisibilityTimeout": 0}
    first, second = (lab.receive(url, **asked)[0]["Attributes"] for _ in range(2))
    names = ("SentTimestamp", "ApproximateFirstReceiveTimestamp")
    return (
        [int(first[name]) > LONG_AGO for name in names],
        [first[name] == second[name] for name in names],
        [first["ApproximateReceiveCount"], second["ApproximateReceiveCount"]],
    )


def trace_header(lab: Lab) -> object:
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    sent = {"MessageSystemAttributes": header}
    return one_message(lab, sent=sent, MessageSystemAttributeNames=["All"])["Attributes"].get("AWSTraceHeader")


NUMBER = {"n": {"DataType": "Number.int", "StringValue": "007"}}
BINARY = {"b": {"DataType": "Binary.gif", "BinaryValue": bytes(range(256))}}
TEXT = {"s": {"DataType": "String", "StringValue": "héllo \U0001f600\t\n"}}


def message_attributes(lab: Lab) -> object:
    wanted = NUMBER | BINARY | TEXT
    message = one_message(lab, sent={"MessageAttributes": wanted}, MessageAttributeNames=["All"])
    return message.get("MessageAttributes") == wanted, message.get("MD5OfMessageAttributes", "absent")


def message_attributes_unasked(lab: Lab) -> object:
    message = one_message(lab, sent={"MessageAttributes": NUMBER})
    return sorted(name for name in message if "Attributes" in name)


def md5_without_attributes(lab: Lab) -> object:
    message = one_message(lab, MessageAttributeNames=["All"])
    return message["MD5OfBody"] == hashlib.md5(b"a").hexdigest(), "MD5OfMessageAttributes" in message


# --- counts and queues ----------------------------------------------------------------------------------------------


def counts(lab: Lab) -> object:
    url = lab.queue()
    lab.send(url, "a", "b", "c")
    lab.send(url, "later", DelaySeconds=600)
    lab.receive(url, limit=1)
    names = ("", "NotVisible", "Delayed")
    found = lab.attributes(url, *(f"ApproximateNumberOfMessages{name}" for name in names))
    return [found.get(f"ApproximateNumberOfMessages{name}") for name in names]


def counts_after_expiry(lab: Lab) -> object:
    url, _ = expired(lab, fifo=False)
    return waiting(lab, url)


def counts_after_delete(lab: Lab) -> object:
    url = lab.queue()
    lab.send(url, "a")
    (message,) = lab.receive(url)
    lab.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return waiting(lab, url), in_flight(lab, url)


def visibility_timeout(lab: Lab) -> object:
    return [lab.attributes(url, "VisibilityTimeout") for url in (lab.queue(), lab.queue(VisibilityTimeout="77"))]


def account(lab: Lab) -> object:
    return lab.arn(lab.queue()).split(":")[4]


def missing_queue_by_name(lab: Lab) -> object:
    return lab.refused("get_queue_url", QueueName="there-is-none")


def missing_queue_by_url(lab: Lab) -> object:
    url = f"{lab.queue()}-none"
    codes = [lab.refused("receive_message", QueueUrl=url), lab.refused("get_queue_attributes", QueueUrl=url)]
    return sorted(set(codes))


def status_of_a_missing_queue(lab: Lab) -> object:
    try:
        lab.client.get_queue_url(QueueName="there-is-none")
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], type(error).__name__
    return "found"


def host_of_the_queue_url(lab: Lab) -> object:
    return urlsplit(lab.queue()).netloc == urlsplit(lab.endpoint).netloc


def any_host_in_a_queue_url(lab: Lab) -> object:
    """Does a server find the queue by the path alone, whatever host a URL names?"""
    url = lab.queue()
    lab.send(url, "a")
    elsewhere = urlsplit(url)._replace(netloc="sqs.us-east-1.amazonaws.com").geturl()
    return bodies(lab.receive(elsewhere))


# --- bodies ---------------------------------------------------------------------------------------------------------


def carried(lab: Lab, body: str) -> str:
    """Whether a body comes out as it went in, or why it was refused."""
    url = lab.queue()
    code = lab.refused("send_message", QueueUrl=url, MessageBody=body)
    if code != "accepted":
        return code
    (message,) = lab.receive(url, wait=SOON)
    return "verbatim" if message["Body"] == body else f"changed to {message['Body'][:40]!r}"


def large_bodies(lab: Lab) -> object:
    return [carried(lab, "x" * size) for size in (256 * 1024, 1024 * 1024)]


def too_large_a_body(lab: Lab) -> object:
    return carried(lab, "x" * (1024 * 1024 + 1)) not in ("verbatim", "accepted")


def unicode_bodies(lab: Lab) -> object:
    return [
        carried(lab, body) for body in ("é 漢字 \U0001f600 \u2028 \ue000 \ufffd", '{"a": "<&\\u0000>"}', " \t\r\n x ")
    ]


def control_characters(lab: Lab) -> object:
    """What XML cannot carry, which SQS refuses in JSON too."""
    return [carried(lab, body) for body in ("a\x00b", "a\x0bb", "a\x1bb", "a\ufffeb")].count("verbatim")
