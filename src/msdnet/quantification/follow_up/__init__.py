"""Two or more results of one person: what has changed, beyond what the technique alone moves, and where."""

from msdnet.quantification.follow_up.aligned import Aligned, align
from msdnet.quantification.follow_up.changes import Change, find_changes
from msdnet.quantification.follow_up.settings import settings_of_comparisons
from msdnet.quantification.follow_up.timepoint import Timepoint, read_timepoints

__all__ = [
    "Aligned",
    "Change",
    "Timepoint",
    "align",
    "find_changes",
    "read_timepoints",
    "settings_of_comparisons",
]
