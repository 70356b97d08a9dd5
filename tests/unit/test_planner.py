"""One batch, from its first invocation to its last fate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

import pytest

from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.model import (
    ABANDONED,
    DELIVERED,
    RETURNED,
    Batch,
    DiscardReason,
    Lane,
    Outcome,
    Record,
    discarded,
)
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.planner import DiscardStep, Done, Halved, InvokeStep, Planner, Retry, SettleStep, Wait
from headrace.dispatch.core.policy import Policy, Progress
from support.paper import (
    EPOCH,
    Function,
    Paper,
    at,
    batch,
    failed,
    ids,
    kafka_records,
    named,
    naming,
    ok,
    partition,
    poison,
    record,
    records,
    throttled,
    unreachable,
)

EXHAUSTED = discarded(DiscardReason.RETRIES_EXHAUSTED)
TOO_OLD = discarded(DiscardReason.AGE_EXCEEDED)
QUEUE = Lane("arn:aws:sqs:us-east-1:000000000000:orders")


def stream(retries: int | None = None, **more: object) -> Policy:
    return Policy(Progress.PREFIX, retries, **more)  # type: ignore[arg-type]


def kafka(retries: int | None = None, **more: object) -> Policy:
    return Policy(Progress.PER_RECORD, retries, **more)  # type: ignore[arg-type]


def paper(policy: Policy, numbers: Iterable[int], function: Function = lambda invoke: ok()) -> Paper:
    return Paper(Planner(policy, batch(numbers)), function)


def sqs(numbers: range, held_until: float = 30.0) -> Batch:
    made = records(numbers, lane=QUEUE)
    for each in made:
        each.held_until = held_until
    return Batch(Records.of(made))


def script(*outcomes: Outcome) -> Function:
    """A function that answers one thing after the other, then success."""
    left = list(outcomes)
    return lambda invoke: left.pop(0) if left else ok()


# --- success ----------------------------------------------------------------------------------------------------------


def test_a_batch_that_succeeds_is_invoked_once_and_delivered() -> None:
    run = paper(stream(), range(3)).run()
    assert run.batches == [[0, 1, 2]]
    assert run.having(DELIVERED) == [0, 1, 2]
    assert run.calls[0].attempt == 1


def test_nothing_is_invoked_for_an_empty_batch() -> None:
    assert paper(stream(), range(0)).run().calls == []


# --- attempts ---------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-01")
@pytest.mark.parametrize("retries", [0, 1, 2, 3])
def test_calls_are_one_more_than_the_retries(retries: int) -> None:
    run = paper(stream(retries), range(2), poison(0)).run()
    assert len(run.calls) == retries + 1
    assert [call.attempt for call in run.calls] == list(range(1, retries + 2))
    (discard,) = run.steps
    assert isinstance(discard, DiscardStep)
    assert (discard.reason, discard.invocations, ids(discard.records)) == (
        DiscardReason.RETRIES_EXHAUSTED,
        retries + 1,
        [0, 1],
    )
    assert discard.failure == failed()
    assert discard.last == failed().attempt


@pytest.mark.semantics("RETRY-02")
def test_without_a_limit_it_is_tried_until_it_works() -> None:
    run = paper(stream(), range(2), script(*[failed()] * 500)).run()
    assert len(run.calls) == 501
    assert run.having(DELIVERED) == [0, 1]


@pytest.mark.semantics("RETRY-10")
def test_between_attempts_the_back_off_grows_to_its_cap() -> None:
    run = paper(stream(), range(1), script(*[failed()] * 8)).run()
    gaps = [after - before for before, after in zip(run.times, run.times[1:], strict=False)]
    assert gaps == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert run.news[:2] == [Retry(run.calls[0].records, 1, 0.5), Retry(run.calls[0].records, 2, 1.0)]


@pytest.mark.semantics("RETRY-03")
def test_throttles_and_an_unreachable_function_use_up_no_attempt() -> None:
    outcomes = [throttled()] * 20 + [failed()] + [unreachable()] * 20 + [failed()]
    run = paper(stream(1), range(2), script(*outcomes)).run()
    assert [call.attempt for call in run.calls] == [1] * 21 + [2] * 21
    assert run.having(EXHAUSTED) == [0, 1]
    assert isinstance(run.steps[0], DiscardStep)
    assert run.steps[0].invocations == 2


@pytest.mark.semantics("RETRY-03")
def test_a_throttled_batch_is_not_bisected() -> None:
    run = paper(stream(0, bisect=True), range(4), script(throttled(), unreachable())).run()
    assert run.batches == [[0, 1, 2, 3]] * 3


@pytest.mark.semantics("RETRY-22")
@pytest.mark.parametrize(("after", "delay"), [(None, 0.5), (0.1, 0.5), (7.0, 7.0), (1e9, 30.0), (float("nan"), 30.0)])
def test_a_service_that_asks_for_time_gets_it_up_to_the_cap(after: float | None, delay: float) -> None:
    run = paper(stream(), range(1), script(throttled(after))).run()
    assert run.times == [0.0, delay]


# --- age --------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-04")
def test_records_that_are_too_old_are_cut_from_the_front_and_the_rest_is_delivered() -> None:
    """As recorded: six records, the first over 60 s old, no retries."""
    aged = (record(1, arrived=EPOCH - 60), *records(range(2, 7)))
    run = Paper(Planner(stream(0, max_age=60), Batch(Records.of(aged))), lambda invoke: ok()).run()
    assert run.batches == [[2, 3, 4, 5, 6]]
    assert isinstance(run.steps[0], DiscardStep)
    assert (run.steps[0].reason, run.steps[0].invocations, run.steps[0].last) == (
        DiscardReason.AGE_EXCEEDED,
        0,
        None,
    )
    assert run.having(TOO_OLD) == [1]


@pytest.mark.semantics("RETRY-04")
def test_an_old_record_behind_a_young_one_stays_in_its_place() -> None:
    aged = (record(1), record(2, arrived=EPOCH - 3600), record(3))
    run = Paper(Planner(stream(0, max_age=60), Batch(Records.of(aged))), lambda invoke: ok()).run()
    assert run.batches == [[1, 2, 3]]


@pytest.mark.semantics("RETRY-05")
def test_age_ends_retries_that_have_no_limit() -> None:
    """As recorded: a function that always fails is called eight times in its minute (here with middling jitter)."""
    run = Paper(Planner(stream(max_age=60), batch(range(2))), poison(0, 1), jitter=0.5).run()
    assert len(run.calls) == 8
    (discard,) = run.steps
    assert isinstance(discard, DiscardStep)
    assert (discard.reason, discard.invocations) == (DiscardReason.AGE_EXCEEDED, 8)


@pytest.mark.semantics("RETRY-05")
def test_what_is_left_after_a_cut_keeps_its_attempts() -> None:
    mixed = (record(1, arrived=EPOCH - 59.8), record(2))
    run = Paper(Planner(stream(1, max_age=60), Batch(Records.of(mixed))), poison(1, 2)).run()
    assert run.batches == [[1, 2], [2]]
    assert [call.attempt for call in run.calls] == [1, 2]


# --- bisect -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-06")
def test_halves_are_tried_in_order_at_once_with_fresh_attempts() -> None:
    run = paper(stream(1, bisect=True), range(5), poison(3)).run()
    assert run.batches == [[0, 1, 2, 3, 4], [0, 1], [2, 3, 4], [2], [3, 4], [3], [3], [4]]
    assert [call.attempt for call in run.calls] == [1, 1, 1, 1, 1, 1, 2, 1]
    assert run.times == [0, 0, 0, 0, 0, 0, 0.5, 0.5]
    assert run.having(EXHAUSTED) == [3]
    assert [n for n in run.news if isinstance(n, Halved)] == [Halved(run.calls[i].records) for i in (0, 2, 4)]


@pytest.mark.semantics("RETRY-06")
def test_a_half_is_worked_off_before_the_other_begins() -> None:
    run = paper(stream(2, bisect=True), range(4), poison(0)).run()
    assert run.batches == [[0, 1, 2, 3], [0, 1], [0], [0], [0], [1], [2, 3]]
    assert [list(ids(step.records)) for step in run.steps] == [[0], [1], [2, 3]]


@pytest.mark.semantics("RETRY-07")
@pytest.mark.parametrize("bad", [0, 1, 499, 500, 998, 999])
def test_one_poison_record_of_a_thousand_is_found_in_21_invocations(bad: int) -> None:
    run = paper(stream(0, bisect=True), range(1000), poison(bad)).run()
    failing = [call for call in run.calls if bad in ids(call.records)]
    assert len(failing) <= 11
    assert len(run.calls) <= 21
    assert run.having(EXHAUSTED) == [bad]
    assert len(run.having(DELIVERED)) == 999


# --- partial failure of a stream --------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-08")
def test_the_recorded_example_of_partial_progress() -> None:
    """Batches of three, three retries, record 6 always fails: it is delivered five times, and its document says 4."""
    run = paper(stream(3, partial=True), [4, 5, 6], naming(6)).run()
    assert run.batches == [[4, 5, 6], [6], [6], [6], [6]]
    assert isinstance(run.steps[-1], DiscardStep)
    assert run.steps[-1].invocations == 4
    assert run.steps[-1].failure == named(6)
    assert run.having(DELIVERED) == [4, 5]


@pytest.mark.semantics("RETRY-18")
def test_what_was_taken_is_settled_while_the_rest_is_retried() -> None:
    run = paper(stream(), range(100))
    assert isinstance(run.advance(), InvokeStep)
    run.answer(named(99))
    assert run.advance() == Wait(0.5)
    assert run.having(DELIVERED) == list(range(99))


@pytest.mark.semantics("RETRY-11")
def test_of_several_names_the_lowest_counts() -> None:
    run = paper(stream(), range(5), script(named(4, 2, 3)))
    assert run.run().batches == [[0, 1, 2, 3, 4], [2, 3, 4]]


@pytest.mark.semantics("RETRY-09")
def test_without_progress_a_partial_failure_is_an_attempt() -> None:
    run = paper(stream(2), range(3), naming(0)).run()
    assert run.batches == [[0, 1, 2]] * 3
    assert run.having(EXHAUSTED) == [0, 1, 2]


@pytest.mark.semantics("RETRY-12")
def test_with_bisect_a_partial_failure_cuts_at_the_named_record() -> None:
    run = paper(stream(0, bisect=True), range(10), script(named(7))).run()
    assert run.batches == [list(range(10)), [7, 8, 9]]


@pytest.mark.semantics("RETRY-12")
def test_with_bisect_a_partial_failure_without_progress_halves() -> None:
    run = paper(stream(0, bisect=True), range(4), naming(0)).run()
    assert run.batches == [[0, 1, 2, 3], [0, 1], [0], [1], [2, 3]]
    assert run.having(EXHAUSTED) == [0]


def test_progress_resets_attempts_and_back_off() -> None:
    run = paper(stream(5), range(3), script(failed(), failed(), named(1), failed())).run()
    assert [call.attempt for call in run.calls] == [1, 2, 3, 1, 2]
    assert run.times == [0, 0.5, 1.5, 2.0, 3.0]


# --- queues -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-13")
def test_a_queues_batch_that_fails_goes_back_at_once() -> None:
    run = Paper(Planner(Policy(Progress.NONE), sqs(range(3))), poison(1)).run()
    assert len(run.calls) == 1
    assert run.having(RETURNED) == [0, 1, 2]


@pytest.mark.semantics("RETRY-13")
def test_of_a_queues_batch_only_the_named_messages_go_back() -> None:
    run = Paper(Planner(Policy(Progress.NONE), sqs(range(4))), naming(1, 2)).run()
    assert len(run.calls) == 1
    assert run.having(DELIVERED) == [0, 3]
    assert run.having(RETURNED) == [1, 2]


@pytest.mark.semantics("RETRY-14")
def test_a_throttled_queues_batch_is_tried_until_its_visibility_ends() -> None:
    run = Paper(Planner(Policy(Progress.NONE), sqs(range(2), held_until=30.0)), lambda invoke: throttled()).run()
    assert run.times == [0, 0.5, 1.5, 3.5, 7.5, 15.5]
    assert run.time == 30.0
    assert run.having(RETURNED) == [0, 1]


@pytest.mark.semantics("RETRY-14")
def test_each_message_goes_back_at_the_deadline_of_its_own_receive() -> None:
    made = sqs(range(3), held_until=10.0)
    made.records[1].held_until = 5.0
    run = Paper(Planner(Policy(Progress.NONE), made), script(*[throttled()] * 4)).run()
    assert run.batches == [[0, 1, 2]] * 4 + [[0, 2]]
    assert run.having(RETURNED) == [1]
    assert run.having(DELIVERED) == [0, 2]


@pytest.mark.semantics("RETRY-14")
def test_a_message_in_flight_is_not_returned_however_long_it_takes() -> None:
    run = Paper(Planner(Policy(Progress.NONE), sqs(range(1), held_until=5.0)), lambda invoke: ok())
    run.advance()
    run.time = 100.0
    assert run.advance() == Wait(inf)
    run.answer(ok())
    assert run.advance() == Done()
    assert run.having(DELIVERED) == [0]


def test_hold_extends_the_deadline() -> None:
    made = sqs(range(2), held_until=5.0)
    planner = Planner(Policy(Progress.NONE), made)
    run = Paper(planner, lambda invoke: ok())
    run.advance()
    planner.hold(made.records, 60.0)
    assert planner.held_until == 60.0
    run.time = 50.0
    run.answer(throttled())
    assert run.advance() == Wait(50.5)
    assert run.fates == {}


def test_a_batch_that_is_no_longer_held_when_its_turn_comes_goes_back_uninvoked() -> None:
    run = Paper(Planner(Policy(Progress.NONE), sqs(range(2), held_until=5.0)), lambda invoke: ok(), start=6.0).run()
    assert run.calls == []
    assert run.having(RETURNED) == [0, 1]


def test_a_recalled_call_is_as_if_it_had_not_been_handed_out() -> None:
    planner = Planner(Policy(Progress.NONE), sqs(range(2), held_until=5.0))
    run = Paper(planner, lambda invoke: ok())
    invoke = run.advance()
    assert isinstance(invoke, InvokeStep)
    planner.recall(invoke.call)
    again = run.advance()
    assert isinstance(again, InvokeStep)
    assert (again.call, again.attempt) == (2, 1)
    planner.recall(invoke.call)
    assert planner.in_flight == again.call, "the first was recalled already"
    planner.recall(again.call)
    run.time = 5.0
    assert run.advance() == Done()
    assert run.having(RETURNED) == [0, 1]


# --- Kafka ------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-15")
def test_kafka_retries_only_the_named_records() -> None:
    run = paper(kafka(2), range(5), naming(1, 3)).run()
    assert run.batches == [[0, 1, 2, 3, 4], [1, 3], [1, 3], [1, 3]]
    assert run.having(DELIVERED) == [0, 2, 4]
    assert run.having(EXHAUSTED) == [1, 3]


@pytest.mark.semantics("RETRY-16")
def test_kafka_judges_the_age_of_each_record() -> None:
    aged = (record(1), record(2, arrived=EPOCH - 61), record(3))
    run = Paper(Planner(kafka(0, max_age=60), Batch(Records.of(aged))), lambda invoke: ok()).run()
    assert run.batches == [[1, 3]]
    assert run.having(TOO_OLD) == [2]


@pytest.mark.semantics("RETRY-17")
def test_kafka_halves_a_listed_failure_only_without_progress() -> None:
    run = paper(kafka(0, bisect=True), range(4), script(named(1, 2, 3), named(1, 2, 3))).run()
    assert run.batches == [[0, 1, 2, 3], [1, 2, 3], [1], [2, 3]]


@pytest.mark.semantics("RETRY-17")
def test_kafka_halves_a_function_error() -> None:
    run = paper(kafka(0, bisect=True), range(4), poison(2)).run()
    assert run.batches == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [3]]


# --- decided beforehand -----------------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-21")
@pytest.mark.parametrize("reason", [DiscardReason.OVERSIZED, DiscardReason.SCHEMA_NOT_FOUND])
def test_a_record_that_is_decided_is_discarded_without_an_invocation(reason: DiscardReason) -> None:
    run = Paper(Planner(stream(), batch([7]), discard=reason), lambda invoke: ok()).run()
    assert run.calls == []
    assert run.steps == [DiscardStep(run.steps[0].records, reason, None, 0, None)]
    assert run.fates == {run.steps[0].records[0]: discarded(reason)}


# --- stop and withdraw ------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RETRY-19")
def test_stop_before_the_first_invocation_abandons_all() -> None:
    run = paper(stream(), range(3))
    run.planner.stop()
    assert run.advance() == Done()
    assert run.having(ABANDONED) == [0, 1, 2]


@pytest.mark.semantics("RETRY-19")
def test_stop_in_a_back_off_abandons_at_once() -> None:
    run = paper(stream(), range(3))
    run.advance()
    run.answer(named(1))
    assert isinstance(run.advance(), Wait)
    run.planner.stop()
    assert run.advance() == Done()
    assert (run.having(DELIVERED), run.having(ABANDONED)) == ([0], [1, 2])


@pytest.mark.semantics("RETRY-19")
@pytest.mark.parametrize(
    ("outcome", "retries", "fates"),
    [
        (ok(), None, {0: DELIVERED, 1: DELIVERED}),
        (failed(), None, {0: ABANDONED, 1: ABANDONED}),
        (failed(), 0, {0: EXHAUSTED, 1: EXHAUSTED}),
        (throttled(), 0, {0: ABANDONED, 1: ABANDONED}),
        (named(1), 0, {0: DELIVERED, 1: ABANDONED}),
    ],
)
def test_what_is_in_flight_when_stopped_gets_what_its_outcome_decides(
    outcome: Outcome, retries: int | None, fates: dict[int, object]
) -> None:
    run = paper(stream(retries), range(2))
    run.advance()
    run.planner.stop()
    assert run.advance() == Wait(inf)
    run.answer(outcome)
    assert run.news == [None]
    assert run.advance() == Done()
    assert {ids([each])[0]: fate for each, fate in run.fates.items()} == fates


def test_stop_during_a_bisect_abandons_the_other_half() -> None:
    run = paper(stream(0, bisect=True), range(4))
    run.advance()
    run.answer(failed())
    run.advance()
    run.planner.stop()
    run.answer(ok())
    assert run.advance() == Done()
    assert (run.having(DELIVERED), run.having(ABANDONED)) == ([0, 1], [2, 3])


@pytest.mark.semantics("RETRY-20")
def test_a_call_that_is_recalled_after_its_records_were_withdrawn_leaves_nothing() -> None:
    planner = Planner(Policy(Progress.NONE), sqs(range(2), held_until=5.0))
    run = Paper(planner, lambda invoke: ok())
    invoke = run.advance()
    assert isinstance(invoke, InvokeStep)
    planner.withdraw()
    planner.recall(invoke.call)
    assert run.advance() == Done()
    assert planner.in_flight is None
    assert run.having(ABANDONED) == [0, 1]


@pytest.mark.semantics("RETRY-20")
def test_withdraw_abandons_what_is_in_flight_and_ignores_its_outcome() -> None:
    run = paper(stream(0), range(2))
    invoke = run.advance()
    assert isinstance(invoke, InvokeStep)
    run.planner.withdraw()
    assert run.advance() == Done()
    assert run.steps == [SettleStep(invoke.records, ABANDONED, running=True)]
    run.answer(failed())  # which asserts that a call is in flight
    assert run.planner.in_flight is None
    assert run.advance() == Done()
    assert run.having(ABANDONED) == [0, 1]


@pytest.mark.semantics("RETRY-20")
@pytest.mark.parametrize("outcome", [ok(), failed(), named(("orders-1", 10))])
def test_withdrawing_one_partition_leaves_the_other_in_flight(outcome: Outcome) -> None:
    zero, one = kafka_records(partition(0), [1, 2]), kafka_records(partition(1), [10, 11])
    run = Paper(Planner(kafka(0), Batch(Records.of(zero + one))), lambda invoke: ok())
    run.advance()
    run.planner.withdraw({partition(0)})
    assert run.advance() == Wait(inf)
    assert run.having(ABANDONED) == [1, 2]
    run.answer(outcome)
    run.run()
    assert set(run.fates) == {*zero, *one}
    assert run.having(ABANDONED) == [1, 2]


def test_an_answer_that_names_only_withdrawn_records_delivers_the_rest() -> None:
    zero, one = kafka_records(partition(0), [1]), kafka_records(partition(1), [10])
    run = Paper(Planner(kafka(0), Batch(Records.of(zero + one))), lambda invoke: ok())
    run.advance()
    run.planner.withdraw({partition(0)})
    run.answer(named(("orders-0", 1)))
    assert run.advance() == Done()
    assert run.having(DELIVERED) == [10]


@pytest.mark.parametrize("interrupt", ["stop", "withdraw"])
def test_what_was_decided_before_an_interruption_stays_decided(interrupt: str) -> None:
    run = paper(stream(0), range(2))
    run.advance()
    run.answer(failed())
    getattr(run.planner, interrupt)()
    assert run.advance() == Done()
    assert run.having(EXHAUSTED) == [0, 1]


def test_an_answer_to_an_unknown_call_changes_nothing() -> None:
    run = paper(stream(0), range(2))
    run.advance()
    assert run.planner.on(17, ok(), at(0.0)) is None
    assert run.planner.in_flight == 1
    run.answer(ok())
    run.planner.on(1, failed(), at(0.0))
    assert run.advance() == Done()
    assert run.having(DELIVERED) == [0, 1]


def test_undecided_shrinks_as_fates_fall() -> None:
    run = paper(stream(), range(3))
    assert ids(run.planner.undecided) == [0, 1, 2]
    run.advance()
    assert ids(run.planner.undecided) == [0, 1, 2]
    run.answer(named(2))
    assert ids(run.planner.undecided) == [2]


def test_a_backoff_of_zero_retries_at_once() -> None:
    run = paper(stream(backoff=Backoff(base=0)), range(1), script(failed(), failed()))
    assert run.run().times == [0, 0, 0]


def test_records_are_compared_by_identity() -> None:
    twins: tuple[Record, ...] = (record(1), record(1))
    run = Paper(Planner(stream(), Batch(Records.of(twins))), lambda invoke: ok()).run()
    assert len(run.fates) == 2


# --- somebody gives up on a record ------------------------------------------------------------------------------------

SKIPPED = discarded(DiscardReason.SKIPPED)


def tried(policy: Policy, numbers: range, *outcomes: Outcome) -> Planner:
    """A planner after these outcomes, whose batch waits for its next attempt."""
    planner = Planner(policy, batch(numbers))
    for outcome in outcomes:
        step = planner.next(at(0.0))
        assert isinstance(step, InvokeStep)
        planner.on(step.call, outcome, at(0.0))
    return planner


@pytest.mark.semantics("STEER-12")
@pytest.mark.parametrize(("place", "left"), [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])])
def test_a_record_that_somebody_gives_up_on_is_discarded_and_the_others_go_on(place: int, left: list[int]) -> None:
    planner = tried(stream(), range(3), failed())
    skip = planner.skip(planner.undecided[place])
    assert skip is not None
    assert not skip.waits
    step = planner.next(at(0.0))
    assert isinstance(step, DiscardStep)
    assert (step.fate, ids(step.records), step.invocations) == (SKIPPED, [place], 1)
    assert step.failure is not None  # its last error is in the document
    wait = planner.next(at(0.0))
    assert isinstance(wait, Wait)
    step = planner.next(at(wait.until))
    assert isinstance(step, InvokeStep)
    assert ids(step.records) == left


@pytest.mark.semantics("STEER-12")
@pytest.mark.parametrize("make", [stream, kafka])
def test_a_record_that_an_invocation_has_is_given_up_after_it(make: Callable[..., Policy]) -> None:
    planner = Planner(make(), batch(range(2)))
    step = planner.next(at(0.0))
    assert isinstance(step, InvokeStep)
    skip = planner.skip(step.records[0])
    assert skip is not None
    assert skip.waits
    assert isinstance(planner.next(at(0.0)), Wait | Done)  # nothing is decided under an invocation
    planner.on(step.call, failed(), at(1.0))
    step = planner.next(at(1.0))
    assert isinstance(step, DiscardStep)
    assert (step.fate, ids(step.records)) == (SKIPPED, [0])


@pytest.mark.semantics("STEER-12")
def test_what_the_function_took_is_not_given_up() -> None:
    planner = Planner(stream(), batch(range(2)))
    step = planner.next(at(0.0))
    assert isinstance(step, InvokeStep)
    record = step.records[0]
    planner.skip(record)
    planner.on(step.call, ok(), at(1.0))
    assert planner.next(at(1.0)) == SettleStep(step.records, DELIVERED)
    assert planner.next(at(1.0)) == Done()
    assert planner.skip(record) is None


@pytest.mark.semantics("STEER-12")
def test_the_only_record_of_a_batch_may_be_given_up_and_one_that_never_began() -> None:
    planner = tried(stream(), range(1), failed())
    planner.skip(planner.undecided[0])
    assert isinstance(planner.next(at(0.0)), DiscardStep)
    assert planner.next(at(0.0)) == Done()
    planner = Planner(stream(), batch(range(2)))
    step = planner.next(at(0.0))
    assert isinstance(step, InvokeStep)
    planner.skip(step.records[0])
    planner.recall(step.call)  # its function cannot start
    step = planner.next(at(0.0))
    assert isinstance(step, DiscardStep)
    assert (ids(step.records), step.invocations, step.last) == ([0], 0, None)


@pytest.mark.parametrize("place", [0, 3])
def test_a_skip_survives_a_bisect(place: int) -> None:
    planner = Planner(stream(bisect=True), batch(range(4)))
    step = planner.next(at(0.0))
    assert isinstance(step, InvokeStep)
    planner.skip(step.records[place])
    planner.on(step.call, failed(), at(1.0))
    step = planner.next(at(1.0))
    assert isinstance(step, DiscardStep)
    assert ids(step.records) == [place]
    assert ids(planner.undecided) == [each for each in range(4) if each != place]
    last = planner.undecided[-1]  # in the second half
    planner.skip(last)
    step = planner.next(at(1.0))
    assert isinstance(step, DiscardStep)
    assert ids(step.records) == ids([last])
