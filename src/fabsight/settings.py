"""Settings: frozen dataclasses, read from `--set key=value` or from JSON, and described for help.

A field may be bool, int, float, str, Path, a Literal, a tuple of these, or any of them or None;
in JSON also a nested dataclass, a mapping, a list or an array. A number may have a range. The
class's docstring is the help: its Google-style `Attributes:` section says what each field means.

    price: Annotated[float, Range(0, 1e6)] = 20.0
    parse_settings(LayoutSettings, {"edge": "outer", "price": "12"})
    settings_from_json(LayoutSettings, to_json(settings)) == settings
"""

import dataclasses
import difflib
import inspect
import json
import math
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from fabsight.task import FabsightError

C = TypeVar("C")

TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Setting(NamedTuple):
    """One row of help: name, type as text, default as text ("required" without one), meaning."""

    name: str
    type: str
    default: str
    help: str


@dataclass(frozen=True)
class Range:
    """The numbers a field may have: `Annotated[float, Range(1, 10)]`.

    Attributes:
        least, most: Both allowed.
        or_zero: Whether 0 is allowed besides, for a number that was not given.
    """

    least: float
    most: float
    or_zero: bool = False

    def __contains__(self, number: float) -> bool:
        return self.least <= number <= self.most or (self.or_zero and number == 0)

    def __str__(self) -> str:
        return f"from {self.least:g} to {self.most:g}" + ", or 0" * self.or_zero


class _UnfitError(Exception):
    """What was expected of a value; the public functions add which value of which setting."""


def parse_settings(cls: type[C], values: Mapping[str, str], base: C | None = None) -> C:
    """The settings that `key=value` strings say; other fields are those of `base`, else defaults.

    Hyphens in keys count as underscores; `none` is None; tuples are comma-separated. Raises
    FabsightError for an unknown key (naming the nearest) or a value of the wrong kind.

    >>> from fabsight.netdsl.settings import LayoutSettings
    >>> parse_settings(LayoutSettings, {"edge": "outer", "price": "12", "crop-bar": "no"}).price
    12.0
    >>> parse_settings(LayoutSettings, {"egde": "outer"})
    Traceback (most recent call last):
    ...
    fabsight.task.FabsightError: LayoutSettings: there is no setting 'egde'; did you mean 'edge'?
    """
    hints = _hints(cls)
    read: dict[str, Any] = {}
    for key, text in values.items():
        name = key.strip().replace("-", "_")
        _known(cls.__name__, name, hints)
        try:
            read[name] = _from_text(hints[name], text.strip())
        except _UnfitError as unfit:
            raise FabsightError(f"{cls.__name__}: {name}={text}: expected {unfit}") from None
    if base is None:
        return _build(cls, read)
    return _changed(base, read)


def check_settings(settings: Any) -> None:
    """Refuse settings made in code with a value of the wrong kind or outside its range.

    >>> from fabsight.netdsl.settings import LayoutSettings
    >>> check_settings(LayoutSettings(price=-1.0))
    Traceback (most recent call last):
    ...
    fabsight.task.FabsightError: LayoutSettings: price = -1.0: expected number from 0 to 1e+06
    """
    settings_from_json(type(settings), to_json(settings))


def split_settings(pairs: Iterable[str]) -> dict[str, str]:
    """`["a=1", "b=x=y"]` as `{"a": "1", "b": "x=y"}`; the last of two equal keys wins.

    >>> split_settings(["a=1", "b=x=y"])
    {'a': '1', 'b': 'x=y'}
    """
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise FabsightError(f"--set {pair}: expected key=value, as in --set edge=outer")
        found[key.strip()] = value.strip()
    return found


def describe_settings(cls: type[Any]) -> list[Setting]:
    """One row per field: name, type, default and help (from the docstring's Attributes section).

    >>> from fabsight.netdsl.settings import LayoutSettings
    >>> describe_settings(LayoutSettings)[0][:3]
    ('edge', 'mid | outer | inner', 'mid')
    """
    hints, helps = _hints(cls), _attribute_help(cls)
    rows = []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        default: Any = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        shown = "required" if default is dataclasses.MISSING else _text(default)
        rows.append(Setting(field.name, _name(hints[field.name]), shown, helps.get(field.name, "")))
    return rows


