"""Writes the tables of docs/experiments.md anew, from the docstrings and defaults of the settings in msdnet.config."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

from msdnet.config import Augmentation, CardTexts, Experiment, Preprocessing, Stage

PAGE = Path(__file__).parent.parent / "docs" / "experiments.md"
KINDS = (Experiment, Stage, Augmentation, Preprocessing, CardTexts)


def with_tables(page: str) -> str:
    """The page with every table made anew; each lies between `<!-- NAME -->`, of its dataclass, and `<!-- end -->`."""
    for kind in KINDS:
        before, begin, rest = page.partition(f"<!-- {kind.__name__} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise SystemExit(f"{PAGE.name} needs <!-- {kind.__name__} --> with an <!-- end --> after it")
        page = before + begin + table_of(kind) + end + after
    return page


def table_of(kind: type) -> str:
    """A line for each field: its key, its default as YAML has it, and what the docstring says of it."""
    meanings = meanings_of(kind)
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for field in dataclasses.fields(kind):
        meaning = re.sub(r"\bNone\b", "`null`", meanings[field.name]).replace("|", "\\|")
        lines.append(f"| `{field.name}` | {default_of(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def meanings_of(kind: type) -> dict[str, str]:
    """The attributes that a docstring in Google style lists, each with its text on one line."""
    _, _, attributes = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", attributes, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def default_of(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "required"
    if field.default is dataclasses.MISSING:
        return "`{}`" if field.default_factory is dict else "as below"
    return f"`{as_yaml(field.default)}`"


def as_yaml(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return f"[{', '.join(map(as_yaml, value))}]"
    if isinstance(value, str):
        return value or '""'
    return f"{value:g}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
