"""Records that were discarded are replayed, by document and by position; the mapping's own position stays where it is.

The other servers and kinds: `tests/proof/test_replays.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support import daemons, replay_bench
from support.replay_bench import KinesisOrigin, ReplayBench
from support.servers.running import Server


@pytest.mark.semantics("REPLAY-01", "REPLAY-02", "REPLAY-03", "REPLAY-04", "REPLAY-05")
def test_what_was_discarded_is_replayed_and_a_kill_breaks_nothing(ministack: Server, tmp_path: Path) -> None:
    with daemons.function() as function:
        origin = KinesisOrigin(ministack.endpoint_url)
        bench = ReplayBench(origin, ministack.endpoint_url, tmp_path, function)
        replay_bench.check(bench, 40)
        bench.close()
        origin.streams.close()
