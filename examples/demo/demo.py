"""`make demo`: a real source, a real daemon, a real function, and an account with exactly one fate for every order.

Of the orders, some do not match the mapping's filter, some fail once and some fail always. The account rests on
evidence alone (see account.py); when it does not balance, the demo ends with code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

import queues
import streams
import topic
from orders import Order

from support.servers import dynamodb_local, elasticmq, kafka, kinesalite, ministack, moto
from support.servers.running import ServerError

SERVERS = {
    "ministack": ministack.start,
    "elasticmq": elasticmq.start,
    "moto": moto.start,
    "kinesalite": kinesalite.start,
    "dynamodb-local": dynamodb_local.start,
    "kafka": kafka.start,
}
ORDERS = {
    "sqs": {"ministack": 1000, "elasticmq": 1000, "moto": 100},
    "kinesis": {"ministack": 1000, "kinesalite": 1000},
    "dynamodb": {"ministack": 500, "dynamodb-local": 500},
    "kafka": {"kafka": 1000},
}
"""The number of orders, for each source and each emulator that has it; the first emulator is the default."""
WITHOUT_QUEUES = ("kinesalite", "dynamodb-local")
"""MiniStack runs in addition to these, for the failure destination."""


def demo(source: str, emulator: str, orders: list[Order], directory: Path) -> int:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(SERVERS[emulator]())
        if source == "kafka":
            print(f"a broker listens on {server.host}:{server.port}; {len(orders)} orders are on their way", flush=True)
            return topic.demo(orders, f"{server.host}:{server.port}", directory)
        beside = stack.enter_context(ministack.start()) if emulator in WITHOUT_QUEUES else server
        print(f"{emulator} listens on {server.endpoint_url}; {len(orders)} orders are on their way", flush=True)
        if source == "sqs":
            return queues.demo(orders, server.endpoint_url, directory)
        return streams.demo(source, orders, server.endpoint_url, beside.endpoint_url, directory)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", choices=tuple(ORDERS), default="sqs")
    parser.add_argument("--emulator", choices=tuple(SERVERS))
    parser.add_argument("--orders", type=int, help="how many")
    given = parser.parse_args()
    counts = ORDERS[given.source]
    emulator = given.emulator or next(iter(counts))
    if emulator not in counts:
        parser.error(f"{emulator} has no {given.source}; these have: {', '.join(counts)}")
    count = given.orders if given.orders is not None else counts[emulator]
    if count < 1:
        parser.error("at least one order is needed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="headrace-demo-") as directory:
        return demo(given.source, emulator, [Order(number) for number in range(1, count + 1)], Path(directory))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ServerError, FileNotFoundError) as fault:
        sys.exit(f"the emulator did not start: {fault}")
    except KeyboardInterrupt:
        sys.exit("\nbroken off; nothing is left running")
