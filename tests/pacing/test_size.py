"""How large a request may be: learned apart from how much may be sent in a minute."""

from __future__ import annotations

import math

import pytest

from gemini_embed.pacing.size import Size


def tried(fits: int, wanted: int, requests: int = 40) -> tuple[Size, list[int]]:
    """Return what was learned of a service that takes requests of so many texts, and those sent."""
    size, sent, is_in_vain = Size(), [], False
    for second in range(requests):
        texts = int(min(wanted, size.largest))
        sent.append(texts)
        if texts <= fits:
            size.accept(texts, second)
            is_in_vain = False
        else:
            size.refuse(texts, second, in_vain=is_in_vain)
            is_in_vain = True
    return size, sent


@pytest.mark.parametrize("fits", [1, 7, 10, 60, 99])
def test_a_size_that_never_fits_becomes_smaller(fits: int) -> None:
    """A request that is refused unchanged is not sent for ever: smaller ones are, and pass."""
    _, sent = tried(fits, 100)

    assert all(texts <= fits for texts in sent[-10:])


def test_one_refusal_changes_no_size() -> None:
    """The quota was full; the same request fits later."""
    size = Size()

    size.refuse(100, 0.0, in_vain=False)

    assert size.largest == math.inf


def test_a_size_is_found_too_large_though_smaller_ones_are_refused_too() -> None:
    """Where one text fills a bucket, a refusal of the next hides that the large one never fits."""
    size, large = Size(), 0
    for minute in range(100):
        texts = int(min(10, size.largest))
        if texts > 1:
            large += 1
            size.refuse(texts, 60.0 * minute, in_vain=True)
        else:
            size.accept(1, 60.0 * minute)
            size.refuse(1, 60.0 * minute + 0.1, in_vain=False)

    assert large < 50


@pytest.mark.parametrize("amount", [15, 40, 90])
def test_what_is_left_of_a_request_is_too_large_too(amount: int) -> None:
    """A load of less than a request ends soon, though what is left of it was never refused."""
    size, left, requests, is_in_vain = Size(), amount, 0, False
    while left:
        texts, requests = int(min(left, size.largest)), requests + 1
        if texts <= 10:
            size.accept(texts, requests)
            left -= texts
        else:
            size.refuse(texts, requests, in_vain=is_in_vain)
        is_in_vain = texts > 10

    assert requests < 27


def test_a_service_that_was_busy_gets_full_requests_again() -> None:
    """After many refusals for another reason, the first small answer is followed by a full one."""
    size = Size()
    for second in range(9):
        size.refuse(int(min(100, size.largest)), second, in_vain=second > 0)
    assert size.largest == 1

    size.accept(1, 10.0)
    assert size.largest == 100
    size.accept(100, 11.0)
    assert size.largest == math.inf


def test_a_size_is_tried_again_later() -> None:
    """What did not fit an hour ago may fit now."""
    size, sent = tried(60, 100)
    assert sent[-1] < 100

    size.accept(int(size.largest), 3600.0)

    assert size.largest == math.inf
