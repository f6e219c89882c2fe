"""TIFF pages as raw samples, of every depth and compression that microscopes write."""

import logging
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from fabsight.decoding import Raw, check_page, check_size, opencv, pillow_samples, refusal

# Without a handler Python prints tifffile's remarks on damaged files to stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MINISWHITE, MINISBLACK, RGB = 0, 1, 2
UNCOMPRESSED = 1
DEFLATE = (8, 32946)
DEFLATE_RATIO = 1032  # no deflate stream grows by more (RFC 1951)
CHUNK_BYTES = 1_000_000
MAX_TILE_PADDING = 64_000_000  # tiles reach beyond the picture's edge
PACKED_BITS = (10, 12, 14)
ALPHA = (1, 2)  # extra samples: associated and unassociated alpha


def decode(path: Path, page: int, limit_mpx: float) -> Raw:
    """The samples of one page; orientation is not yet applied where it is reported."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        pages = len(file.pages)
        if not pages:
            raise OSError("it holds no page")
        check_page(path, page, pages)
        frame = _frame(file, page)
        _check(path, frame, limit_mpx)
        bits, kind = frame.bitspersample, frame.sampleformat
        simple = frame.photometric in (MINISWHITE, MINISBLACK, RGB)
        if simple and bits in (8, 16, 32, 64) and frame.compression in (UNCOMPRESSED, *DEFLATE):
            samples, said = _with_tifffile(path, frame)
        elif simple and bits in PACKED_BITS and frame.compression == UNCOMPRESSED:
            samples, said = _unpack(file.filehandle, frame), ()
        elif simple and (bits, kind) in ((16, 1), (32, 3), (64, 3)):
            samples, said = _with_opencv(path, page), ()  # LZW, PackBits and others
        elif bits in (1, 2, 4, 8):
            return _with_pillow(path, page, pages)
        else:
            raise refusal(
                path,
                f"{bits}-bit samples with {_name(frame.compression)} compression and "
                f"{_name(frame.photometric)} colours are not read",
                "save it as uncompressed 8- or 16-bit TIFF",
            )
        if frame.photometric == MINISWHITE:
            samples = _inverted(samples, bits)
        orientation = frame.tags.valueof(274, 1)
        return Raw(samples, pages, orientation if isinstance(orientation, int) else 1, said)


def tags(path: Path, page: int = 0) -> dict[int, Any]:
    """Tag code -> value of one page; those of page 0, where vendors write, where it lacks them.

    {} for a file that is no TIFF. Raises what `decoding.DECODER_ERRORS` lists when it is damaged.
    """
    import tifffile

    with path.open("rb") as stream:
        if stream.read(4) not in SIGNATURES:
            return {}
    with tifffile.TiffFile(path) as file:
        frames = [_frame(file, number) for number in dict.fromkeys((0, page))]
        return {tag.code: tag.value for frame in frames for tag in frame.tags}


def _frame(file: Any, page: int) -> Any:
    """A page with its own tags (tifffile keeps similar pages as frames that share them)."""
    frame = file.pages[page]
    return frame.aspage() if hasattr(frame, "aspage") else frame


def _check(path: Path, frame: Any, limit_mpx: float) -> None:
    """Refuse absurd headers and data that is not all there."""
    if frame.imagedepth != 1:
        raise refusal(path, "a page is a volume", "save its slices as pages")
    shape = frame.imagelength, frame.imagewidth, frame.samplesperpixel
    check_size(path, shape, (max(frame.bitspersample, 1) + 7) // 8, limit_mpx)
    size = path.stat().st_size
    ends = [o + n for o, n in zip(frame.dataoffsets, frame.databytecounts, strict=False)]
    if not ends or min(frame.databytecounts) < 0 or max(ends) > size:
        raise OSError(f"its samples should end at byte {max(ends, default=0)}, the file at {size}")
    expected = shape[0] * ((shape[1] * shape[2] * frame.bitspersample + 7) // 8)
    if frame.compression == UNCOMPRESSED and sum(frame.databytecounts) < expected:
        raise OSError(f"{sum(frame.databytecounts)} of {expected} bytes of samples")
    if frame.compression in DEFLATE:
        _check_deflate(frame, 2 * expected + MAX_TILE_PADDING)


def _check_deflate(frame: Any, most: int) -> None:
    """Refuse a strip or tile that inflates to more than `most` bytes: it was made to fill memory.

    tifffile inflates a segment whole, whatever its size.
    """
    file = frame.parent.filehandle
    for offset, count in zip(frame.dataoffsets, frame.databytecounts, strict=False):
        if count * DEFLATE_RATIO <= most:
            continue
        inflate, rest, size = zlib.decompressobj(), _read(file, offset, count), 0
        while rest and not inflate.eof and size <= most:
            size += len(inflate.decompress(rest, CHUNK_BYTES))
            rest = inflate.unconsumed_tail
        if size > most:
            raise OSError(f"a strip inflates to more than the picture's {most} bytes")


def _with_tifffile(path: Path, frame: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """(height, width[, channels]) with colour channels last and extra samples sorted out."""
    planes, _, height, width, mixed = frame.shaped  # samples in planes, or mixed pixel by pixel
    samples = frame.asarray(squeeze=False)[:, 0].transpose(1, 2, 0, 3)
    samples = samples.reshape(height, width, planes * mixed)
    count = planes * mixed
    if count == 1:
        return samples[..., 0], ()
    colours = 3 if frame.photometric == RGB or count == 3 else 1
    if count < colours:
        raise refusal(path, f"RGB with {count} channels", "export it again")
    extra = tuple(frame.extrasamples)[: count - colours]
    keep = colours + (bool(extra) and extra[0] in ALPHA)
    said: tuple[str, ...] = ()
    if count > keep:
        said = (f"{count - keep} extra channels were dropped; the first {keep} are kept",)
    samples = samples[..., :keep]
    return (samples[..., 0] if keep == 1 else samples), said


def _with_opencv(path: Path, page: int) -> np.ndarray:
    """16-bit and float samples in compressions that need libtiff."""
    import cv2

    def first() -> np.ndarray | None:
        data = np.fromfile(path, np.uint8)
        pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page, page + 1))[1]
        return pages[0] if pages else None

    return opencv(first)


def _with_pillow(path: Path, page: int, pages: int) -> Raw:
    """Palette, CMYK, YCbCr, 1-bit and 8-bit samples in any compression; upright already."""
    from PIL.TiffImagePlugin import TiffImageFile

    with path.open("rb") as file, TiffImageFile(file) as image:
        image.seek(page)
        samples, said = pillow_samples(image)
        return Raw(samples, pages, 1, said)


def _unpack(file: Any, frame: Any) -> np.ndarray:
    """Tightly packed 10-, 12- or 14-bit samples, most significant bit first, as uint16."""
    bits, row = frame.bitspersample, frame.imagewidth * frame.samplesperpixel
    data = b"".join(
        _read(file, offset, count)
        for offset, count in zip(frame.dataoffsets, frame.databytecounts, strict=True)
    )
    row_bytes = (row * bits + 7) // 8
    rows = np.frombuffer(data, np.uint8, frame.imagelength * row_bytes)
    single = np.unpackbits(rows.reshape(frame.imagelength, row_bytes), axis=1)[:, : row * bits]
    weights = 1 << np.arange(bits - 1, -1, -1, dtype=np.uint16)
    values = single.reshape(frame.imagelength, row, bits) @ weights
    if frame.samplesperpixel == 1:
        return values
    return values.reshape(frame.imagelength, frame.imagewidth, frame.samplesperpixel)


def _read(file: Any, offset: int, count: int) -> bytes:
    file.seek(offset)
    return bytes(file.read(count))


def _inverted(samples: np.ndarray, bits: int) -> np.ndarray:
    """Samples of a "white is zero" picture with white as the largest value."""
    if samples.dtype.kind == "f":
        return -samples
    if samples.dtype.kind == "i":
        return ~samples
    flipped: np.ndarray = samples ^ samples.dtype.type((1 << bits) - 1)
    return flipped


def _name(tag: Any) -> str:
    return str(getattr(tag, "name", tag))
