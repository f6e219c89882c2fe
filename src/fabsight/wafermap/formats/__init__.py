"""The files that fabs have, read to `Wafer`, and what can be written: no dependency, own readers.

    path --detect--> Format --read_wafers--> Wafer, Wafer, ...
    wafers --write_csv, write_g85, write_klarf12, write_klarf18--> file
    KLARF + classes --add_klarf_classes--> the same file with a column filled

Readers are tolerant of how a file is written and strict about how many dies, defects and records it
holds: docs/wafermap-formats.md says for each format what is read, counted and refused.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fabsight.task import FabsightError
from fabsight.wafermap.formats import (
    ascii_grids,
    bundles,
    e142,
    g85,
    klarf12,
    klarf18,
    pictures,
    sinf,
    stdf,
    tables,
)
from fabsight.wafermap.formats.csv_writing import write_csv
from fabsight.wafermap.formats.detection import kind_of
from fabsight.wafermap.formats.g85_writing import write_g85
from fabsight.wafermap.formats.klarf_classes import add_klarf_classes
from fabsight.wafermap.formats.klarf_writing import write_klarf12, write_klarf18
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import Wafer

__all__ = [
    "FORMATS",
    "WRITERS",
    "Format",
    "add_klarf_classes",
    "detect",
    "read_wafers",
    "recognises",
    "transcode",
    "write_csv",
    "write_g85",
    "write_klarf12",
    "write_klarf18",
]


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
        name: Its key in `FORMATS`.
        title: What people call it.
        sure: How sure a file of this kind is one of wafers, 0 to 1; a picture must prove it.
        read: The wafers of a file, one at a time.
    """

    name: str
    title: str
    sure: float
    read: Callable[[Path, WaferSettings], Iterator[Wafer]]


FORMATS: Mapping[str, Format] = {
    found.name: found
    for found in (
        Format("klarf12", "KLARF 1.1 or 1.2", 0.9, klarf12.read),
        Format("klarf18", "KLARF 1.8", 0.9, klarf18.read),
        Format("stdf", "STDF V4", 0.9, stdf.read),
        Format("sinf", "SINF", 0.9, sinf.read),
        Format("g85", "SEMI G85", 0.9, g85.read),
        Format("e142", "SEMI E142", 0.9, e142.read),
        Format("npz", "bundle of maps", 0.9, bundles.read),
        Format("csv", "table of dies", 0.6, tables.read),
        Format("ascii", "map in characters", 0.6, ascii_grids.read),
        Format("picture", "picture of a map", 0.7, pictures.read),
    )
}
WRITERS: Mapping[str, Callable[[Iterator[Wafer], Path], tuple[str, ...]]] = {
    "csv": write_csv,
    "g85": write_g85,
    "klarf12": write_klarf12,
    "klarf18": write_klarf18,
}


def detect(path: Path) -> Format | None:
    r"""What kind of file this is, by its content; None where it is no wafer file. Never raises.

    A picture is detected as one; whether it shows a wafer map, `recognises` says.

    >>> path = getfixture("tmp_path") / "no.name"
    >>> _ = path.write_text("lot,wafer,x,y,bin\nA,1,0,0,1\n")
    >>> detect(path).name, detect(path.parent)
    ('csv', None)
    """
    return FORMATS.get(kind_of(Path(path)))


def recognises(path: Path) -> float:
    r"""How sure it is that a file holds wafers, 0 to 1; never raises.

    >>> path = getfixture("tmp_path") / "a.txt"
    >>> _ = path.write_text("..1..\n.1X1.\n..1..\n")
    >>> recognises(path)
    0.6
    """
    found = detect(path)
    if found is None:
        return 0.0
    if found.name == "picture" and not pictures.surely_a_map(Path(path)):
        return 0.0
    return found.sure


def read_wafers(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The wafers of a file of any known kind, in its order, notch down, one at a time.

    Raises FabsightError naming file, record and rule where the file is none of them, is damaged, or
    holds another number of dies, defects or records than it states.
    """
    path = Path(path)
    found = detect(path)
    if found is None:
        if not path.exists():
            raise FabsightError(f"read {path}: there is no such file; check the name")
        raise FabsightError(
            f"read {path}: no wafer file: its content is none of "
            f"{', '.join(known.title for known in FORMATS.values())}"
        )
    yield from found.read(path, settings)


def transcode(source: Path, to: str, out: Path, settings: WaferSettings) -> tuple[str, ...]:
    """Write the wafers of a file in another format; what a person should know about the result.

    Raises FabsightError where `to` is not one of csv, g85, klarf12, klarf18, or the file cannot be
    read.
    """
    if to not in WRITERS:
        raise FabsightError(
            f"convert {source}: wafers cannot be written as {to!r}; one of {', '.join(WRITERS)} can"
        )
    said: dict[str, None] = {}

    def wafers() -> Iterator[Wafer]:
        for wafer in read_wafers(source, settings):
            said.update(dict.fromkeys(wafer.warnings))
            yield wafer

    kept = WRITERS[to](wafers(), Path(out))
    return (*said, *kept)
