"""The platform's lines in both formats."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from headrace.dispatch.invokers.local.core.platform_json import JsonLog
from headrace.dispatch.invokers.local.core.platform_log import Ended, PlatformLog, TextLog, report

NOW = 1_735_689_600.1234
ENDED = Ended("r", 0.00301, memory_size=128, max_memory=36)
CRASHED = replace(ENDED, status="error", kind="Runtime.ExitError", message="RequestId: r Error: Runtime exited")
LATE = replace(ENDED, seconds=3.0, init_seconds=0.1101, status="timeout", timeout=3.0)


@pytest.mark.semantics("FN-22")
def test_the_report_line() -> None:
    assert report(ENDED) == (
        "REPORT RequestId: r\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
    )
    assert report(replace(LATE, seconds=1.0)) == (
        "REPORT RequestId: r\tDuration: 1000.00 ms\tBilled Duration: 1111 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 36 MB\tInit Duration: 110.10 ms\tStatus: timeout\t"
    )
    assert report(CRASHED).endswith("\tStatus: error\tError Type: Runtime.ExitError\t")


@pytest.mark.semantics("FN-22")
def test_a_text_log_in_the_order_of_lambda() -> None:
    log: PlatformLog = TextLog("7")
    assert log.init_start("python3.13", NOW) == ("INIT_START Runtime Version: python3.13",)
    assert log.init_done(0.1, NOW) == ()
    assert log.start("r", NOW) == ("START RequestId: r Version: 7",)
    assert log.end(ENDED, NOW) == ("END RequestId: r", report(ENDED))
    assert log.end(CRASHED, NOW)[0] == "RequestId: r Error: Runtime exited\nRuntime.ExitError"
    assert log.end(LATE, NOW)[-1] == "2025-01-01T00:00:00.123Z r Task timed out after 3.00 seconds"
    assert log.init_failed(0.00149, "error", "Runtime.InvalidEntrypoint", NOW) == (
        "INIT_REPORT Init Duration: 1.49 ms\tPhase: init\tStatus: error\tError Type: Runtime.InvalidEntrypoint",
    )


def json_log(level: str) -> list[dict[str, object]]:
    """All that a bad life says: an init, one invocation that is well, one that crashes."""
    log: PlatformLog = JsonLog("orders", "$LATEST", 128, "0123", level)
    lines = [
        *log.init_start("python3.13", NOW),
        *log.init_done(0.11, NOW),
        *log.start("r", NOW),
        *log.end(replace(ENDED, init_seconds=0.11, produced=4), NOW),
        *log.start("s", NOW),
        *log.end(replace(CRASHED, request_id="s"), NOW),
    ]
    return [orjson.loads(line) for line in lines]


@pytest.mark.semantics("LOGS-02")
def test_a_json_log_has_an_object_for_an_init_that_failed() -> None:
    log: PlatformLog = JsonLog("orders", "$LATEST", 128, "0123", "INFO")
    *_, report = [orjson.loads(line) for line in log.init_failed(0.00149, "error", "Runtime.InvalidEntrypoint", NOW)]
    assert report["type"] == "platform.initReport"
    assert (report["record"]["status"], report["record"]["errorType"]) == ("error", "Runtime.InvalidEntrypoint")
    assert report["record"]["metrics"] == {"durationMs": 1.49}


@pytest.mark.semantics("LOGS-02")
def test_a_json_log_has_an_object_for_each_event() -> None:
    lines = json_log("DEBUG")
    assert [line["type"] for line in lines] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert {line["time"] for line in lines} == {"2025-01-01T00:00:00.123Z"}
    assert lines[3]["record"] == {"requestId": "r", "version": "$LATEST"}
    assert lines[4]["record"] == {
        "requestId": "r",
        "status": "success",
        "metrics": {"durationMs": 3.01, "producedBytes": 4},
    }
    assert lines[5]["record"] == {
        "requestId": "r",
        "status": "success",
        "metrics": {
            "durationMs": 3.01,
            "billedDurationMs": 114,
            "memorySizeMB": 128,
            "maxMemoryUsedMB": 36,
            "initDurationMs": 110.0,
        },
    }
    assert lines[8]["record"] == {
        "requestId": "s",
        "status": "error",
        "metrics": {"durationMs": 3.01, "billedDurationMs": 4, "memorySizeMB": 128, "maxMemoryUsedMB": 36},
        "errorType": "Runtime.ExitError",
    }


@pytest.mark.semantics("LOGS-02")
@pytest.mark.parametrize(
    ("level", "kinds"),
    [
        ("INFO", ["initStart", "initReport", "start", "report", "start", "runtimeDone", "report"]),
        ("WARN", ["runtimeDone", "report"]),
    ],
)
def test_lines_below_the_systems_level_are_left_out(level: str, kinds: list[str]) -> None:
    assert [str(line["type"]).removeprefix("platform.") for line in json_log(level)] == kinds
