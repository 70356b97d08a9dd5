"""Where somebody wants a lane to go on, from their words."""

from __future__ import annotations

import pytest

from headrace.pollers.core.wish import Wish, WishKind, parse_wish


@pytest.mark.semantics("STEER-10")
@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("TRIM_HORIZON", Wish(WishKind.TRIM_HORIZON)),
        (" latest ", Wish(WishKind.LATEST)),
        ("2023-11-14T22:13:20Z", Wish(WishKind.AT_TIMESTAMP, 1_700_000_000.0)),
        ("2023-11-14T22:13:20", Wish(WishKind.AT_TIMESTAMP, 1_700_000_000.0)),
        ("2023-11-14T23:13:20.500+01:00", Wish(WishKind.AT_TIMESTAMP, 1_700_000_000.5)),
        ("0", Wish(WishKind.POSITION, number="0")),
        ("00012", Wish(WishKind.POSITION, number="00012")),
        ("495.3", Wish(WishKind.POSITION, number="495", sub=3)),
        ("", None),
        ("yesterday", None),
        ("-1", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 131, None),
    ],
)
def test_words_and_what_they_mean(text: str, wish: Wish | None) -> None:
    assert parse_wish(text) == wish
