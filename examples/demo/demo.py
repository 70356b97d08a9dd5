"""`make demo`: a real queue, a real daemon, a real function, and an account in which every order stands exactly once.

Of the orders, some do not match the mapping's filter, some fail once and some fail always. The account rests on
evidence alone (see account.py); when it does not balance, the demo ends with code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from account import account, lines
from botocore.config import Config
from evidence import Gatherer

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "tests"))

from support.servers import elasticmq, ministack, moto  # noqa: E402, the path was extended for the tests' servers
from support.servers.running import ServerError  # noqa: E402

VISIBILITY = 6
"""Seconds until a failed order comes again; longer than the function's timeout."""
MAX_RECEIVES = 3
GIVE_UP = 240
"""Seconds after which a demo that is not idle is over."""
SERVERS = {"ministack": ministack.start, "elasticmq": elasticmq.start, "moto": moto.start}
ORDERS = {"ministack": 1000, "elasticmq": 1000, "moto": 100}
SECRETS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True, slots=True)
class Order:
    id: int

    @property
    def type(self) -> str:
        return "cancelled" if self.id % 10 == 7 else "created"

    @property
    def trouble(self) -> str:
        return {3: "once", 13: "once", 23: "always"}.get(self.id % 40, "none")

    @property
    def called_for(self) -> str:
        if self.type == "cancelled":
            return "filtered"
        return "redriven" if self.trouble == "always" else "delivered"

    @property
    def body(self) -> str:
        return json.dumps({"id": self.id, "type": self.type, "trouble": self.trouble})


@dataclass(frozen=True, slots=True)
class Queues:
    client: Any
    orders: str
    orders_arn: str
    dead: str

    @classmethod
    def create(cls, client: Any) -> Queues:
        dead = client.create_queue(QueueName="orders-dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": arn_of(client, dead), "maxReceiveCount": str(MAX_RECEIVES)}
        attributes = {"VisibilityTimeout": str(VISIBILITY), "RedrivePolicy": json.dumps(redrive)}
        orders = client.create_queue(QueueName="orders", Attributes=attributes)["QueueUrl"]
        return cls(client, orders, arn_of(client, orders), dead)

    def send(self, batch: list[Order]) -> dict[str, int]:
        """The number of each order by the id of its message."""
        entries = [{"Id": str(order.id), "MessageBody": order.body} for order in batch]
        answer = self.client.send_message_batch(QueueUrl=self.orders, Entries=entries)
        if answer.get("Failed"):
            raise RuntimeError(f"the queue refused orders: {answer['Failed']}")
        return {entry["MessageId"]: int(entry["Id"]) for entry in answer["Successful"]}

    def drain_dead(self) -> Iterator[str]:
        """The body of each message of the dead-letter queue, which is empty afterwards."""
        empty = 0
        while empty < 2:
            answer = self.client.receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            messages = answer.get("Messages", ())
            empty = 0 if messages else empty + 1
            for message in messages:
                yield message["Body"]
                self.client.delete_message(QueueUrl=self.dead, ReceiptHandle=message["ReceiptHandle"])

    def dead_count(self) -> int:
        names = ["ApproximateNumberOfMessages"]
        answer = self.client.get_queue_attributes(QueueUrl=self.dead, AttributeNames=names)
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def arn_of(client: Any, url: str) -> str:
    answer: str = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return answer


