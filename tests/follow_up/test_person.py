"""Whose results they are, and when: as the series tell, or the user, and never a mixture that contradicts itself."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from msdnet.errors import OptionError
from msdnet.quantification.follow_up.person import check_person, find_days

FOLDERS = [Path("a"), Path("b"), Path("c")]
DATES = [datetime.date(2024, 3, day) for day in (1, 9, 20)]


def test_two_keys_are_explained_and_the_users_word_settles_it() -> None:
    subjects = [{"key": "a", "day": 7}, {"key": "b", "day": 7}, {"key": "b", "day": 18}]
    with pytest.raises(OptionError, match="different people") as caught:
        check_person(FOLDERS, subjects, same_person=False)
    for words in ("--same-person", "birth date", "issuer", "MSDNET_SITE_KEY"):
        assert words in str(caught.value)
    check_person(FOLDERS, subjects, same_person=True)


def test_days_of_two_keys_need_dates() -> None:
    subjects = [{"key": "a", "day": 700}, {"key": "b", "day": 7}, {"key": "b", "day": 18}]
    with pytest.raises(OptionError, match="add --dates"):
        find_days(FOLDERS, subjects, [])
    assert find_days(FOLDERS, subjects, DATES) == [0, 8, 19]


def test_dates_are_held_against_those_results_that_know_their_day() -> None:
    subjects = [{"key": "a", "day": 700}, None, {"key": "a", "day": 712}]
    with pytest.raises(OptionError, match="correct the dates of a, c"):
        find_days(FOLDERS, subjects, DATES)
    subjects[2] = {"key": "a", "day": 719}
    assert find_days(FOLDERS, subjects, DATES) == [0, 8, 19]
    assert find_days(FOLDERS, [subjects[0], None, {"key": "a"}], DATES) == [0, 8, 19]
    with pytest.raises(OptionError, match="11 days, as the DICOM series tell"):
        find_days(FOLDERS, [None, {"key": "b", "day": 5}, {"key": "b", "day": 16}], [DATES[0], DATES[1], DATES[1]])


def test_too_few_dates_say_how_to_write_them() -> None:
    with pytest.raises(OptionError, match="commas without blanks: --dates 2024-03-01,2024-03-08"):
        find_days(FOLDERS, [None, None, None], DATES[:1])
