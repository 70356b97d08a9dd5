"""The stub as a program: serves on a free port and prints its URL."""

from __future__ import annotations

import anyio

from .server import serve


async def main() -> None:
    async with serve() as stub:
        print(stub.url, flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main)
