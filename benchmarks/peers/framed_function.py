"""A function behind a socket, without any Runtime API: a length of four bytes, then an event or an answer.

framed_function.py DESCRIPTOR
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "functions"))

import noop  # type: ignore[import-not-found, unused-ignore]


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as connection, connection.makefile("rb") as reader:
        while length := reader.read(4):
            event = json.loads(reader.read(struct.unpack(">I", length)[0]))
            answer = json.dumps(noop.handler(event, None)).encode()
            connection.sendall(struct.pack(">I", len(answer)) + answer)


if __name__ == "__main__":
    main()
