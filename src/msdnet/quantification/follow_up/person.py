"""Whether results are of one person, and how many days lie between them: as their series tell, or the user."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msdnet.errors import OptionError

Subject = Mapping[str, Any] | None


def check_person(folders: Sequence[Path], subjects: Sequence[Subject], *, same_person: bool) -> None:
    """Refuses results that are, or may be, of different people, unless the user gives their word.

    Args:
        folders: The results.
        subjects: Key and day of each, as run.json has them; None where it has none.
        same_person: The user's word that they are of one person, whatever the results tell.

    Raises:
        OptionError: if they have different keys, or one has none.
    """
    if same_person:
        return
    keys = {subject["key"] for subject in subjects if subject}
    if len(keys) > 1:
        raise OptionError(
            "the results are of different people, as far as their series tell",
            got=f"{len(keys)} subject keys in run.json",
            expected="one person's scans, with one key",
            do="choose results of one person. A key is made of the patient's number, its issuer and the birth date "
            "with the site's secret (MSDNET_SITE_KEY), so that one person has two where one of these was corrected or "
            "changed: if you know them to be one, add --same-person and --dates",
        )
    unknown = [str(folder) for folder, subject in zip(folders, subjects, strict=True) if not subject]
    if unknown:
        raise OptionError(
            "it is not known whether these are scans of one person",
            got=f"no subject in run.json of {', '.join(unknown)}",
            expected="results of DICOM series with a patient's number, or your word",
            do="add --same-person and --dates, if they are",
        )


def find_days(folders: Sequence[Path], subjects: Sequence[Subject], dates: Sequence[datetime.date]) -> list[int]:
    """Days since the earliest of them, in the order of the folders.

    Args:
        folders: The results.
        subjects: Key and day of each. Days of different keys count from different dates.
        dates: When the scans were taken; needed where the results do not tell.

    Raises:
        OptionError: if there are too few dates, or too many, or they contradict what the results tell.
    """
    if dates:
        if len(dates) != len(folders):
            raise OptionError(
                "each result needs its date",
                got=f"{len(dates)} {'date' if len(dates) == 1 else 'dates'} for {len(folders)} results",
                expected="as many dates, in the order of the results",
                do="write them as one word, parted by commas without blanks: --dates 2024-03-01,2024-03-08",
            )
        numbers = [date.toordinal() for date in dates]
        _check_against_series(folders, subjects, numbers)
    elif len({subject["key"] for subject in subjects if subject}) == 1 and all(s and "day" in s for s in subjects):
        numbers = [int(subject["day"]) for subject in subjects if subject]
    else:
        raise OptionError(
            "it is not known when the scans were taken",
            got="a result without a day in run.json, or results whose days count from different dates",
            expected="results of dated DICOM series with one key, or the dates",
            do="add --dates, one for each result, parted by commas: for instance --dates 2024-03-01,2024-03-08",
        )
    return [number - min(numbers) for number in numbers]


def _check_against_series(folders: Sequence[Path], subjects: Sequence[Subject], numbers: Sequence[int]) -> None:
    """Of all results that know their day and share a key, days between them must be those between the dates."""
    known: dict[str, list[int]] = {}
    for place, subject in enumerate(subjects):
        if subject and "day" in subject:
            known.setdefault(subject["key"], []).append(place)
    for places in known.values():
        told = [int((subjects[place] or {})["day"]) for place in places]
        given = [numbers[place] for place in places]
        if [day - told[0] for day in told] == [number - given[0] for number in given]:
            continue
        whole = len(places) == len(folders)
        names = ", ".join(str(folders[place]) for place in places)
        raise OptionError(
            "the dates are not those of the results",
            got=f"--dates that are {', '.join(str(n - given[0]) for n in given)} days after the first of {names}",
            expected=f"{', '.join(str(day - told[0]) for day in told)} days, as the DICOM series tell",
            do="leave --dates out" if whole else f"correct the dates of {names}",
        )
