"""From an image file to raw samples: PNG, TIFF, JPEG, BMP, WebP and NPY.

The format is found from the content. The size a header declares is checked before anything is
decoded, because a file of a kilobyte can declare a gigapixel. Samples keep their depth: Pillow
decodes 16-bit colour to 8 bits without a word, so 16-bit PNG goes through OpenCV and TIFF through
tifffile (through OpenCV or Pillow where the compression needs libtiff).
"""

import struct
import threading
import tokenize
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from fabsight.task import FabsightError

FORMATS = "PNG, TIFF, JPEG, BMP, WebP or NPY"
MAX_CHANNELS = 4
MAX_SAMPLE_BYTES = 8
MAX_PIXEL_BYTES = 8  # of a picture as large as the limit: 16-bit RGBA, float64 grey
# What decoders raise on damaged files. They are not ours: any parse error may come out of them.
DECODER_ERRORS = (
    OSError,
    ValueError,  # tifffile's own errors and Unicode errors are among them
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SyntaxError,
    EOFError,
    AssertionError,
    NotImplementedError,
    MemoryError,
    RuntimeError,
    ImportError,
    struct.error,
    tokenize.TokenError,  # numpy's header parser
    zlib.error,
)
_ONE_AT_A_TIME = threading.Lock()  # warnings and Pillow's limit belong to the process
_OTHER_CONTENT = {
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x89HDF": "an HDF5 file",
    b"\x00\x00\x00\x03\x00": "a Gatan DM3 file",
    b"\x00\x00\x00\x04\x00": "a Gatan DM4 file",
    b"\x00\x00\x00\x0cjP": "a JPEG 2000 picture",
    b"\x00\x06\x00\x02": "a GDSII layout",
    b"%SEMI-OASIS": "an OASIS layout",
    b"<?xml": "an XML or SVG file",
    b"<svg": "an SVG drawing",
}


@dataclass(frozen=True, eq=False)
class Raw:
    """Samples as the file holds them.

    Attributes:
        samples: (height, width) or (height, width, channels) with 1 to 4 channels: grey, grey and
            alpha, RGB, RGB and alpha; any real dtype.
        pages: How many pictures the file holds.
        orientation: EXIF orientation, 1 to 8, still to be applied.
        warnings: What a person should know about the decoding.
    """

    samples: np.ndarray
    pages: int = 1
    orientation: int = 1
    warnings: tuple[str, ...] = ()


def decode(path: Path, page: int = 0, limit_mpx: float = 400.0) -> Raw:
    """The samples of one page of an image file.

    Raises FabsightError, naming the file, what was found and the fix, for a file that is absent,
    empty, no image, damaged, too large, or has no such page.
    """
    reader = _reader(path)
    with _ONE_AT_A_TIME, _own_limit(), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            raw = reader(path, page, limit_mpx)
            check_size(path, raw.samples.shape, 1, limit_mpx)
        except DECODER_ERRORS as error:
            what = " ".join(str(error).split())[:200] or type(error).__name__
            raise refusal(
                path, f"the file is damaged or cut off ({what})", "copy or export it again"
            ) from error
    said = dict.fromkeys(" ".join(str(w.message).split())[:200] for w in heard)
    return Raw(raw.samples, raw.pages, raw.orientation, (*raw.warnings, *said))


@contextmanager
def _own_limit() -> Iterator[None]:
    """Lift Pillow's limit, one number for the whole process: ours is an argument, checked first."""
    import PIL.Image

    before, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = before


def refusal(path: Path, found: str, fix: str) -> FabsightError:
    """The error that says why a file cannot be read as an image."""
    return FabsightError(f"read image: {path}: {found}; {fix}")


