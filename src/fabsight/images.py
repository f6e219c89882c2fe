"""The one reader of images, and what every task does with them before looking.

    image = read(Path("frame.tif"))          # raw values, scale from the microscope's metadata
    grey(image)                              # float32 (height, width), not rescaled
    to_8bit(image)                           # uint8 RGB for showing; 16-bit is windowed
    save_png(Path("out.png"), picture)       # whole or not at all

Raw values are never clipped or rescaled on reading: what is measured is what was recorded.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from fabsight.decoding import decode, refusal
from fabsight.files import replace_file
from fabsight.task import FabsightError, Image, Picture, Pixels
from fabsight.vision.scale import find_scale

CLIPPED_SHARE = 0.01  # more than this outside the window is worth a warning
EXACT_FLOAT32 = 2**24
LARGEST = 1e15  # of a float value: sums of squares of larger ones overflow


def read(path: Path, *, page: int = 0, limit_mpx: float = 400.0) -> Image:
    """The picture in a PNG, TIFF, JPEG, BMP, WebP or NPY file, with its scale where it is known.

    uint8 and uint16 stay as they are (10 and 12 bits are held in uint16 unscaled), 1-bit becomes
    0 and 255, other integers uint16 where they fit and float32 otherwise, floats float32. An alpha
    channel is dropped, with a warning unless it is opaque; CMYK becomes RGB with a warning; EXIF
    orientation is applied. `page` picks one of several pages. A file that declares more than
    `limit_mpx` megapixels is refused before it is decoded.

    Raises FabsightError naming the file, what was found and the fix.

    >>> read(Path("no-such.png"))
    Traceback (most recent call last):
    ...
    fabsight.task.FabsightError: read image: no-such.png: there is no such file; check the path
    """
    path = Path(path)
    raw = decode(path, page, limit_mpx)
    said = list(raw.warnings)
    if raw.pages > 1:
        said.append(f"the file holds {raw.pages} pages; page {page} was read")
    pixels = _upright(_typed(path, _opaque(raw.samples, said), said), raw.orientation)
    scale = find_scale(path, page=page, width_px=raw.samples.shape[1])
    return Image(pixels, scale.nm_per_px, scale.source, (*said, *scale.warnings))


def grey(image: Image) -> Float32[np.ndarray, "height width"]:
    """Raw grey values, not rescaled; of RGB the luminance (0.299 R + 0.587 G + 0.114 B, BT.601).

    >>> grey(Image(np.full((1, 2, 3), 77, np.uint8)))
    array([[77., 77.]], dtype=float32)
    """
    pixels = image.pixels.astype(np.float32)
    if pixels.ndim == 2:
        return pixels
    red, green, blue = np.moveaxis(pixels, -1, 0)
    # This form gives exactly the common value where the channels are equal.
    luminance: np.ndarray = (
        green + np.float32(0.299) * (red - green) + np.float32(0.114) * (blue - green)
    )
    return luminance


def is_binary(grey: Float32[np.ndarray, "height width"]) -> bool:
    """Whether an image has two levels at most: a mask.

    >>> is_binary(np.array([[0, 255, 255]], np.float32))
    True
    """
    return bool(((grey == grey.min()) | (grey == grey.max())).all())


def window(
    image: Image, low_percent: float = 0.1, high_percent: float = 99.9
) -> tuple[float, float]:
    """The raw values shown as black and as white by `to_8bit`; (0, 255) for 8-bit images.

    >>> window(Image(np.array([[100, 4000]], np.uint16)), 0, 100)
    (100.0, 4000.0)
    """
    if not 0 <= low_percent < high_percent <= 100:
        raise FabsightError(
            f"window: {low_percent} to {high_percent} %: "
            "give 0 <= low_percent < high_percent <= 100"
        )
    if image.pixels.dtype == np.uint8:
        return 0.0, 255.0
    low, high = np.percentile(image.pixels, (low_percent, high_percent))
    if high <= low:  # flat, but for a few pixels
        low, high = image.pixels.min(), image.pixels.max()
    return float(low), float(high)


def to_8bit(image: Image, low_percent: float = 0.1, high_percent: float = 99.9) -> Picture:
    """The image for showing: uint8 RGB; 8-bit values unchanged, others windowed by percentiles.

    >>> to_8bit(Image(np.array([[100, 2050, 4000]], np.uint16)), 0, 100)[0, :, 0].tolist()
    [0, 128, 255]
    """
    pixels = image.pixels
    if pixels.dtype != np.uint8:
        low, high = window(image, low_percent, high_percent)
        scaled = (pixels.astype(np.float32) - low) * (255 / max(high - low, 1e-30))
        pixels = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def clipping_warning(image: Image, shown: tuple[float, float]) -> str:
    """A sentence when more than 1 % of the values lie outside the window shown, else "".

    >>> clipping_warning(Image(np.arange(100, dtype=np.uint16)[None]), (0, 89))
    '10.0 % of the pixel values lie outside the window 0 to 89'
    """
    low, high = shown
    share = float(np.mean((image.pixels < low) | (image.pixels > high)))
    if share <= CLIPPED_SHARE:
        return ""
    return f"{share:.1%} of the pixel values lie outside the window {low:g} to {high:g}".replace(
        "%", " %", 1
    )


def save_png(path: Path, picture: Pixels) -> None:
    """Write a PNG, whole or not at all: 8 or 16 bits, grey or RGB; raw values, nothing rescaled.

    Raises FabsightError for float values, which PNG cannot hold, and for an unwritable path.
    """
    import cv2

    if picture.dtype not in (np.uint8, np.uint16):
        raise FabsightError(
            f"save image: {path}: PNG holds no {picture.dtype} values; give uint8 or uint16 "
            "(`to_8bit` makes a picture of any image)"
        )
    stored = picture if picture.ndim == 2 else picture[..., ::-1]
    written, data = cv2.imencode(".png", np.ascontiguousarray(stored))
    if not written:
        raise FabsightError(f"save image: {path}: a picture of shape {picture.shape} has no PNG")
    replace_file(path, data.tobytes())


def _opaque(samples: np.ndarray, said: list[str]) -> np.ndarray:
    """The samples without their alpha channel."""
    if samples.ndim == 2:
        return samples
    channels = samples.shape[2]
    if channels in (2, 4):
        alpha, samples = samples[..., -1], samples[..., :-1]
        top = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1
        if (alpha < top).any():
            share = float(np.mean(alpha < top))
            said.append(f"{100 * share:.1f} % of the pixels are transparent; alpha was dropped")
    return samples[..., 0] if samples.shape[2] == 1 else samples


def _typed(path: Path, samples: np.ndarray, said: list[str]) -> np.ndarray:
    """The samples as uint8, uint16 or float32, values unchanged."""
    kind, size = samples.dtype.kind, samples.dtype.itemsize
    if kind == "b":
        return samples.astype(np.uint8) * np.uint8(255)
    if kind == "u" and size <= 2:
        return np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
    if kind in "iu":
        low, high = int(samples.min()), int(samples.max())
        if low >= 0 and high <= np.iinfo(np.uint16).max:
            return samples.astype(np.uint16)
        if max(-low, high) > EXACT_FLOAT32:
            said.append(f"{samples.dtype} values up to {high} were rounded to float32")
        return samples.astype(np.float32)
    with np.errstate(over="ignore"):
        values = samples.astype(np.float32)
    bad = int(values.size - np.count_nonzero(np.abs(values) <= LARGEST))
    if bad:
        raise refusal(
            path,
            f"{bad} of {values.size} values are NaN, infinite or beyond {LARGEST:g}",
            "fill them first, for example with the background's value, or scale them",
        )
    return values


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels as EXIF orientation 1 to 8 says they are to be seen (0th row, 0th column)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
