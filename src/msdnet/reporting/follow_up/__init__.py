"""What a person keeps of a comparison: tables, pictures and a page."""

from msdnet.reporting.follow_up.page import write_follow_up_page
from msdnet.reporting.follow_up.pictures import draw_course, draw_side_by_side
from msdnet.reporting.follow_up.tables import write_changes

__all__ = ["draw_course", "draw_side_by_side", "write_changes", "write_follow_up_page"]
