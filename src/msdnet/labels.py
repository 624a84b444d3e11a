"""Label schemas: what each number in a label map means, how it is drawn, and how DICOM codes it. Stated once, here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msdnet.errors import OptionError

ANY_LESION = "any_lesion"
"""What tables and figures call the union of a schema's classes."""

OWN_SCHEME = "99MSDNET"
"""The coding scheme of what has no standard code."""


@dataclass(frozen=True)
class Code:
    """A coded concept: value, coding scheme and meaning, as DICOM writes it."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class LabelClass:
    """One class: its number in the label map, its key in tables, its title, its colour and its DICOM code.

    Attributes:
        side: Of a part of the body that is there twice.
        place: Where in it, if the code does not say so.
    """

    index: int
    name: str
    title: str
    colour: tuple[int, int, int]
    code: Code
    side: Code | None = None
    place: Code | None = None


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
_OPACITY = ANY_LESION_CODE = Code("112001", "DCM", "Opacity")

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

# DICOM PS3.16: zones and lobes are of context groups 6171 and 6170, peripheral and central of 6125.
_LEVELS = ("upper", "middle", "lower")
_ZONES = (
    Code("281392002", "SCT", "Upper zone of lung"),
    Code("281393007", "SCT", "Middle zone of lung"),
    Code("281394001", "SCT", "Lower zone of lung"),
)
_THIRDS = tuple(Code(f"{level.upper()}_THIRD", OWN_SCHEME, f"{level.title()} third of its height") for level in _LEVELS)
SHELL_CODES = {"peripheral": Code("14414005", "SCT", "Peripheral"), "central": Code("26216008", "SCT", "Central")}
_UPPER_LOBE, _LOWER_LOBE = Code("45653009", "SCT", "Upper lobe of lung"), Code("90572001", "SCT", "Lower lobe of lung")
_MIDDLE_LOBE = Code("72481006", "SCT", "Middle lobe of right lung")
_SHADES = ((120, 165, 255), (80, 140, 255), (40, 90, 210), (255, 205, 110), (245, 170, 40), (200, 125, 10))


def _parts(kind: str, parts: Sequence[tuple[str, Code, Code | None]]) -> LabelSchema:
    """Each lung in parts, the right one's first; a part is its name, its code, and its place in what that means."""
    found = [
        LabelClass(
            len(parts) * number + n + 1,
            f"{side.name}_{name}",
            f"{side.title}, {name.replace('_', ' ')}",
            _SHADES[3 * number + n],
            code,
            side.side,
            place,
        )
        for number, side in enumerate(LUNGS.classes)
        for n, (name, code, place) in enumerate(parts)
    ]
    return LabelSchema(f"lung-{kind}s", tuple(found), anatomical=True)


LUNG_PARTS: dict[str, LabelSchema] = {
    "third": _parts("third", [(f"{lv}_third", _LUNG, place) for lv, place in zip(_LEVELS, _THIRDS, strict=True)]),
    "zone": _parts("zone", [(f"{lv}_zone", code, None) for lv, code in zip(_LEVELS, _ZONES, strict=True)]),
    "shell": _parts("shell", [(shell, _LUNG, place) for shell, place in SHELL_CODES.items()]),
    "lobe": LabelSchema(
        "lung-lobes",
        (
            LabelClass(1, "right_upper_lobe", "Right upper lobe", _SHADES[0], _UPPER_LOBE, _RIGHT),
            LabelClass(2, "right_middle_lobe", "Right middle lobe", _SHADES[1], _MIDDLE_LOBE, _RIGHT),
            LabelClass(3, "right_lower_lobe", "Right lower lobe", _SHADES[2], _LOWER_LOBE, _RIGHT),
            LabelClass(4, "left_upper_lobe", "Left upper lobe", _SHADES[3], _UPPER_LOBE, _LEFT),
            LabelClass(5, "left_lower_lobe", "Left lower lobe", _SHADES[5], _LOWER_LOBE, _LEFT),
        ),
        anatomical=True,
    ),
}
"""The lungs divided: each in three, one above the other (thirds of its height, or anatomical zones); each in what lies
near the chest wall and what lies deeper; and in lobes."""

_CHANGES = ("Persistent lesion", "New lesion", "Resolved lesion")
CHANGES = LabelSchema(
    "changes",
    tuple(
        LabelClass(index, title.split()[0].lower(), title, colour, Code(title.split()[0].upper(), OWN_SCHEME, title))
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
