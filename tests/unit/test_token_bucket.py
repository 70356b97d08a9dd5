"""So much a second, and a reserve."""

from __future__ import annotations

from headrace.dispatch.core.token_bucket import TokenBucket


def test_a_bucket_is_full_at_first_and_never_holds_more() -> None:
    bucket = TokenBucket(rate=2.0, burst=10.0)
    assert [bucket.level(now) for now in (100.0, 500.0)] == [10.0, 10.0]


def test_a_bucket_gains_what_was_taken() -> None:
    bucket = TokenBucket(rate=2.0, burst=10.0)
    bucket.level(5.0)
    bucket.take(10.0)
    assert [bucket.level(now) for now in (5.0, 6.0, 6.5, 100.0)] == [0.0, 2.0, 3.0, 10.0]


def test_what_was_taken_beyond_the_level_is_gained_first() -> None:
    bucket = TokenBucket(rate=1.0, burst=1.0)
    bucket.level(0.0)
    bucket.take(3.0)
    assert [bucket.level(now) for now in (1.0, 2.0, 3.0)] == [-1.0, 0.0, 1.0]
