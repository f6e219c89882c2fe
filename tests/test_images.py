import contextlib
import io
import os
import stat
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2  # noqa: TID253
import numpy as np
import PIL.Image  # noqa: TID253
import pytest
import tifffile  # noqa: TID253
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabsight.files import replace_file
from fabsight.images import clipping_warning, grey, read, save_png, to_8bit, window
from fabsight.task import FabsightError, Image

RNG = np.random.default_rng(7)
GREY8 = RNG.integers(0, 256, (11, 17), np.uint8)
RGB8 = RNG.integers(0, 256, (11, 17, 3), np.uint8)
GREY16 = RNG.integers(0, 65536, (11, 17)).astype(np.uint16)
RGB16 = RNG.integers(0, 65536, (11, 17, 3)).astype(np.uint16)
PROFILE = settings().max_examples  # 100, or the many of `make fuzz`
files = settings(
    max_examples=PROFILE * 3 // 5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def pil(array, mode=None):
    return PIL.Image.fromarray(array) if mode is None else PIL.Image.fromarray(array).convert(mode)


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(array, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def png16(array):
    return cv2.imencode(
        ".png", array if array.ndim == 2 else array[..., [2, 1, 0, 3][: array.shape[2]]]
    )[1].tobytes()


def read_bytes(folder, data, **options):
    path = folder / "x.dat"  # the extension must not matter
    path.write_bytes(data)
    return read(path, **options)


LOSSLESS = {
    "png grey 8": (encoded(pil(GREY8), "PNG"), GREY8),
    "png rgb 8": (encoded(pil(RGB8), "PNG"), RGB8),
    "png grey 16": (encoded(pil(GREY16), "PNG"), GREY16),
    "png rgb 16": (png16(RGB16), RGB16),
    "png 1 bit": (encoded(pil(GREY8 > 127), "PNG"), (GREY8 > 127) * np.uint8(255)),
    "png grey palette": (encoded(pil(GREY8 & 0xF0).convert("P"), "PNG"), GREY8 & 0xF0),
    "bmp grey": (encoded(pil(GREY8), "BMP"), GREY8),
    "bmp rgb": (encoded(pil(RGB8), "BMP"), RGB8),
    "webp rgb": (encoded(pil(RGB8), "WEBP", lossless=True), RGB8),
    "tiff grey 8": (tiff(GREY8), GREY8),
    "tiff rgb 8": (tiff(RGB8, photometric="rgb"), RGB8),
    "tiff rgb 16": (tiff(RGB16, photometric="rgb"), RGB16),
    "tiff rgb 16 planar": (
        tiff(np.moveaxis(RGB16, 2, 0).copy(), photometric="rgb", planarconfig="separate"),
        RGB16,
    ),
    "tiff big-endian 16": (tiff(GREY16.astype(">u2"), byteorder=">"), GREY16),
    "tiff bigtiff 16": (tiff(GREY16, bigtiff=True), GREY16),
    "tiff tiled deflate 16": (
        tiff(GREY16, tile=(16, 16), compression="zlib", predictor=True),
        GREY16,
    ),
    "tiff lzw 16": (encoded(pil(GREY16), "TIFF", compression="tiff_lzw"), GREY16),
    "tiff lzw 8": (encoded(pil(RGB8), "TIFF", compression="tiff_lzw"), RGB8),
    "tiff packbits 8": (encoded(pil(GREY8), "TIFF", compression="packbits"), GREY8),
    "tiff group 4": (
        encoded(pil(GREY8 > 127), "TIFF", compression="group4"),
        (GREY8 > 127) * np.uint8(255),
    ),
    "tiff 1 bit": (encoded(pil(GREY8 > 127), "TIFF"), (GREY8 > 127) * np.uint8(255)),
    "tiff float32": (tiff(GREY16.astype(np.float32) / 7), GREY16.astype(np.float32) / 7),
    "tiff float64": (tiff(GREY16.astype(np.float64)), GREY16.astype(np.float32)),
    "tiff int32": (tiff(GREY16.astype(np.int32)), GREY16),
    "tiff int16 signed": (tiff(GREY8.astype(np.int16) - 9), GREY8.astype(np.float32) - 9),
    "tiff white is zero": (tiff(GREY16, photometric="miniswhite"), 65535 - GREY16),
    "tiff signed, white is zero": (
        tiff(GREY8.astype(np.int16), photometric="miniswhite"),
        -1 - GREY8.astype(np.float32),
    ),
    "npy grey": (npy(GREY16), GREY16),
    "npy rgb": (npy(RGB8), RGB8),
    "npy fortran": (npy(np.asfortranarray(RGB16)), RGB16),
    "npy bool": (npy(GREY8 > 127), (GREY8 > 127) * np.uint8(255)),
    "npy big-endian float": (npy(GREY16.astype(">f8")), GREY16.astype(np.float32)),
    "npy one channel": (npy(GREY8[..., None]), GREY8),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_raw_values_are_kept(tmp_path, name):
    data, expected = LOSSLESS[name]
    image = read_bytes(tmp_path, data)
    assert image.pixels.dtype == expected.dtype
    assert np.array_equal(image.pixels, expected)
    assert image.warnings == ()
    assert image.nm_per_px is None


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_samples_are_unpacked_unscaled(tmp_path, bits):
    values = GREY16 >> (16 - bits)
    packed = (values[..., None] >> np.arange(bits)[::-1] & 1).astype(np.uint8).reshape(11, -1)
    data = packed_tiff(np.packbits(packed, axis=1).tobytes(), width=17, height=11, bits=bits)
    image = read_bytes(tmp_path, data)
    assert image.pixels.dtype == np.uint16
    assert np.array_equal(image.pixels, values)


def packed_tiff(data, width, height, bits):
    tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 8 + 2 + 12 * 9 + 4), (277, 3, 1), (278, 4, height), (279, 4, len(data))]
    entries = b"".join(struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def test_colour_palette_becomes_rgb(tmp_path):
    quantized = pil(RGB8).quantize(16)
    for kind in ("PNG", "BMP", "TIFF"):
        image = read_bytes(tmp_path, encoded(quantized, kind))
        assert np.array_equal(image.pixels, np.asarray(quantized.convert("RGB")))


def test_opaque_alpha_is_dropped_silently_and_other_alpha_with_a_warning(tmp_path):
    opaque = np.dstack([RGB8, np.full((11, 17), 255, np.uint8)])
    half = opaque.copy()
    half[:4, :, 3] = 0
    for data in (
        encoded(pil(opaque), "PNG"),
        tiff(opaque, photometric="rgb", extrasamples=["unassalpha"]),
    ):
        image = read_bytes(tmp_path, data)
        assert np.array_equal(image.pixels, RGB8)
        assert image.warnings == ()
    image = read_bytes(tmp_path, encoded(pil(half), "PNG"))
    assert np.array_equal(image.pixels, RGB8)
    assert image.warnings == ("36.4 % of the pixels are transparent; alpha was dropped",)


def test_grey_with_alpha_16_bit(tmp_path):
    rgba = np.dstack([RGB16, np.full((11, 17), 65535, np.uint16)])
    image = read_bytes(tmp_path, png16(rgba))
    assert np.array_equal(image.pixels, RGB16)
    grey_alpha = png_chunks(b"\x10\x04", np.dstack([GREY16, GREY16]).astype(">u2"))
    image = read_bytes(tmp_path, grey_alpha)
    assert np.array_equal(grey(image), GREY16.astype(np.float32))
    assert "transparent" in image.warnings[0]


def png_chunks(depth_and_colour, samples):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = samples.shape[:2]
    header = struct.pack(">II", width, height) + depth_and_colour + bytes(3)
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_jpeg_is_close_and_cmyk_says_so(tmp_path):
    smooth = np.tile(np.arange(0, 250, 5, dtype=np.uint8), (40, 1))
    image = read_bytes(tmp_path, encoded(pil(smooth), "JPEG", quality=95))
    assert image.pixels.shape == smooth.shape
    assert np.abs(image.pixels.astype(int) - smooth).max() <= 6
    image = read_bytes(tmp_path, encoded(pil(RGB8).convert("CMYK"), "TIFF"))
    assert image.pixels.shape == RGB8.shape
    assert "CMYK; it was converted" in image.warnings[0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "TIFF16"])
def test_orientation_is_applied_once(tmp_path, orientation, kind):
    stored = np.kron([[10, 60, 110], [160, 200, 250]], np.ones((8, 8))).astype(np.uint8)
    exif = PIL.Image.Exif()
    exif[274] = orientation
    if kind == "TIFF16":
        data = tiff(stored.astype(np.uint16), extratags=[(274, 3, 1, orientation, True)])
    else:
        data = encoded(pil(stored), kind, exif=exif)
    upright = PIL.ImageOps.exif_transpose(
        PIL.Image.open(io.BytesIO(encoded(pil(stored), "PNG", exif=exif)))
    )
    pixels = read_bytes(tmp_path, data).pixels
    assert pixels.shape == np.asarray(upright).shape
    assert np.abs(pixels.astype(int) - np.asarray(upright)).max() <= 4


def test_pages(tmp_path):
    stack = np.stack([GREY16, GREY16 // 2, GREY16 // 3])
    for data in (tiff(stack, photometric="minisblack"), npy(stack)):
        for page in range(3):
            image = read_bytes(tmp_path, data, page=page)
            assert np.array_equal(image.pixels, stack[page])
            assert image.warnings == (f"the file holds 3 pages; page {page} was read",)
        for page in (-1, 3):
            with pytest.raises(FabsightError, match=f"no page {page}; give a page from 0 to 2"):
                read_bytes(tmp_path, data, page=page)
    lzw = encoded(
        pil(GREY16), "TIFF", compression="tiff_lzw", save_all=True, append_images=[pil(GREY16 // 2)]
    )
    assert np.array_equal(read_bytes(tmp_path, lzw, page=1).pixels, GREY16 // 2)


def test_what_is_not_an_image_is_named(tmp_path):
    cases = {
        b"": "the file is empty",
        b"CANVAS 256 256\nWIRE 0 12 8": "this is a text file",
        b"GIF89a" + bytes(20): "this is a GIF picture",
        b"PK\x03\x04" + bytes(20): "this is a ZIP archive",
        bytes(range(200, 255)): "unknown content .it begins c8 c9",
    }
    for data, said in cases.items():
        with pytest.raises(FabsightError, match=said) as caught:
            read_bytes(tmp_path, data)
        assert "x.dat" in str(caught.value)
    with pytest.raises(FabsightError, match="this is a folder"):
        read(tmp_path)
    with pytest.raises(FabsightError, match="no such file"):
        read(tmp_path / "none.png")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FabsightError, match="no regular file"):
        read(tmp_path / "pipe")


def bomb_png():
    return png_chunks(b"\x08\x00", np.zeros((1, 1), np.uint8)).replace(
        struct.pack(">II", 1, 1), struct.pack(">II", 100_000, 100_000)
    )


def bomb_npy():
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


@pytest.mark.parametrize(
    "data",
    [
        bomb_png(),
        packed_tiff(b"", width=100_000, height=100_000, bits=8),
        packed_tiff(b"", width=2**31, height=2**31, bits=64),
        encoded(pil(GREY8), "BMP").replace(
            struct.pack("<II", 17, 11), struct.pack("<II", 90_000, 90_000)
        ),
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6 + bytes(40),
        bomb_npy(),
    ],
    ids=["png", "tiff", "tiff 64", "bmp", "webp", "npy"],
)
def test_absurd_headers_are_refused_before_decoding(tmp_path, data):
    start = time.process_time()
    with pytest.raises(FabsightError, match=r"over the limit of 400 Mpx|damaged or cut off"):
        read_bytes(tmp_path, data)
    assert time.process_time() - start < 1


def test_a_strip_that_inflates_without_end_is_refused(tmp_path):
    bomb = zlib.compress(bytes(300_000_000), 9)
    data = bytearray(packed_tiff(bomb, width=64, height=64, bits=8))
    data[data.index(struct.pack("<HHII", 259, 3, 1, 1)) + 8] = 8  # deflate
    with pytest.raises(FabsightError, match="a strip inflates to more"):
        read_bytes(tmp_path, bytes(data))


def test_the_bytes_of_a_pixel_count_too(tmp_path):
    header = (
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (500, 1000, 4), }".ljust(117) + b"\n"
    )
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(500 * 1000 * 32)
    with pytest.raises(
        FabsightError, match="1000 x 500 px of 32 bytes = 16 MB, over the limit of 8"
    ):
        read_bytes(tmp_path, data, limit_mpx=1)


def test_pages_that_point_at_themselves_end(tmp_path):
    data = bytearray(packed_tiff(bytes(64), width=8, height=8, bits=8))
    at = 8 + 2 + 12 * 9
    data[at : at + 4] = struct.pack("<I", 8)
    assert read_bytes(tmp_path, bytes(data)).pixels.shape == (8, 8)


def test_white_is_zero_in_a_compressed_file(tmp_path):
    for array in (GREY16, GREY8):
        data = encoded(pil(array), "TIFF", compression="tiff_lzw")
        flipped = data.replace(
            struct.pack("<HHIH", 262, 3, 1, 1), struct.pack("<HHIH", 262, 3, 1, 0)
        )
        assert flipped != data
        pixels = read_bytes(tmp_path, flipped).pixels
        assert np.array_equal(pixels, np.iinfo(array.dtype).max - array)


def test_names_that_cannot_be_opened(tmp_path):
    with pytest.raises(FabsightError, match=r"cannot be opened \(File name too long"):
        read(tmp_path / ("a" * 300))
    long = tmp_path / ("a" * 251 + ".png")  # no room for the names of text files beside it
    save = encoded(pil(GREY8), "PNG")
    long.write_bytes(save)
    assert read(long).nm_per_px is None
    odd = tmp_path / os.fsdecode(b"caf\xe9.tif")
    odd.write_bytes(encoded(pil(GREY16), "TIFF", compression="tiff_lzw"))
    assert np.array_equal(read(odd).pixels, GREY16)


def test_readers_in_threads_keep_their_warnings_apart(tmp_path):
    (tmp_path / "a").write_bytes(tiff(np.stack([GREY8] * 3), photometric="minisblack"))
    (tmp_path / "b").write_bytes(encoded(pil(GREY8), "PNG"))
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(read, [tmp_path / "ab"[k % 2] for k in range(40)]))
    assert [len(image.warnings) for image in images] == [1, 0] * 20


def test_the_limit_is_an_argument(tmp_path):
    with pytest.raises(FabsightError, match="17 x 11 px"):
        read_bytes(tmp_path, encoded(pil(GREY8), "PNG"), limit_mpx=1e-4)


def test_a_picture_beyond_pillows_own_limit_is_read(tmp_path, monkeypatch):
    two = {"save_all": True, "append_images": [pil(GREY8)]}
    pages = encoded(pil(GREY8), "TIFF", compression="tiff_lzw", **two)
    singles = [encoded(pil(GREY8), "PNG"), encoded(pil(GREY8), "WEBP", lossless=True)]
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 20)
    for data in singles:
        assert np.array_equal(grey(read_bytes(tmp_path, data)), GREY8.astype(np.float32))
    assert PIL.Image.MAX_IMAGE_PIXELS == 20
    image = read_bytes(tmp_path, pages, page=1)
    assert np.array_equal(image.pixels, GREY8)
    assert image.warnings == ("the file holds 2 pages; page 1 was read",)


def test_values_that_are_not_numbers_are_refused(tmp_path):
    values = GREY8.astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    for data in (
        tiff(values),
        npy(values),
        npy(np.full((2, 2), 1e300)),
        npy(np.full((2, 2), -2e15)),
    ):
        with pytest.raises(FabsightError, match="values are NaN, infinite"):
            read_bytes(tmp_path, data)
    for array in (np.zeros((2, 2), complex), np.array([["a"]]), np.zeros(5), np.zeros((0, 4))):
        with pytest.raises(FabsightError, match=r"x\.dat"):
            read_bytes(tmp_path, npy(array))
    pickled = io.BytesIO()
    np.save(pickled, np.array([[object()]]), allow_pickle=True)
    with pytest.raises(FabsightError, match="damaged"):
        read_bytes(tmp_path, pickled.getvalue())


def test_large_integers_say_that_they_were_rounded(tmp_path):
    image = read_bytes(tmp_path, npy(np.array([[0, 2**24 + 1]])))
    assert "rounded to float32" in image.warnings[0]


@pytest.mark.parametrize("name", LOSSLESS)
@given(st.data())
@settings(max_examples=PROFILE // 8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_give_an_image_or_one_clear_error(tmp_path, name, data):
    whole = bytearray(LOSSLESS[name][0])
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = whole[: data.draw(st.integers(1, len(whole)))]
    start = time.process_time()
    with contextlib.suppress(FabsightError):
        image = read_bytes(tmp_path, bytes(cut), limit_mpx=1)
        assert image.pixels.dtype in (np.uint8, np.uint16, np.float32)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("name", [n for n in LOSSLESS if "npy" not in n])
def test_half_a_file_is_an_error(tmp_path, name):
    data = LOSSLESS[name][0]
    with pytest.raises(FabsightError, match="damaged or cut off"):
        read_bytes(tmp_path, data[: len(data) // 2])


@files
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"II*\0", b"MM\0*", b"BM", b"\xff\xd8\xff", b"\x93NUMPY"]),
)
def test_random_bytes_give_one_clear_error(tmp_path, tail, magic):
    with pytest.raises(FabsightError, match=r"x\.dat"):
        read_bytes(tmp_path, magic + tail, limit_mpx=1)


@files
@given(
    st.sampled_from([np.uint8, np.uint16]),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_png_round_trip(tmp_path, dtype, size, colour, seed):
    shape = (*size, 3) if colour else size
    pixels = np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max, shape, dtype, endpoint=True
    )
    save_png(tmp_path / "a.png", pixels)
    back = read(tmp_path / "a.png")
    assert back.pixels.dtype == dtype
    assert np.array_equal(back.pixels, pixels)


def test_saving_is_whole_or_nothing(tmp_path):
    target = tmp_path / "a.png"
    save_png(target, GREY8)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o400
    with pytest.raises(FabsightError, match="PNG holds no float32"):
        save_png(target, GREY8.astype(np.float32))
    with pytest.raises(FabsightError, match="check that the folder exists"):
        replace_file(tmp_path / "none" / "a.png", b"")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(FabsightError, match=r"b\.png"):
        replace_file(tmp_path / "b.png", b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]
    assert np.array_equal(read(target).pixels, GREY8)


def test_grey_of_equal_channels_is_exact():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(grey(Image(np.dstack([values] * 3))), values.astype(np.float32))
    assert grey(Image(np.array([[[255, 0, 0]]], np.uint8)))[0, 0] == pytest.approx(0.299 * 255)


def test_8_bit_passes_through_and_16_bit_is_windowed():
    assert np.array_equal(to_8bit(Image(RGB8)), RGB8)
    assert np.array_equal(to_8bit(Image(GREY8))[..., 1], GREY8)
    ramp = Image(np.linspace(500, 3000, 10_000).reshape(100, 100).astype(np.uint16))
    low, high = window(ramp)
    assert (low, high) == pytest.approx((502.5, 2997.5), abs=2)
    shown = to_8bit(ramp)
    assert (shown.min(), shown.max()) == (0, 255)
    assert (np.diff(shown[..., 0].ravel().astype(int)) >= 0).all()
    assert clipping_warning(ramp, (low, high)) == ""
    assert clipping_warning(ramp, (1000, 3000)).startswith("20.0 % of the pixel values")


def test_flat_and_nearly_flat_images_can_be_shown():
    flat = Image(np.full((20, 20), 1234, np.uint16))
    assert to_8bit(flat).max() == 0
    spot = np.zeros((100, 100), np.float32)
    spot[3, 4] = 0.5
    assert to_8bit(Image(spot))[3, 4, 0] == 255
    with pytest.raises(FabsightError, match="low_percent < high_percent"):
        window(flat, 50, 50)


def test_real_photographs(shared_data):
    for path in sorted((shared_data / "netdsl" / "siepic_photos").glob("*.png")):
        image = read(path)
        assert image.pixels.dtype == np.uint8
        assert min(grey(image).shape) > 100
    some = sorted((shared_data / "micrograph" / "nffa").rglob("*.jpg"))[:5]
    assert some
    for path in some:
        assert read(path).pixels.shape[1] >= 500
