"""The daemon as a process that may open few files: it reports this, and still answers liveness checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import daemons
from support.daemons import Queues

MAPPINGS = 20
HANDLER = "def handler(event, context):\n    return None\n"


@pytest.mark.semantics("CLI-33")
@pytest.mark.parametrize("limit", [40, 64])
def test_few_descriptors_are_told_at_the_start_and_when_they_run_out_and_livez_answers(
    queues: Queues, tmp_path: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app.py").write_text(HANDLER)
    local = {"runtime": "python", "handler": "app.handler", "code": str(tmp_path), "timeout": 60}
    names = [queues.create() for _ in range(MAPPINGS)]
    mappings = {
        f"m{number}": {"source": queues.arn(name), "function": "local" if number % 4 == 0 else "f"}
        for number, name in enumerate(names)
    }
    command = daemons.command()
    monkeypatch.setattr(daemons, "command", lambda: ["/bin/sh", "-c", f'ulimit -n {limit}; exec "$0" "$@"', *command])
    with daemons.function() as function:
        config = daemons.write_config(
            tmp_path,
            queues.endpoint_url,
            function.url,
            mappings,
            functions={"f": {"http": function.url, "timeout": 60}, "local": local},
        )
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            line = daemon.wait_logged("descriptors")
            assert (line["level"], line["allowed"]) == ("warning", limit)
            assert line["needed"] > limit
            for name in names:
                queues.send(name, "one", "two")
            daemon.wait_until(lambda: daemon.status()["mappings"][1]["counts"]["delivered"] == 2)
            for _ in range(20):
                assert daemon.get("/livez") == (200, "ok\n")
            assert daemon.stop() == 0
    told = [line["event"] for line in map(_parsed, daemon.stderr) if line["level"] in ("warning", "error")]
    assert [text for text in told if "connect" in text and "descriptor" not in text] == []
    assert daemon.logged("fault") == []
    assert daemon.logged("library", level="error") == []


def _parsed(line: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(line)
    return found
