"""What a person keeps of a result: tables, a picture, a page, and the record of how it was made."""

from msdnet.reporting.html import write_report
from msdnet.reporting.measures import write_measures
from msdnet.reporting.overview import draw_overview
from msdnet.reporting.run_record import write_run_record

__all__ = ["draw_overview", "write_measures", "write_report", "write_run_record"]
