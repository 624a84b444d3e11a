"""Label schemas: what each number in a label map means, how it is drawn, and how DICOM codes it. Stated once, here."""

from __future__ import annotations

from dataclasses import dataclass

from msdnet.errors import OptionError

ANY_LESION = "any_lesion"
"""What tables and figures call the union of a schema's classes."""


@dataclass(frozen=True)
class Code:
    """A coded concept: value, coding scheme and meaning, as DICOM writes it."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class LabelClass:
    """One class: its number in the label map, its key in tables, its title, its colour, its DICOM code and its side."""

    index: int
    name: str
    title: str
    colour: tuple[int, int, int]
    code: Code
    side: Code | None = None


@dataclass(frozen=True)
class LabelSchema:
    """A named set of classes, lesions or parts of the body. Index 0 is always background and is not listed."""

    name: str
    classes: tuple[LabelClass, ...]
    anatomical: bool = False

    def __post_init__(self) -> None:
        indices = [c.index for c in self.classes]
        if indices != list(range(1, len(indices) + 1)):
            raise OptionError(
                f"label schema {self.name!r} has indices with gaps",
                got=str(indices),
                expected="1, 2, 3, ... in order (0 is background)",
                do="number the classes without gaps",
            )

    @property
    def num_classes(self) -> int:
        """The number of network outputs: the classes and background."""
        return len(self.classes) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' keys in the order of their indices, without background."""
        return tuple(c.name for c in self.classes)


# SNOMED CT 9656002 is "Consolidation" (morphologic abnormality); DCM codes are from DICOM PS3.16, context group 6102.
_GGO = Code("112120", "DCM", "Ground glass opacity")
_INFILTRATE = Code("112121", "DCM", "Infiltrate")
_CONSOLIDATION = Code("9656002", "SCT", "Consolidation")
_OPACITY = Code("112001", "DCM", "Opacity")

_GREEN, _BLUE, _RED, _AMBER = (64, 200, 110), (80, 140, 255), (235, 70, 70), (245, 170, 40)
_MAGENTA, _CYAN = (235, 70, 200), (70, 205, 235)

SCHEMAS: dict[str, LabelSchema] = {
    "ggo-consolidation": LabelSchema(
        "ggo-consolidation",
        (
            LabelClass(1, "ggo", "Ground-glass opacity", _GREEN, _GGO),
            LabelClass(2, "consolidation", "Consolidation", _RED, _CONSOLIDATION),
        ),
    ),
    "msdnet-paper": LabelSchema(
        "msdnet-paper",
        (
            LabelClass(1, "ggo", "Ground-glass opacity", _GREEN, _GGO),
            LabelClass(2, "interstitial", "Interstitial infiltrates", _BLUE, _INFILTRATE),
            LabelClass(3, "consolidation", "Consolidation", _RED, _CONSOLIDATION),
        ),
    ),
    "infection": LabelSchema("infection", (LabelClass(1, "infection", "Any lesion", _AMBER, _OPACITY),)),
}

_LUNG, _RIGHT, _LEFT = Code("39607008", "SCT", "Lung"), Code("24028007", "SCT", "Right"), Code("7771000", "SCT", "Left")
LUNGS = LabelSchema(
    "lungs",
    (
        LabelClass(1, "right", "Right lung", _BLUE, _LUNG, _RIGHT),
        LabelClass(2, "left", "Left lung", _AMBER, _LUNG, _LEFT),
    ),
    anatomical=True,
)
"""What the numbers in a mask of the lungs mean; no schema of lesions."""

_SHADES = ((120, 165, 255), (80, 140, 255), (40, 90, 210), (255, 205, 110), (245, 170, 40), (200, 125, 10))
LUNG_LEVELS: dict[str, LabelSchema] = {
    kind: LabelSchema(
        f"lung-{kind}s",
        tuple(
            LabelClass(
                3 * number + place + 1,
                f"{side.name}_{level}_{kind}",
                f"{side.title}, {level} {kind}",
                _SHADES[3 * number + place],
                _LUNG,
                side.side,
            )
            for number, side in enumerate(LUNGS.classes)
            for place, level in enumerate(("upper", "middle", "lower"))
        ),
        anatomical=True,
    )
    for kind in ("third", "zone")
}
"""Each lung in three, one above the other: thirds of its height, or anatomical zones."""

_CHANGES = ("Persistent lesion", "New lesion", "Resolved lesion")
CHANGES = LabelSchema(
    "changes",
    tuple(
        LabelClass(index, title.split()[0].lower(), title, colour, Code(title.split()[0].upper(), "99MSDNET", title))
        for index, (title, colour) in enumerate(zip(_CHANGES, (_AMBER, _MAGENTA, _CYAN), strict=True), start=1)
    ),
)
"""What the numbers in a map of changes mean."""

LUNG_SCHEMES: dict[str, dict[int, str]] = {
    "binary": {1: "lung"},
    "left-right": {1: "right", 2: "left"},
    "lungmask-lobes": {
        1: "left_upper_lobe",
        2: "left_lower_lobe",
        3: "right_upper_lobe",
        4: "right_middle_lobe",
        5: "right_lower_lobe",
    },
    "totalsegmentator": {
        10: "left_upper_lobe",
        11: "left_lower_lobe",
        12: "right_upper_lobe",
        13: "right_middle_lobe",
        14: "right_lower_lobe",
    },
}
"""Number -> part. "left-right" is that of lungmask's R231, "lungmask-lobes" that of its LTRCLobes (lungmask 0.2.22);
"totalsegmentator" is that of TotalSegmentator 2, task "total", whose other numbers are left aside."""


def get_schema(name: str) -> LabelSchema:
    """The schema of that name.

    Raises:
        OptionError: if there is none; the message lists the valid names.
    """
    if name not in SCHEMAS:
        raise OptionError(
            f"unknown label schema {name!r}",
            got=name,
            expected="one of " + ", ".join(SCHEMAS),
            do="choose one of these names",
        )
    return SCHEMAS[name]
