import io

import numpy as np
import pytest
import tifffile  # noqa: TID253
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabsight.images import read, save_png
from fabsight.vision.scale import Scale, find_scale, parse_length_nm, unit_nm

PROFILE = settings().max_examples  # 100, or the many of `make fuzz`
files = settings(
    max_examples=PROFILE * 3 // 5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WIDTH = 64
FRAME = np.zeros((8, WIDTH), np.uint8)
FEI = """[User]\r\nUser=supervisor\r\n[EBeam]\r\nHFW={hfw}\r\n[Scan]\r\nPixelWidth={width}\r
PixelHeight={height}\r\n[Image]\r\nResolutionX=64\r\n"""
ZEISS = """\r\n0\r\nAP_PIXEL_SIZE\r\nPixel Size = 8.932 nm\r\nAP_IMAGE_PIXEL_SIZE\r
Image Pixel Size = {size}\r\nAP_WIDTH\r\nWidth = {field}\r\n"""
TESCAN = "[MAIN]\r\nDevice=MIRA3\r\nPixelSizeX=2.5e-9\r\nPixelSizeY=2.5e-9\r\n[SEM]\r\nHV=5000\r\n"
OME = """<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint8" {attributes}/></Image></OME>"""
HITACHI = "[SemImageFile]\r\nInstructName=SU8000\r\nDataSize=64x8\r\nPixelSize=49.60938\r\n"
JEOL = "$CM_FORMAT\t64 8\r\n$$SM_MICRON_BAR 95\r\n$$SM_MICRON_MARKER 1um\r\n"


def write(folder, tag=None, text="", kind=2, **options):
    path = folder / "frame.tif"
    value = text.encode("cp1252") if isinstance(text, str) else text
    extra = [] if tag is None else [(tag, kind, len(value), value, True)]
    tifffile.imwrite(path, FRAME, extratags=extra, **{"metadata": None, **options})
    return path


@pytest.mark.parametrize("tag", [34680, 34682])
def test_fei(tmp_path, tag):
    text = FEI.format(width="1.5e-09", height="1.5e-09", hfw=1.5e-9 * WIDTH)
    image = read(write(tmp_path, tag, text))
    assert image.nm_per_px == pytest.approx(1.5)
    assert image.scale_source == f"FEI tag {tag} PixelWidth"
    assert image.warnings == ()


def test_a_resized_fei_picture_is_flagged(tmp_path):
    text = FEI.format(width="1.5e-09", height="1.5e-09", hfw=1.5e-9 * 2 * WIDTH)
    image = read(write(tmp_path, 34682, text))
    assert image.nm_per_px == pytest.approx(1.5)
    assert "says 1.5 nm per pixel, FEI tag 34682 HFW / width 3;" in image.warnings[0]


def test_pixels_that_are_not_square_are_flagged(tmp_path):
    text = FEI.format(width="1.5e-09", height="1.9e-09", hfw=1.5e-9 * WIDTH)
    assert "PixelHeight 1.9" in read(write(tmp_path, 34682, text)).warnings[0]


@pytest.mark.parametrize(
    ("size", "field", "nm"),
    [("4.466 nm", "285.8 nm", 4.466), ("0.5 µm", "32.0 µm", 500), ("120.0 pm", "7.68 nm", 0.12)],
)
def test_zeiss_uses_the_image_pixel_not_the_screen_pixel(tmp_path, size, field, nm):
    image = read(write(tmp_path, 34118, ZEISS.format(size=size, field=field)))
    assert image.nm_per_px == pytest.approx(nm)
    assert image.scale_source == "Zeiss tag 34118 AP_IMAGE_PIXEL_SIZE"
    assert image.warnings == ()


def test_zeiss_without_the_image_pixel_falls_back_to_the_field_width(tmp_path):
    text = ZEISS.format(size="4.466 nm", field="256 nm").replace("AP_IMAGE_PIXEL_SIZE", "AP_OTHER")
    image = read(write(tmp_path, 34118, text))
    assert image.nm_per_px == pytest.approx(4)
    assert image.scale_source == "Zeiss tag 34118 AP_WIDTH / width"


def test_tescan_tag_and_header_file(tmp_path):
    binary = b"\x01\x02\xff\x00JFIF" + TESCAN.encode()
    image = read(write(tmp_path, 50431, binary, kind=7))
    assert image.nm_per_px == pytest.approx(2.5)
    assert image.scale_source == "TESCAN tag 50431 PixelSizeX"
    assert image.warnings == ()
    save_png(tmp_path / "b.png", FRAME)
    (tmp_path / "b-png.hdr").write_text(TESCAN)
    assert find_scale(tmp_path / "b.png").source == "TESCAN .hdr PixelSizeX"


@pytest.mark.parametrize(
    ("attributes", "nm"),
    [
        ('PhysicalSizeX="0.25"', 250),
        ('PhysicalSizeX="3" PhysicalSizeXUnit="nm"', 3),
        ('PhysicalSizeX="12" PhysicalSizeXUnit="Å"', 1.2),
        ('PhysicalSizeX="12" PhysicalSizeXUnit="pixel"', None),
        ("", None),
    ],
)
def test_ome(tmp_path, attributes, nm):
    text = OME.format(attributes=attributes).encode()
    path = write(tmp_path, 270, text, kind=2)
    assert find_scale(path).nm_per_px == (None if nm is None else pytest.approx(nm))


def test_ome_with_entities_is_not_parsed(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + OME.format(attributes='PhysicalSizeX="1"')
    image = read(write(tmp_path, 270, bomb))
    assert image.nm_per_px is None
    assert "entities is not parsed" in image.warnings[0]
    broken = read(write(tmp_path, 270, '<OME xmlns="x"><Pixels'))
    assert "ome metadata cannot be read" in broken.warnings[0]


@pytest.mark.parametrize(
    ("unit", "nm"), [("nm", 4), ("micron", 4000), ("\\u00B5m", 4000), ("inch", None)]
)
def test_imagej(tmp_path, unit, nm):
    path = tmp_path / "frame.tif"
    tifffile.imwrite(path, FRAME, imagej=True, resolution=(0.25, 0.25), metadata={"unit": unit})
    assert find_scale(path).nm_per_px == (None if nm is None else pytest.approx(nm))


def test_print_resolution_is_never_a_scale(tmp_path):
    for unit in ("INCH", "CENTIMETER", "NONE"):
        path = write(tmp_path, resolution=(300, 300), resolutionunit=unit)
        assert find_scale(path) == Scale()
    save_png(tmp_path / "a.png", FRAME)
    assert find_scale(tmp_path / "a.png") == Scale()


def test_sidecars_of_hitachi_and_jeol(tmp_path):
    save_png(tmp_path / "a.png", FRAME)
    (tmp_path / "a.txt").write_bytes(HITACHI.encode("utf-16"))
    assert find_scale(tmp_path / "a.png") == Scale(49.60938, "Hitachi .txt PixelSize")
    (tmp_path / "a.txt").write_text(JEOL)
    image = read(tmp_path / "a.png")
    assert image.nm_per_px == pytest.approx(1000 / 95)
    assert image.scale_source == "JEOL .txt SM_MICRON_BAR"
    (tmp_path / "a.txt").write_text("PixelSize=3\n a shopping list")
    assert find_scale(tmp_path / "a.png") == Scale()


def test_routes_that_disagree_are_flagged(tmp_path):
    path = write(tmp_path, 34682, FEI.format(width="1e-08", height="1e-08", hfw=1e-8 * WIDTH))
    (tmp_path / "frame.txt").write_text(HITACHI)
    scale = find_scale(path)
    assert scale.nm_per_px == pytest.approx(10)
    assert len(scale.warnings) == 1
    assert "Hitachi .txt PixelSize 49.61" in scale.warnings[0]


@pytest.mark.parametrize("width", ["0", "-1e-9", "nan", "1e30", "1e-30", "fast", ""])
def test_absurd_values_are_no_scale(tmp_path, width):
    path = write(tmp_path, 34682, FEI.format(width=width, height=width, hfw=width))
    assert find_scale(path).nm_per_px is None


def test_vendor_tags_of_the_first_page_serve_the_others(tmp_path):
    path = tmp_path / "stack.tif"
    text = FEI.format(width="1.5e-09", height="1.5e-09", hfw="").encode()
    with tifffile.TiffWriter(path) as stack:
        stack.write(FRAME, extratags=[(34682, 2, len(text), text, True)], metadata=None)
        stack.write(FRAME + 1, metadata=None)
    image = read(path, page=1)
    assert image.nm_per_px == pytest.approx(1.5)
    assert image.pixels[0, 0] == 1


@given(st.integers(0, 3), st.binary(max_size=400))
@files
def test_any_metadata_gives_a_scale_or_none(tmp_path, index, noise):
    tag = (34680, 34682, 34118, 50431)[index]
    start = (b"[Scan]\nPixelWidth=", b"PixelWidth=", b"AP_IMAGE_PIXEL_SIZE\n", b"PixelSizeX=")[
        index
    ]
    scale = find_scale(write(tmp_path, tag, start + noise, kind=7))
    assert scale.nm_per_px is None or 1e-4 <= scale.nm_per_px <= 1e8


@given(st.data())
@files
def test_damaged_headers_give_a_scale_or_none(tmp_path, data):
    buffer = io.BytesIO()
    text = FEI.format(width="1.5e-09", height="1.5e-09", hfw="").encode()
    tifffile.imwrite(buffer, FRAME, extratags=[(34682, 2, len(text), text, True)])
    whole = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, 400))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.tif"
    path.write_bytes(whole)
    assert isinstance(find_scale(path, width_px=WIDTH), Scale)


@given(st.text(max_size=30))
def test_lengths_parse_or_are_none(text):
    value = parse_length_nm(text)
    assert value is None or isinstance(value, float)
    unit = unit_nm(text)
    assert unit is None or unit > 0


def test_lengths():
    assert parse_length_nm("1um") == 1000
    assert parse_length_nm("1.50e-3 mm") == pytest.approx(1500)
    assert parse_length_nm("-3e nm") is None
    assert parse_length_nm("12") is None
