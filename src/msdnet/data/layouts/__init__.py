"""Layouts: how a data set lies on disk -> the rows of its manifest. Chosen by name, or by the files that are there."""

from __future__ import annotations

from pathlib import Path

from msdnet.data.layouts.covid_semiseg import COVID_SEMISEG
from msdnet.data.layouts.draft import Draft, Layout, Options
from msdnet.data.layouts.listed import LISTED
from msdnet.data.layouts.medseg import MEDSEG
from msdnet.data.layouts.nnunet import NNUNET
from msdnet.data.layouts.pairs import NIFTI, PICTURES
from msdnet.data.layouts.phantom import PHANTOM
from msdnet.errors import DatasetError, OptionError

__all__ = ["LAYOUTS", "Draft", "Layout", "Options", "choose_layout"]

LAYOUTS: dict[str, Layout] = {
    "pictures": PICTURES,
    "nifti": NIFTI,
    "nnunet": NNUNET,
    "medseg": MEDSEG,
    "covid-semiseg": COVID_SEMISEG,
    "manifest": LISTED,
    "phantom": PHANTOM,
}


def choose_layout(name: str | None, source: Path | None) -> tuple[str, Layout]:
    """The layout of that name, or without a name the one whose files are there.

    Raises:
        OptionError: for an unknown name.
        DatasetError: if no layout or several fit the files.
    """
    if name is not None:
        if name not in LAYOUTS:
            raise OptionError(
                f"unknown layout {name!r}",
                got=name,
                expected="one of " + ", ".join(LAYOUTS),
                do="choose one of these; docs/data.md describes them",
            )
        return name, LAYOUTS[name]
    if source is None or not source.exists():
        raise DatasetError(
            "there is no data set to prepare",
            got=str(source) if source else "no folder and no layout",
            expected="a folder, or the layout phantom",
            do="check the path",
        )
    fitting = [key for key, layout in LAYOUTS.items() if layout.fits(source)]
    if len(fitting) != 1:
        listed = "\n".join(f"    - {key}: {layout.files}" for key, layout in LAYOUTS.items())
        raise DatasetError(
            f"the layout of {source.name} cannot be told from its files",
            got="files that fit " + (" and ".join(fitting) if fitting else "none"),
            expected=f"the files of exactly one layout\n{listed}",
            do="name the layout, or arrange the files as one of them",
        )
    return fitting[0], LAYOUTS[fitting[0]]