def check_size(path: Path, shape: tuple[int, ...], sample_bytes: int, limit_mpx: float) -> None:
    """Refuse a declared size (height, width[, channels]) before anything is decoded."""
    height, width, channels = (*shape, 1)[:3]
    if min(height, width, channels) < 1:
        raise refusal(path, f"the header says {width} x {height} px", "export it again")
    if width * height > limit_mpx * 1e6:
        raise refusal(
            path,
            f"the header says {width} x {height} px = {width * height / 1e6:.0f} Mpx, over the "
            f"limit of {limit_mpx:g} Mpx",
            "crop or tile it, or raise limit_mpx",
        )
    if channels > MAX_CHANNELS or sample_bytes > MAX_SAMPLE_BYTES:
        raise refusal(
            path,
            f"{channels} channels of {8 * sample_bytes} bits a pixel",
            f"give grey or RGB with at most alpha, up to {8 * MAX_SAMPLE_BYTES} bits",
        )
    size_mb = width * height * channels * sample_bytes / 1e6
    if size_mb > limit_mpx * MAX_PIXEL_BYTES:
        raise refusal(
            path,
            f"the header says {width} x {height} px of {channels * sample_bytes} bytes = "
            f"{size_mb:.0f} MB, over the limit of {limit_mpx * MAX_PIXEL_BYTES:g} MB",
            "crop or tile it, or raise limit_mpx",
        )


def check_page(path: Path, page: int, pages: int) -> None:
    """Refuse a page the file does not have."""
    if not 0 <= page < pages:
        raise refusal(path, f"there is no page {page}", f"give a page from 0 to {pages - 1}")


def _reader(path: Path) -> Callable[[Path, int, float], Raw]:
    """The reader for a file's content."""
    from fabsight.vision import tiff

    head = _head(path)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png
    if head.startswith(tiff.SIGNATURES):
        return tiff.decode
    if head.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if head.startswith(b"BM"):
        return _bmp
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp
    if head.startswith(b"\x93NUMPY"):
        return _npy
    found = next((n for magic, n in _OTHER_CONTENT.items() if head.startswith(magic)), "")
    if not found:
        text = all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head)
        found = "a text file" if text else f"unknown content (it begins {head[:8].hex(' ')})"
    raise refusal(path, f"this is {found}", f"give {FORMATS}")


def _head(path: Path) -> bytes:
    """The first bytes of a file that is one."""
    try:
        if path.is_dir():
            raise refusal(path, "this is a folder", "give a file in it")
        if not path.exists():
            raise refusal(path, "there is no such file", "check the path")
        if not path.is_file():
            raise refusal(path, "this is no regular file", f"give {FORMATS}")
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise refusal(path, f"it cannot be opened ({error.strerror})", "check it") from error
    if not head:
        raise refusal(path, "the file is empty", "copy or export it again")
    return head


def _png(path: Path, page: int, limit_mpx: float) -> Raw:
    from PIL.PngImagePlugin import PngImageFile

    with path.open("rb") as file:
        header = file.read(29)
    width, height, depth = struct.unpack(">IIB", header[16:25])
    if depth < 16:
        return _pillow(path, page, limit_mpx, PngImageFile)
    import cv2

    check_size(path, (height, width), 2, limit_mpx)
    with PngImageFile(path) as image:
        orientation = image.getexif().get(274, 1)
        pages = getattr(image, "n_frames", 1)
        check_page(path, page, pages)
        if page:
            raise refusal(path, "pages of animated 16-bit PNG are not read", "give page 0")
    with PngImageFile(path) as image:
        image.verify()  # checksums: OpenCV would fill a cut-off picture with black
    samples = opencv(lambda: cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED))
    return Raw(samples, pages, orientation)


def opencv(decoder: Callable[[], np.ndarray | None]) -> np.ndarray:
    """What an OpenCV decoder gives, as RGB or RGBA; OSError where it gives nothing.

    OpenCV writes its complaints to stderr; the error that follows says enough.
    """
    import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        samples = decoder()
    except cv2.error as error:
        raise OSError(error.err) from error
    finally:
        cv2.utils.logging.setLogLevel(level)
    if samples is None:
        raise OSError("OpenCV cannot decode it")
    return samples if samples.ndim == 2 else samples[..., [2, 1, 0, 3][: samples.shape[2]]]


