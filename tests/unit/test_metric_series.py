"""The numbers of metrics, beside the library's own."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.core import Metric

from headrace.service.telemetry.core.series import Count, Distribution, Level
from headrace.service.telemetry.metrics import Labels, Metrics

BOUNDS = (0.1, 1.0, 2.5)


@pytest.mark.parametrize("sizes", [[], [0], [0.1, 0.1], [0.5, 1, 1.0001, 2.5], [-1, 3, 1e9]])
def test_a_distribution_has_the_samples_of_the_librarys_histogram(sizes: list[float]) -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    theirs, ours = Histogram("h", "Text.", buckets=BOUNDS, registry=CollectorRegistry()), Distribution(BOUNDS)
    for size in sizes:
        theirs.observe(size)
        ours.observe(size)
    (metric,) = theirs.collect()
    found = [(each.name, each.labels.get("le"), each.value) for each in metric.samples]
    bounds = {None: None, 0.1: "0.1", 1.0: "1.0", 2.5: "2.5", float("inf"): "+Inf"}
    assert [(f"h{each.suffix}", bounds[each.below], each.value) for each in ours.samples()] == found


def test_a_count_grows_and_a_level_is_what_it_was_set_to() -> None:
    count, level = Count(), Level()
    count.inc()
    count.inc(3)
    level.set(7)
    level.set(2)
    assert ([*count.samples()], [*level.samples()]) == ([("_total", None, 4.0)], [("", None, 2.0)])


def test_what_is_described_is_collected_before_and_after_the_first_mapping() -> None:
    def names(metrics: list[Metric]) -> list[tuple[str, str]]:
        return [(each.name, each.type) for each in metrics]

    empty, full = Metrics([]), Metrics([Labels("m", "kafka", "f")])
    assert names(list(empty.registry.collect())) == names(list(full.registry.collect()))
    assert not [each for each in empty.registry.collect() if each.samples and each.name != "headrace_build_info"]


def test_the_counts_of_a_mapping_stay_while_its_function_changes_and_go_with_it() -> None:
    metrics = Metrics([Labels("m", "sqs", "f"), Labels("other", "sqs", "f")])
    metrics.add(Labels("m", "sqs", "g"))
    assert {'{function="f",mapping="m",source="sqs"}', '{function="g",mapping="m",source="sqs"}'} == {
        line.removeprefix("headrace_polls_total").split()[0]
        for line in metrics.render().decode().splitlines()
        if line.startswith("headrace_polls_total") and 'mapping="m"' in line
    }
    metrics.remove("m")
    assert b'mapping="m"' not in metrics.render()
    assert b'mapping="other"' in metrics.render()