def to_json(value: Any) -> Any:
    """The same data as dicts, lists, strings, numbers and None, ready for `json.dumps`.

    Dataclasses and mappings become dicts, tuples, sets and arrays lists, paths strings, numpy
    scalars numbers. JSON has no NaN: numbers that are not finite become the strings "NaN",
    "Infinity", "-Infinity", which `settings_from_json` reads back. Raises FabsightError for
    anything else.

    >>> to_json({"size": (np.float32(1.5), Path("a.png")), 3: math.inf})
    {'size': [1.5, 'a.png'], '3': 'Infinity'}
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else _not_finite(value)
        case np.generic() | np.ndarray():
            return to_json(value.tolist())
        case Path():
            return value.as_posix()
        case Mapping():
            return {str(key): to_json(item) for key, item in value.items()}
        case list() | tuple():
            return [to_json(item) for item in value]
        case set() | frozenset():
            return sorted((to_json(item) for item in value), key=repr)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    raise FabsightError(
        f"to_json: a {type(value).__name__} has no JSON form; give numbers, strings, lists, "
        "mappings, dataclasses, paths or arrays"
    )


def settings_from_json(cls: type[C], data: Any) -> C:
    """The dataclass that JSON data describes, each value checked against its field's type.

    Raises FabsightError naming the field for an unknown key, a missing one, or a wrong value.

    >>> from fabsight.netdsl.settings import LayoutSettings
    >>> settings_from_json(LayoutSettings, {"edge": "inner", "price": 8}).edge
    'inner'
    """
    if not isinstance(data, Mapping):
        raise FabsightError(f"{cls.__name__}: expected an object {{...}}, got {_short(data)}")
    hints = _hints(cls)
    read: dict[str, Any] = {}
    for name, value in data.items():
        _known(cls.__name__, name, hints)
        try:
            read[name] = _from_json(hints[name], value)
        except _UnfitError as unfit:
            raise FabsightError(
                f"{cls.__name__}: {name} = {_short(value)}: expected {unfit}"
            ) from None
    return _build(cls, read)


def _hints(cls: type[Any]) -> dict[str, Any]:
    """Field name -> type, in the order of the fields."""
    if not dataclasses.is_dataclass(cls):
        raise FabsightError(
            f"settings: {cls.__name__} is not a dataclass; write @dataclass(frozen=True) above it"
        )
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def _known(owner: str, name: str, hints: Mapping[str, Any]) -> None:
    if name in hints:
        return
    near = difflib.get_close_matches(name, hints, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(hints) or 'none'}"
    raise FabsightError(f"{owner}: there is no setting {name!r}; {fix}")


def _changed(settings: C, values: Mapping[str, Any]) -> C:
    """The same settings with other values of some fields (already of the right types)."""
    changed: C = dataclasses.replace(cast("Any", settings), **values)
    return changed


def _build(cls: type[C], read: Mapping[str, Any]) -> C:
    rows = describe_settings(cls)
    missing = [row.name for row in rows if row.default == "required" and row.name not in read]
    if missing:
        raise FabsightError(f"{cls.__name__}: {', '.join(missing)} must be given; no default")
    return cls(**read)


def _from_text(kind: Any, text: str) -> Any:
    """The value of one `--set` string."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _within(kind, _from_text(arguments[0], text))
    if origin in (Union, types.UnionType):
        return _first_fit(kind, text, _from_text)
    if origin is tuple:
        parts = [part.strip() for part in text.strip("()").split(",") if part.strip()]
        return tuple(map(_from_text, _item_kinds(arguments, parts), parts))
    if origin is Literal:
        by_text = {str(allowed): allowed for allowed in arguments}
        if text not in by_text:
            raise _UnfitError(_name(kind))
        return by_text[text]
    return _leaf_from_text(kind, text)


def _leaf_from_text(kind: Any, text: str) -> Any:
    """A value that holds no others."""
    if kind is types.NoneType and text.lower() in ("none", ""):
        return None
    if kind is bool and text.lower() in TRUE + FALSE:
        return text.lower() in TRUE
    if kind in (str, Path):
        return kind(text)
    if kind in (int, float):
        return _number(kind, text)
    if kind in (types.NoneType, bool):
        raise _UnfitError(_name(kind))
    raise _UnfitError(f"{_name(kind)}, which only a JSON file can give")


