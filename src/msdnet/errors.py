"""The errors msdnet raises. Every message says what failed, what was found, what was expected and what to do.

MsdnetError
├── InputError            the user's file, option or data set is at fault; the command exits with 2
│   ├── ScanError         a scan cannot be read, or reading it would mean guessing
│   ├── OptionError       an option or argument has a value that cannot be used
│   ├── SchemaError       labels and label schema do not belong together
│   ├── WeightsError      weights are missing, damaged or do not fit the network
│   └── DatasetError      training data or folds are unusable
├── MissingExtraError     an optional package is not installed; the command exits with 2
└── OutputError           what was written is not what was predicted; the command exits with 1
"""

from __future__ import annotations


class MsdnetError(Exception):
    """An error with four parts, so that it can be acted on.

    Args:
        what: What failed, in one clause.
        got: What was found.
        expected: What would have been accepted.
        do: What to do next; a command line where there is one.
    """

    exit_code = 1

    def __init__(self, what: str, *, got: str, expected: str, do: str) -> None:
        self.what = what
        self.got = got
        self.expected = expected
        self.do = do
        super().__init__(f"{what}\n  got:      {got}\n  expected: {expected}\n  do:       {do}")


class InputError(MsdnetError):
    """Something the user gave is at fault."""

    exit_code = 2


class ScanError(InputError):
    """A scan cannot be read, or reading it would mean guessing."""


class OptionError(InputError):
    """An option or argument has a value that cannot be used."""


class SchemaError(InputError):
    """Labels and label schema do not belong together."""


class WeightsError(InputError):
    """Weights are missing, damaged or do not fit the network."""


class DatasetError(InputError):
    """Training data or folds are unusable."""


class MissingExtraError(MsdnetError):
    """An optional package is not installed."""

    exit_code = 2


class OutputError(MsdnetError):
    """What was written is not what was predicted."""
