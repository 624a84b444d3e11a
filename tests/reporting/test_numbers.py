"""Numbers are rounded so that they neither hide nor invent."""

from __future__ import annotations

import pytest

from msdnet.reporting.numbers import format_count, format_ml, format_ranges, format_share, format_signed


@pytest.mark.parametrize(
    ("ml", "text"),
    [(0, "0"), (0.0004, "< 0.01"), (0.012, "0.01"), (1.239, "1.24"), (12.34, "12.3"), (123.4, "123"), (4321, "4321")],
)
def test_millilitres_have_three_digits_or_so(ml, text):
    assert format_ml(ml) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.0002, "< 0.1 %"), (0.05, "5.0 %"), (0.3, "30 %"), (0.999, "> 99 %"), (1, "100 %")],
)
def test_shares_do_not_round_to_nothing_or_everything(share, text):
    assert format_share(share) == text


@pytest.mark.parametrize(("value", "text"), [(-850.4, "−850"), (-0.2, "0"), (12.0, "12")])
def test_minus_signs_are_true_and_zero_has_none(value, text):
    assert format_signed(value) == text


def test_counts_are_grouped():
    assert format_count(1234567) == "1\u202f234\u202f567"


def test_ranges_are_joined():
    assert format_ranges([9, 1, 2, 3, 10, 7]) == "1–3, 7, 9–10"