def _jpeg(path: Path, page: int, limit_mpx: float) -> Raw:
    from PIL.JpegImagePlugin import JpegImageFile

    return _pillow(path, page, limit_mpx, JpegImageFile)


def _bmp(path: Path, page: int, limit_mpx: float) -> Raw:
    from PIL.BmpImagePlugin import BmpImageFile

    return _pillow(path, page, limit_mpx, BmpImageFile)


def _webp(path: Path, page: int, limit_mpx: float) -> Raw:
    from PIL.WebPImagePlugin import WebPImageFile

    with path.open("rb") as file:
        head = file.read(30)  # libwebp allocates the canvas as soon as it opens a file
    check_size(path, _webp_size(head), 1, limit_mpx)
    return _pillow(path, page, limit_mpx, WebPImageFile)


def _webp_size(head: bytes) -> tuple[int, int]:
    """(height, width) of a WebP header (RFC 9649, section 2)."""
    kind = head[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(head[24:27], "little") + 1
        return int.from_bytes(head[27:30], "little") + 1, width
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    width, height = struct.unpack("<HH", head[26:30])
    return height & 0x3FFF, width & 0x3FFF


def _pillow(path: Path, page: int, limit_mpx: float, opener: Callable[[IO[bytes]], Any]) -> Raw:
    """Decode with one Pillow plugin: whatever the content claims, no other parser is tried."""
    with path.open("rb") as file, opener(file) as image:
        check_size(path, (image.height, image.width), 4, limit_mpx)
        pages = getattr(image, "n_frames", 1)
        check_page(path, page, pages)
        if page:
            image.seek(page)
        samples, said = pillow_samples(image)
        return Raw(samples, pages, image.getexif().get(274, 1), said)


def pillow_samples(image: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """The samples of an opened Pillow image, and a warning where its colours were converted."""
    image.load()
    mode: str = image.mode
    said: tuple[str, ...] = ()
    if mode in ("CMYK", "LAB", "HSV"):
        said = (f"the picture is {mode}; it was converted to RGB, values are approximate",)
    if mode in ("P", "PA"):
        alpha = mode == "PA" or "transparency" in image.info
        samples = np.asarray(image.convert("RGBA" if alpha else "RGB"))
        grey = (samples[..., :1] == samples[..., 1:3]).all()  # a palette of greys is a grey image
        return (samples[..., [0, 3][: 1 + alpha]] if grey else samples), said
    if "transparency" in image.info and mode in ("1", "L", "RGB"):
        image = image.convert("RGBA" if mode == "RGB" else "LA")
    elif mode in ("CMYK", "LAB", "HSV", "YCbCr", "RGBX"):
        image = image.convert("RGB")
    elif mode in ("La", "RGBa"):
        image = image.convert(mode.upper())
    return np.asarray(image), said


def _npy(path: Path, page: int, limit_mpx: float) -> Raw:
    """An array file; (pages, height, width) is a stack, (height, width, 1 to 4) has channels."""
    stored = np.load(path, mmap_mode="r", allow_pickle=False)  # maps: reads the header only
    if stored.dtype.kind not in "buif" or stored.ndim not in (2, 3, 4):
        raise refusal(
            path,
            f"an array of {stored.dtype} with shape {stored.shape}",
            "give real numbers with shape (height, width[, channels]) or (pages, height, width)",
        )
    if stored.ndim == 4 or (stored.ndim == 3 and stored.shape[2] > MAX_CHANNELS):
        check_page(path, page, len(stored))
        one, pages = stored[page], len(stored)
    else:
        check_page(path, page, 1)
        one, pages = stored, 1
    check_size(path, one.shape, one.itemsize, limit_mpx)
    return Raw(np.array(one), pages)
