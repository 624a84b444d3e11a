"""report.pdf: the report on paper, on one page where that can be."""

from __future__ import annotations

import logging
from pathlib import Path

from PIL import ImageFile

LAYOUTS_MM = ((58, 10), (50, 10), (42, 10), (34, 10), (34, 7))
"""Heights of the pictures and margins above and below, tried until all is on one page."""


def write_pdf(page: Path, path: Path) -> str:
    """Writes the PDF of an HTML report, the same bytes for the same page.

    Args:
        page: The report, self-contained.
        path: Where to write.

    Returns:
        Why there is none; empty if it was written.
    """
    truncated = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        from weasyprint import CSS, HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:  # a library of the system, Pango, may be missing too
        missing = "weasyprint" if isinstance(error, ImportError) else "Pango"
        return (
            f"{missing} is not installed (pip install 'msdnet[pdf]'; on Debian also libpango-1.0-0, libpangoft2-1.0-0)"
        )
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = truncated  # its import turns this on, and damaged pictures would be read
    logger = logging.getLogger("weasyprint")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        html = HTML(string=page.read_text(encoding="utf-8"), url_fetcher=URLFetcher(allowed_protocols=("data",)))
        pictures: dict[str, object] = {}  # read once for all tries
        for height, margin in LAYOUTS_MM:
            pictures_style = f".views, .views img {{ height: {height}mm !important }}"
            style = CSS(string=f"{pictures_style} @page {{ margin: {margin}mm 14mm !important }}")
            document = html.render(stylesheets=[style], cache=pictures)
            if len(document.pages) == 1:
                break
        document.write_pdf(path, pdf_identifier=b"msdnet")
    except Exception as error:  # noqa: BLE001 -- whatever a layout library raises costs the PDF alone
        path.unlink(missing_ok=True)
        return f"the report could not be set ({type(error).__name__})"
    finally:
        logger.setLevel(level)
    return ""