def _from_json(kind: Any, value: Any) -> Any:
    """The value of one JSON field; `kind` is the field's type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is Annotated:
        return _within(kind, _from_json(arguments[0], value))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return settings_from_json(kind, value)
    if origin in (Union, types.UnionType):
        return _first_fit(kind, value, _from_json)
    if origin is Literal:
        return _literal(kind, value)
    if isinstance(kind, type) and hasattr(kind, "array_type"):  # jaxtyping: UInt8[np.ndarray, ...]
        return _array(kind, value)
    if (origin or kind) in (tuple, list, Sequence):
        return _items(kind, value)
    if (origin or kind) in (dict, Mapping):
        _require(isinstance(value, Mapping), kind)
        of = arguments[1] if arguments else Any
        return {str(key): _from_json(of, item) for key, item in value.items()}
    return _leaf(kind, value)


def _leaf(kind: Any, value: Any) -> Any:
    """A value that holds no others, checked: JSON's true is no number and its 1 no text."""
    if kind is float and isinstance(value, str) and value in NOT_FINITE:
        return NOT_FINITE[value]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return _number(float, value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    fits = isinstance(value, kind) if isinstance(kind, type) else False
    _require(fits and (kind is bool or not isinstance(value, bool)), kind)
    return value


def _items(kind: Any, value: Any) -> Any:
    """A tuple or list of values; `tuple[int, int]` has two."""
    _require(isinstance(value, list | tuple), kind)
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is tuple:
        return tuple(map(_from_json, _item_kinds(arguments, value), value))
    return [_from_json(arguments[0] if arguments else Any, item) for item in value]


def _array(kind: Any, value: Any) -> Any:
    """An array of the declared dtype and shape; values the dtype cannot hold are refused."""
    try:
        read = np.asarray(value)
        dtype = np.dtype(read.dtype.name if read.dtype.name in kind.dtypes else kind.dtypes[-1])
        array = read.astype(dtype)
    except (ValueError, TypeError, OverflowError):
        raise _UnfitError(_name(kind)) from None
    exact = read.size == 0 or dtype.kind == "f" or np.array_equal(read, array)
    _require(exact and isinstance(array, kind), kind)
    return array


def _literal(kind: Any, value: Any) -> Any:
    for allowed in get_args(kind):
        if type(allowed) is type(value) and allowed == value:
            return allowed
    raise _UnfitError(_name(kind))


def _first_fit(kind: Any, value: Any, read: Callable[[Any, Any], Any]) -> Any:
    """The first member of a union that fits; None is tried first and text last."""
    for member in sorted(get_args(kind), key=lambda m: (m is str, m is not types.NoneType)):
        try:
            return read(member, value)
        except _UnfitError:
            continue
    raise _UnfitError(_name(kind))


def _item_kinds(arguments: tuple[Any, ...], items: Sequence[Any]) -> list[Any]:
    if not arguments or (len(arguments) == 2 and arguments[1] is Ellipsis):
        return [arguments[0] if arguments else Any] * len(items)
    if len(arguments) != len(items):
        raise _UnfitError(f"{len(arguments)} values, got {len(items)}")
    return list(arguments)


def _number(kind: type[int] | type[float], value: str | int) -> int | float:
    try:
        number = kind(value)
    except (ValueError, OverflowError):
        raise _UnfitError(_name(kind)) from None
    if not math.isfinite(number):
        raise _UnfitError(f"a finite {_name(kind)}")
    return number


def _within(kind: Any, value: Any) -> Any:
    """The value, if it lies in the ranges of its annotated type."""
    ranges = [rule for rule in get_args(kind)[1:] if isinstance(rule, Range)]
    _require(all(value in allowed for allowed in ranges), kind)
    return value


def _require(fits: bool, kind: Any) -> None:
    if not fits:
        raise _UnfitError(_name(kind))


def _name(kind: Any) -> str:
    """A type in words: `mid | outer`, `number or none`, `number, number`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " | ".join(str(a) for a in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_name(a) for a in arguments)
    if origin is Annotated:
        return " ".join((_name(arguments[0]), *(str(a) for a in arguments[1:])))
    if origin is tuple:
        return ", ".join("..." if a is Ellipsis else _name(a) for a in arguments)
    words = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    words |= {Path: "path", types.NoneType: "none"}
    return words.get(kind) or str(getattr(kind, "__name__", kind))


def _text(value: Any) -> str:
    """A default as `--set` would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(_text(item) for item in value)
    return str(value)


def _short(value: Any) -> str:
    text = json.dumps(to_json(value))
    return text if len(text) <= 80 else text[:77] + "..."


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _attribute_help(cls: type[Any]) -> dict[str, str]:
    """Field name -> help, from the `Attributes:` section of a Google-style docstring."""
    _, _, section = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")
    helps: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line and not line.startswith(" "):
            break  # the next section
        head, colon, rest = line.strip().partition(":")
        if colon and head.isidentifier() and not line.startswith("     "):
            name = head
            helps[name] = rest.strip()
        elif name and line.strip():
            helps[name] += " " + line.strip()
    return helps