class Progress:
    """One line that is written over on a terminal, a line every few seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._next = 0.0
        self._last = ""

    def show(self, text: str, *, now: bool = False) -> None:
        if text == self._last or (time.monotonic() < self._next and not now):
            return
        self._last = text
        self._next = time.monotonic() + (0.1 if self._terminal else 3)
        print(f"\r\x1b[2K{text}" if self._terminal else text, end="" if self._terminal else "\n", flush=True)

    def end(self, text: str) -> None:
        self.show(text, now=True)
        if self._terminal:
            print()


@contextlib.contextmanager
def daemon(directory: Path, endpoint: str, queue_arn: str, journals: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon as a process, which ends by itself when nothing is left to do. It is gone when this returns."""
    scripts = Path(sys.executable).parent
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PENSTOCK_"))},
        **SECRETS,
        "AWS_ENDPOINT_URL": endpoint,
        "DEMO_QUEUE_ARN": queue_arn,
        "DEMO_JOURNAL": str(journals),
        "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    options = [f"--until-idle={GIVE_UP}", "--listen", "127.0.0.1:0", "--state", str(directory / "state")]
    command = [str(scripts / "penstock"), "run", str(HERE / "penstock.yaml"), *options]
    with (directory / "penstock.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(12)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def follow(
    process: subprocess.Popen[bytes], sending: list[Future[dict[str, int]]], gatherer: Gatherer, queues: Queues
) -> None:
    """Shows where the orders are until the daemon has ended by itself."""
    progress, total, left = Progress(), gatherer.evidence, list(sending)
    while process.poll() is None:
        take_in(left, gatherer)
        gatherer.look()
        progress.show(
            f"sent {len(total.sent)}, delivered {len(total.taken)}, failed {total.failed.total()} times, "
            f"filtered {len(total.filtered)}, redriven {queues.dead_count()}"
        )
        time.sleep(0.1)
    take_in(left, gatherer)
    gatherer.look()
    progress.end("the daemon says that nothing is left to do" if process.returncode == 0 else "the daemon ended")


def take_in(sending: list[Future[dict[str, int]]], gatherer: Gatherer) -> None:
    while sending and sending[0].done():
        for message, order in sending.pop(0).result().items():
            gatherer.sent(message, order)


def demo(orders: list[Order], endpoint: str, directory: Path) -> int:
    journals = directory / "journals"
    journals.mkdir()
    session = botocore.session.Session()
    client = session.create_client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 1}, max_pool_connections=8),
    )
    queues = Queues.create(client)
    gatherer = Gatherer(journals, directory / "penstock.log")
    batches = [orders[start : start + 10] for start in range(0, len(orders), 10)]
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(queues.send, batch) for batch in batches]
        sending[0].result()  # so that the daemon does not find an empty queue and take itself for done
        with daemon(directory, endpoint, queues.orders_arn, journals) as process:
            try:
                follow(process, sending, gatherer, queues)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    for body in queues.drain_dead():
        gatherer.redriven(body)
    return report(gatherer, orders, process.returncode, directory, time.monotonic() - began)


def report(gatherer: Gatherer, orders: list[Order], code: int, directory: Path, seconds: float) -> int:
    result = account(gatherer.evidence, {order.id: order.called_for for order in orders})
    print("\n" + "\n".join(lines(result)) + f"\n{seconds:.0f} s")
    if gatherer.strangers:
        print(f"filtered, and not of this demo: {gatherer.strangers[:10]}")
    if code != 0:
        print(f"the daemon ended with code {code}; the end of its log:")
        print("\n".join((directory / "penstock.log").read_text(errors="replace").splitlines()[-15:]))
    return 0 if result.balances and code == 0 and result.sent == len(orders) and not gatherer.strangers else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emulator", choices=sorted(ORDERS), default="ministack")
    parser.add_argument("--orders", type=int, help=f"default: {ORDERS}")
    given = parser.parse_args()
    count = given.orders if given.orders is not None else ORDERS[given.emulator]
    if count < 1:
        parser.error("at least one order is needed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="penstock-demo-") as directory, SERVERS[given.emulator]() as server:
        print(f"{given.emulator} listens on {server.endpoint_url}; {count} orders are on their way", flush=True)
        return demo([Order(number) for number in range(1, count + 1)], server.endpoint_url, Path(directory))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ServerError, FileNotFoundError) as fault:
        sys.exit(f"the emulator did not start: {fault}")
    except KeyboardInterrupt:
        sys.exit("\nbroken off; nothing is left running")
