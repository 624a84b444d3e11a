"""Settings dataclasses from mappings (parsed YAML or JSON); all that is wrong with one is told in one error."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

from msdnet.errors import OptionError


class Fault(NamedTuple):
    """A setting that cannot be used: its name, what it is and what it should be."""

    name: str
    got: str
    expected: str


class SettingsError(OptionError):
    """Every fault of some settings at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        if len(faults) == 1:
            name, got, expected = faults[0]
            super().__init__(f"{name} cannot be used", got=got, expected=expected, do="correct it")
            return
        lines = [f"\n    - {f.name}: {f.got}; expected: {f.expected}" for f in faults]
        super().__init__(
            f"{len(faults)} settings cannot be used",
            got="".join(lines),
            expected="what each line says",
            do="correct them",
        )


class Faults(list[Fault]):
    """Collects what is wrong with settings, to tell it in one error."""

    def require(self, condition: bool, name: str, got: object, expected: str) -> None:
        """Notes a fault unless the condition holds."""
        if not condition:
            self.append(Fault(name, repr(got), expected))

    def tell(self) -> None:
        """Nothing, if there are no faults.

        Raises:
            SettingsError: that lists them.
        """
        if self:
            raise SettingsError(self)


T = TypeVar("T")


_MERGE = "tag:yaml.org,2002:merge"
"""The tag of `<<`, which takes over another mapping's keys; a mapping's own go before these."""


def read_yaml(text: str) -> Any:
    """What a YAML text holds; unlike PyYAML itself it refuses a key that is given twice.

    Raises:
        yaml.YAMLError: if it is not YAML, or a mapping has a key twice.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != _MERGE]
            twice = sorted({str(key) for key in keys if keys.count(key) > 1})
            if twice:
                raise yaml.constructor.ConstructorError(None, None, f"given twice: {', '.join(twice)}", node.start_mark)
            return super().construct_mapping(node, deep)

    return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader


def from_mapping(kind: type[T], content: Any, where: str = "", *, stand_ins: Mapping[str, Any] | None = None) -> T:
    """An instance of a settings dataclass from a mapping of its fields.

    Args:
        kind: The dataclass.
        content: The mapping.
        where: Names it in an error.
        stand_ins: By field, what is looked at in place of a value that is missing or unusable and has no default, or
            none that goes with the others, so that these are looked at too.

    Raises:
        OptionError: if keys are unknown or missing, or values out of range; one for all of them.
    """
    faults = Faults()
    whole = where or f"the {kind.__name__.lower()}"
    if not isinstance(content, Mapping):
        raise SettingsError([Fault(whole, type(content).__name__, "a mapping, key: value")])
    hints = get_type_hints(kind)
    required = {f.name for f in dataclasses.fields(kind) if _is_required(f)}  # type: ignore[arg-type]
    unknown, missing = sorted(map(str, content.keys() - hints.keys())), sorted(required - content.keys())
    if unknown or missing:
        got = f"unknown: {', '.join(unknown) or 'none'}; missing: {', '.join(missing) or 'none'}"
        faults.append(Fault(whole, got, f"keys among {', '.join(hints)}"))
    before = f"{where}: " if where else ""
    values, unusable = {}, set(missing)
    for name in [n for n in hints if n in content]:
        try:
            values[name] = _converted(content[name], hints[name], before + name)
        except SettingsError as error:
            faults += error.faults
            unusable.add(name)
    values |= {name: value for name, value in (stand_ins or {}).items() if name in unusable}
    if required <= values.keys():
        try:
            made = kind(**values)
        except SettingsError as error:
            others = [f for f in error.faults if unusable.isdisjoint(f.name.split(", "))]
            faults += [fault._replace(name=before + fault.name) for fault in others]
    faults.tell()
    return made


def _is_required(setting: dataclasses.Field[Any]) -> bool:
    return setting.default is dataclasses.MISSING and setting.default_factory is dataclasses.MISSING


def _converted(value: Any, hint: Any, name: str) -> Any:
    """The value as its annotation wants it: YAML reads 1e-3 as text, and JSON has lists for tuples."""
    if isinstance(hint, types.UnionType):  # all of them: a type or None
        if value is None:
            return None
        hint = next(kind for kind in get_args(hint) if kind is not types.NoneType)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_mapping(hint, value, name)
    good = True
    if hint is float and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            good = False
    elif hint in (int, bool, str):
        good = type(value) is hint
    elif hint == tuple[float, float]:
        good = isinstance(value, list | tuple) and len(value) == 2
        if good:
            return tuple(_converted(v, float, name) for v in value)
    if not good or hint is float:
        wanted = getattr(hint, "__name__", str(hint)) if hint != tuple[float, float] else "two numbers"
        raise SettingsError([Fault(name, repr(value), wanted)])
    return value
