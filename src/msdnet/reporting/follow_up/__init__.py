"""What a person keeps of a comparison: tables, pictures, a page and a record."""

from msdnet.reporting.follow_up.notes import follow_up_notes
from msdnet.reporting.follow_up.page import write_follow_up_page
from msdnet.reporting.follow_up.pictures import draw_course, draw_side_by_side
from msdnet.reporting.follow_up.record import write_comparison_record
from msdnet.reporting.follow_up.tables import write_changes

__all__ = [
    "draw_course",
    "draw_side_by_side",
    "follow_up_notes",
    "write_changes",
    "write_comparison_record",
    "write_follow_up_page",
]
