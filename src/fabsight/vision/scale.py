"""Pixel size from what the microscope wrote beside the pixels.

Routes, most trusted first:

    FEI / Thermo    TIFF tags 34680 and 34682: [Scan] PixelWidth (m); field width / picture width
    Zeiss           TIFF tag 34118: AP_IMAGE_PIXEL_SIZE; AP_WIDTH / picture width. AP_PIXEL_SIZE
                    refers to the screen and is off by a factor of 2 on many files: never used
    TESCAN          TIFF tag 50431, or a .hdr file beside the picture: [MAIN] PixelSizeX (m)
    OME-XML         PhysicalSizeX of the description
    ImageJ          unit of the description and XResolution (px per unit)
    Hitachi         .txt beside the picture: PixelSize (nm)
    JEOL            .txt beside the picture: $$SM_MICRON_BAR (px) and $$SM_MICRON_MARKER (length)

TIFF XResolution in inches or centimetres is a print resolution and never a scale. All routes are
followed; two that disagree by more than 2 % are reported, as are pixels that are not square.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree

from fabsight.decoding import DECODER_ERRORS
from fabsight.vision import tiff

TOLERANCE = 0.02
PLAUSIBLE_NM = (1e-4, 1e8)  # below an atom's hundredth or above 10 cm a pixel: a wrong unit
MAX_SIDECAR_BYTES = 1_000_000
NM_PER_UNIT = {
    "pm": 1e-3, "å": 0.1, "angstrom": 0.1, "nm": 1.0, "nanometer": 1.0, "um": 1e3,
    "micron": 1e3, "microns": 1e3, "micrometer": 1e3, "mm": 1e6, "millimeter": 1e6, "cm": 1e7,
    "m": 1e9, "meter": 1e9,
}  # fmt: skip
Route: TypeAlias = tuple[float, str]  # nm per pixel, source
Tags: TypeAlias = Mapping[int, Any]


@dataclass(frozen=True)
class Scale:
    """A pixel size and where it came from.

    Attributes:
        nm_per_px: Width of one pixel in nm, None when nothing says it.
        source: The route in words, "" when unknown.
        warnings: Disagreements a person should know.
    """

    nm_per_px: float | None = None
    source: str = ""
    warnings: tuple[str, ...] = ()


def find_scale(path: Path, *, page: int = 0, width_px: int | None = None) -> Scale:
    """The pixel size that the file's metadata and the text files beside it say.

    `width_px` is the width of the picture as stored; it turns a field width into a pixel size.
    Damaged metadata gives no scale and no error: the picture itself may still be good.
    """
    tags, heard = _tiff_tags(path, page)
    routes: list[Route] = []
    for follow in (_fei, _zeiss, _tescan, _ome, _imagej):
        try:
            routes += follow(tags, width_px)
        except DECODER_ERRORS as error:
            heard.append(f"{follow.__name__[1:]} metadata cannot be read ({error})")
    routes += _sidecars(path)
    low, high = PLAUSIBLE_NM
    odd = [f"{source} says {nm:g} nm per pixel" for nm, source in routes if not low <= nm <= high]
    heard += [f"{text}, which cannot be; ignored" for text in odd]
    return _settle([route for route in routes if low <= route[0] <= high], heard)


def parse_length_nm(text: str) -> float | None:
    """A length such as "4.5 nm", "1um" or "0.5 µm" in nm; None where it is none.

    >>> parse_length_nm("0.5 µm"), parse_length_nm("fast")
    (500.0, None)
    """
    match = re.fullmatch(r"\s*([-+.\deE]*\d[.]?)\s*([^\d\s]+)\s*", text)
    unit = unit_nm(match[2]) if match else None
    try:
        return float(match[1]) * unit if match and unit else None
    except ValueError:
        return None


def unit_nm(name: str) -> float | None:
    """Nanometres in a unit of length, None for any other word.

    >>> unit_nm("µm"), unit_nm("pixel")
    (1000.0, None)
    """
    plain = name.strip().strip('"').replace("\\u00B5", "u").replace("µ", "u").replace("μ", "u")
    return NM_PER_UNIT.get(plain.lower())


def _settle(routes: list[Route], heard: list[str]) -> Scale:
    if not routes:
        return Scale(None, "", tuple(heard))
    nm, source = routes[0]
    for other, name in routes[1:]:
        if abs(other - nm) > TOLERANCE * nm:
            heard.append(
                f"scale: {source} says {nm:.4g} nm per pixel, {name} {other:.4g}; the first is "
                "used. Was the picture resized or cropped?"
            )
    return Scale(nm, source, tuple(heard))


def _tiff_tags(path: Path, page: int) -> tuple[Tags, list[str]]:
    try:
        return tiff.tags(path, page), []
    except DECODER_ERRORS as error:
        return {}, [f"its metadata cannot be read ({error})"]


def _fei(tags: Tags, width_px: int | None) -> Iterator[Route]:
    for code in (34682, 34680):
        sections = tags.get(code)
        if not isinstance(sections, dict):
            continue
        fields = {key: value for part in sections.values() for key, value in part.items()}
        yield from _metres(fields, "PixelWidth", f"FEI tag {code} PixelWidth")
        yield from _metres(fields, "PixelHeight", f"FEI tag {code} PixelHeight")
        for key in ("HFW", "HorFieldsize"):
            if width_px:
                source = f"FEI tag {code} {key} / width"
                yield from ((nm / width_px, source) for nm, _ in _metres(fields, key, source))


def _metres(fields: Mapping[str, Any], key: str, source: str) -> Iterator[Route]:
    value = fields.get(key)
    if isinstance(value, int | float) and value > 0:
        yield value * 1e9, source


def _zeiss(tags: Tags, width_px: int | None) -> Iterator[Route]:
    fields = tags.get(34118)
    if not isinstance(fields, dict):
        return
    for key, divisor in (("ap_image_pixel_size", 1), ("ap_width", width_px)):
        entry = fields.get(key, ())
        unit = unit_nm(str(entry[2])) if len(entry) == 3 else None
        if unit and divisor and isinstance(entry[1], int | float):
            source = f"Zeiss tag 34118 {key.upper()}" + (" / width" if divisor != 1 else "")
            yield entry[1] * unit / divisor, source


def _tescan(tags: Tags, _: int | None) -> Iterator[Route]:
    yield from _tescan_text(_text(tags.get(50431)), "TESCAN tag 50431")


def _tescan_text(text: str, source: str) -> Iterator[Route]:
    for key in ("PixelSizeX", "PixelSizeY"):
        match = re.search(rf"^[ \t]*{key}[ \t]*=[ \t]*([-+.\deE]+)", text, re.MULTILINE)
        if match:
            yield from _metres({key: float(match[1])}, key, f"{source} {key}")


def _ome(tags: Tags, _: int | None) -> Iterator[Route]:
    text = _text(tags.get(270))
    if "<OME" not in text[:2000]:
        return
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("OME-XML with a document type or entities is not parsed")
    for pixels in ElementTree.fromstring(text.strip("\0 \r\n")).iter():
        if not pixels.tag.endswith("}Pixels") and pixels.tag != "Pixels":
            continue
        for axis in ("X", "Y"):
            size = pixels.get(f"PhysicalSize{axis}")
            unit = unit_nm(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
            if size and unit:
                yield float(size) * unit, f"OME-XML PhysicalSize{axis}"
        return  # the first picture's


def _imagej(tags: Tags, _: int | None) -> Iterator[Route]:
    text = _text(tags.get(270))
    unit = re.search(r"^unit=(.*)$", text, re.MULTILINE)
    factor = unit_nm(unit[1]) if unit and text.startswith("ImageJ=") else None
    for code, axis in ((282, "XResolution"), (283, "YResolution")):
        resolution = tags.get(code)
        if factor and isinstance(resolution, tuple) and resolution[0] > 0 and resolution[1] > 0:
            yield factor * resolution[1] / resolution[0], f"ImageJ unit and {axis}"


def _sidecars(path: Path) -> list[Route]:
    """Scales from text files of the same name: picture.txt, picture.hdr, picture-tif.hdr."""
    readers: dict[str, Callable[[str], Iterator[Route]]] = {".txt": _hitachi_or_jeol}
    readers[".hdr"] = lambda text: _tescan_text(text, "TESCAN .hdr")
    routes: list[Route] = []
    for suffix, reader in readers.items():
        stems = (path.stem, f"{path.stem}-{path.suffix[1:]}")
        for name in (f"{stem}{end}" for stem in stems for end in (suffix, suffix.upper())):
            sidecar = path.with_name(name)
            try:
                if sidecar.is_file() and sidecar.stat().st_size <= MAX_SIDECAR_BYTES:
                    routes += reader(_decoded(sidecar.read_bytes()))
            except (OSError, ValueError):
                continue  # not to be opened, or it merely has the same name
    return routes


def _hitachi_or_jeol(text: str) -> Iterator[Route]:
    hitachi = re.search(r"^PixelSize\s*=\s*([-+.\deE]+)", text, re.MULTILINE)
    if "[SemImageFile]" in text and hitachi:
        yield float(hitachi[1]), "Hitachi .txt PixelSize"
    bar = re.search(r"^\$\$SM_MICRON_BAR\s+(\d+)", text, re.MULTILINE)
    label = re.search(r"^\$\$SM_MICRON_MARKER\s+(\S+)", text, re.MULTILINE)
    length = parse_length_nm(label[1]) if label else None
    if bar and length and int(bar[1]):
        yield length / int(bar[1]), "JEOL .txt SM_MICRON_BAR"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return _decoded(value) if isinstance(value, bytes) else ""


def _decoded(data: bytes) -> str:
    """Text of a file that does not say its encoding."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
