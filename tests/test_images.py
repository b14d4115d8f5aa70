"""Photos: every kind of file becomes the picture that a person expects, or one clear sentence."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import pickle
import random
import re
import socket
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms, PngImagePlugin

from explorer import images, picture_files
from explorer.errors import ImageError
from explorer.images import MAX_SIDE, SAMPLES, Photo, decode_photo, display_name, plain, sample_photo

PROJECT = Path(__file__).resolve().parents[1]
RNG = np.random.default_rng(7)

# Broad areas of pure colour, so that lossy formats keep their middles: red, green / blue, grey.
QUARTERS = np.zeros((48, 64, 3), np.uint8)
QUARTERS[:24, :32], QUARTERS[:24, 32:] = (220, 30, 40), (20, 180, 60)
QUARTERS[24:, :32], QUARTERS[24:, 32:] = (30, 50, 200), (128, 128, 128)
MIDDLES = [(12, 16), (12, 48), (36, 16), (36, 48)]

NOISE = RNG.integers(0, 256, (24, 32, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (24, 32), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (24, 32), dtype=np.uint8)


def encode(pixels: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return decode_photo(data, "x.png").pixels


def refusal(data: bytes, name: str = "x.png") -> str:
    """The sentence of a refusal, checked to be one."""
    with pytest.raises(ImageError) as caught:
        decode_photo(data, name)
    sentence = str(caught.value)
    assert sentence.startswith(f"“{display_name(name)}” ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert not re.search(r"Traceback|Error|Exception|PIL|Pillow|0x|None|<.*>", sentence.partition("”")[2])
    return sentence


def rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The compositing rule, in floats: alpha of the colour, the rest white."""
    share = alpha[:, :, None] / 255
    return np.rint(colour * share + 255 * (1 - share))


# Photo -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
    ],
)
def test_photo_refuses_other_pixels_and_names_them(pixels: np.ndarray) -> None:
    with pytest.raises(ImageError, match=re.escape(f"{pixels.dtype} {pixels.shape}")):
        Photo("x", pixels)


def test_photo_keeps_its_own_read_only_copy() -> None:
    mine = NOISE.copy()
    photo = Photo("x", mine[:, ::-1])
    assert photo.pixels.flags.c_contiguous
    assert not photo.pixels.flags.writeable
    mine[:] = 0
    assert np.array_equal(photo.pixels, NOISE[:, ::-1])
    assert mine.flags.writeable


def test_photo_knows_its_size() -> None:
    photo = Photo("x", NOISE)
    assert (photo.width, photo.height, photo.size) == (32, 24, "32×24")


def test_digest_is_sha256_of_shape_and_pixels() -> None:
    expected = hashlib.sha256(b"(24, 32, 3)" + NOISE.tobytes()).hexdigest()
    assert Photo("x", NOISE).digest == expected
    assert Photo("another name", NOISE, notes=("Note.",)).digest == expected


def test_digest_tells_shapes_apart() -> None:
    assert Photo("x", NOISE.reshape(32, 24, 3)).digest != Photo("x", NOISE).digest


def test_a_pickled_photo_comes_back_read_only() -> None:
    photo = Photo("x", NOISE, sample="cat", notes=("Note.",))
    again = pickle.loads(pickle.dumps(photo))
    assert (again.name, again.sample, again.notes, again.digest) == ("x", "cat", ("Note.",), photo.digest)
    assert not again.pixels.flags.writeable


# Names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat.png", "cat.png"),
        ("../../../../tmp/marker.png", "marker.png"),
        ("C:\\Users\\me\\cat.png", "cat.png"),
        ("a\x00b\nc\td.png", "ab c d.png"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("\u2066cat\u2069\u200b.png", "cat.png"),
        ("🐈\u200d⬛ 猫 café.png", "🐈\u200d⬛ 猫 café.png"),
        ("cafe\u0301.png", "café.png"),
        ("lone \ud800 surrogate.png", "lone surrogate.png"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("", "picture"),
        ("..", "picture"),
        ("folder/", "picture"),
        ("\u200b", "picture"),
    ],
)
def test_display_name_is_plain_and_safe(name: str, shown: str) -> None:
    assert display_name(name) == shown


@pytest.mark.parametrize("limit", [8, 12, 20, 40])
def test_a_long_name_keeps_beginning_end_and_extension(limit: int) -> None:
    shown = display_name("begin" + "x" * 300 + "end.jpeg", limit)
    assert len(shown) == limit
    assert shown.startswith("be"[: limit - 6])
    assert shown.endswith(".jpeg")
    assert shown.count("…") == 1


def test_a_long_name_without_extension_is_shortened_too() -> None:
    assert len(display_name("y" * 500)) == 40
    assert len(display_name("." + "y" * 500)) == 40
    assert len(display_name("y." + "z" * 500)) == 40


@pytest.mark.parametrize("limit", [8, 20])
def test_shortening_leaves_no_loose_joiner_or_accent(limit: int) -> None:
    for length in range(60):
        shown = display_name("a" * length + "🐈\u200d⬛e\u0323\u0302" * 20 + ".png", limit)
        assert len(shown) <= limit
        for half in shown.removesuffix(".png").split("…"):
            assert not half.startswith(("\u200d", "\u0323", "\u0302"))
            assert not half.endswith("\u200d")


MARKUP = "# *a* _b_ `c` ~~d~~ [e](f) ![g](h) $i$ :red[j] <b>k</b> & &amp; | > 1. - + {l} \\ ^m^ ="


def test_plain_leaves_no_sign_of_markdown_or_html_unescaped() -> None:
    escaped = plain(MARKUP)
    left = re.sub(r"\\.|&(?:amp|lt|gt);", "", escaped)
    assert not set(left) & set("\\`*_{}[]()#+-.!|~$:<>&^=")
    assert "&lt;b&gt;k&lt;/b&gt;" in escaped


def test_plain_keeps_every_character() -> None:
    def shown(escaped: str) -> str:
        text = re.sub(r"\\([^a-z0-9\s])", r"\1", escaped.replace("\u2060", ""))
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

    assert shown(plain(MARKUP)) == MARKUP


def test_plain_is_one_line() -> None:
    assert plain("a\n\n# b\r\n\tc") == "a \\# b c"


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (":cat:", r":[\w+-]+:"),
        (":material/home:", r":material/\w+:"),
        ("https://evil.example", r"https?://"),
        ("www.evil.example", r"www\."),
        ("me@evil.example", r"\w@\w"),
        ("a -> b", r"->"),
        ("a -- b", r"--"),
    ],
)
def test_plain_keeps_apart_what_is_found_in_finished_text(text: str, pattern: str) -> None:
    """Emoji names, addresses and arrows are replaced after Markdown is read: escapes don't stop that."""
    finished = re.sub(r"\\([^\w\s])", r"\1", plain(text)).replace("&gt;", ">")
    assert re.search(pattern, text)
    assert not re.search(pattern, finished)


# Modes and formats -----------------------------------------------------------------------------------


def palette_image() -> Image.Image:
    image = Image.fromarray(GREY % 4).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30])
    return image


FOUR_COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]], np.uint8)


def modes() -> dict[str, tuple[bytes, np.ndarray]]:
    """Lossless files by what is particular about them, and the pixels to expect, computed by numpy."""
    rgba = np.dstack([NOISE, ALPHA])
    transparent = np.where(GREY % 4 == 2, 0, 255)
    deep = RNG.integers(0, 65536, (24, 32), dtype=np.uint16)
    deep[0, 0] = 65535
    deep_as_8 = rgb(np.rint(deep / 257).astype(np.uint8))
    icon = np.dstack([np.resize(NOISE, (32, 32, 3)), np.resize(ALPHA, (32, 32))])
    mask = np.where(icon[:, :, 3] < 128, 0, 255).astype(np.uint8)
    files = {
        "PNG RGB": (encode(NOISE, "PNG"), NOISE),
        "PNG L": (encode(GREY, "PNG"), rgb(GREY)),
        "PNG 1": (encode(Image.fromarray(GREY > 99), "PNG"), rgb((GREY > 99) * np.uint8(255))),
        "PNG P": (encode(palette_image(), "PNG"), FOUR_COLOURS[GREY % 4]),
        "PNG P, alpha by entry": (
            encode(palette_image(), "PNG", transparency=bytes([255, 128, 0, 255])),
            on_white(FOUR_COLOURS[GREY % 4], np.array([255, 128, 0, 255])[GREY % 4]),
        ),
        "PNG P, one clear entry": (
            encode(palette_image(), "PNG", transparency=2),
            on_white(FOUR_COLOURS[GREY % 4], transparent),
        ),
        "PNG L, one clear value": (
            encode(GREY % 4, "PNG", transparency=2),
            on_white(rgb(GREY % 4), transparent),
        ),
        "PNG RGB, one clear colour": (
            encode(FOUR_COLOURS[GREY % 4], "PNG", transparency=(0, 0, 255)),
            on_white(FOUR_COLOURS[GREY % 4], transparent),
        ),
        "PNG RGBA": (encode(rgba, "PNG"), on_white(NOISE, ALPHA)),
        "PNG LA": (
            encode(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)]), "PNG"),
            on_white(rgb(GREY), ALPHA),
        ),
        "PNG I;16": (encode(Image.fromarray(deep), "PNG"), deep_as_8),
        "PNG 16-bit RGB": (png_of(NOISE.astype(np.uint16) * 257, depth=16, transparent=7), NOISE),
        "WebP RGB": (encode(NOISE, "WEBP", lossless=True), NOISE),
        "WebP RGBA": (encode(rgba, "WEBP", lossless=True, exact=True), on_white(NOISE, ALPHA)),
        "GIF": (encode(palette_image(), "GIF"), FOUR_COLOURS[GREY % 4]),
        "GIF, clear": (
            encode(palette_image(), "GIF", transparency=2, optimize=False),
            on_white(FOUR_COLOURS[GREY % 4], transparent),
        ),
        "BMP 24": (encode(NOISE, "BMP"), NOISE),
        "BMP 32": (encode(rgba, "BMP"), NOISE),
        "BMP 8": (encode(GREY, "BMP"), rgb(GREY)),
        "BMP 1": (encode(Image.fromarray(GREY > 99), "BMP"), rgb((GREY > 99) * np.uint8(255))),
        "BMP from the top": (flipped_bmp(NOISE), NOISE),
        "ICO of PNG": (
            encode(icon, "ICO", sizes=[(16, 16), (32, 32)]),
            on_white(icon[:, :, :3], icon[:, :, 3]),
        ),
        "ICO of BMP": (
            encode(np.dstack([icon[:, :, :3], mask]), "ICO", sizes=[(32, 32)], bitmap_format="bmp"),
            on_white(icon[:, :, :3], mask),
        ),
        "TIFF I;16": (encode(Image.fromarray(deep), "TIFF"), deep_as_8),
        "TIFF I;16B": (encode(Image.fromarray(deep.astype(">u2")), "TIFF"), deep_as_8),
        "TIFF I": (encode(Image.fromarray(deep.astype(np.int32)), "TIFF"), deep_as_8),
        "TIFF RGBA": (encode(rgba, "TIFF"), on_white(NOISE, ALPHA)),
        "TIFF P": (encode(palette_image(), "TIFF"), FOUR_COLOURS[GREY % 4]),
        "TIFF fax": (
            encode(Image.fromarray(GREY > 99), "TIFF", compression="group4"),
            rgb((GREY > 99) * np.uint8(255)),
        ),
        # inks are subtracted from white
        "TIFF CMYK": (encode(Image.fromarray(np.dstack([255 - NOISE, 0 * GREY]), "CMYK"), "TIFF"), NOISE),
    }
    for depth in (1, 2, 4):
        levels = GREY >> (8 - depth)
        files[f"PNG {depth}-bit, one clear value"] = (
            png_of(levels, depth=depth, transparent=1),
            on_white(rgb(levels * np.uint8(255 // (2**depth - 1))), np.where(levels == 1, 0, 255)),
        )
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        files[f"TIFF {compression}"] = (encode(NOISE, "TIFF", compression=compression), NOISE)
    return files


def png_chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def png_of(pixels: np.ndarray, depth: int, transparent: int) -> bytes:
    """A PNG written by hand, for depths that Pillow does not write."""
    height, width = pixels.shape[:2]
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in pixels]
    else:
        bits = np.unpackbits(pixels[:, :, None], axis=2)[:, :, 8 - depth :]
        rows = [np.packbits(row).tobytes() for row in bits.reshape(height, -1)]
    colours = 3 if pixels.ndim == 3 else 1
    header = struct.pack(">IIBBBBB", width, height, depth, 2 if colours == 3 else 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"tRNS", struct.pack(">H", transparent) * colours)
        + png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
        + png_chunk(b"IEND", b"")
    )


def flipped_bmp(pixels: np.ndarray) -> bytes:
    """A bitmap stored from the top row down, which a negative height tells."""
    data = bytearray(encode(pixels[::-1], "BMP"))
    struct.pack_into("<i", data, 22, -pixels.shape[0])
    return bytes(data)


MODES = modes()


@pytest.mark.parametrize("kind", MODES)
def test_lossless_pictures_come_out_exact(kind: str) -> None:
    data, expected = MODES[kind]
    pixels = decoded(data).astype(int)
    assert pixels.shape == expected.shape
    # two roundings of a half, in compositing, may go different ways
    assert np.abs(pixels - expected).max() <= 1
    if not re.search(r"A$|alpha|ICO", kind):
        assert np.array_equal(pixels, expected)


LOSSY: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encode(QUARTERS, "JPEG", quality=90),
    "JPEG progressive": lambda: encode(QUARTERS, "JPEG", quality=90, progressive=True),
    "JPEG of inks, as Adobe writes it": lambda: encode(
        Image.fromarray(np.dstack([255 - QUARTERS, 0 * QUARTERS[:, :, :1]]), "CMYK"), "JPEG", quality=95
    ),
    "MPO": lambda: encode(
        Image.fromarray(QUARTERS), "MPO", save_all=True, append_images=[Image.fromarray(255 - QUARTERS)]
    ),
    "WebP": lambda: encode(QUARTERS, "WEBP", quality=90),
    "AVIF": lambda: encode(QUARTERS, "AVIF", quality=90),
    "TIFF of JPEG": lambda: encode(QUARTERS, "TIFF", compression="jpeg", quality=95),
}


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_pictures_keep_their_colours(kind: str) -> None:
    data = LOSSY[kind]()
    pixels = decoded(data).astype(int)
    assert pixels.shape == QUARTERS.shape
    for row, column in MIDDLES:
        assert np.abs(pixels[row, column] - QUARTERS[row, column]).max() <= 6


def test_a_grey_jpeg_is_grey_in_all_channels() -> None:
    pixels = decoded(encode(Image.fromarray(QUARTERS).convert("L"), "JPEG"))
    assert np.ptp(pixels.astype(int), axis=2).max() == 0


def test_the_format_is_known_by_content_not_by_name() -> None:
    for name in ("x.jpg", "x.svg", "x", "x.png.exe"):
        assert np.array_equal(decode_photo(encode(NOISE, "PNG"), name).pixels, NOISE)


def test_postscript_never_reaches_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("an interpreter was started"))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    assert "PostScript" in refusal(eps, "x.png")
    # the binary form, and an icon that pretends to hold one
    assert "PostScript" in refusal(b"\xc5\xd0\xd3\xc6" + bytes(26) + eps)
    refusal(struct.pack("<HHHBBBBHHII", 0, 1, 1, 8, 8, 0, 0, 1, 32, len(eps), 22) + eps)


# Values beyond 8 bits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("top", "bits"), [(255, 8), (1023, 10), (4095, 12), (16383, 14), (65535, 16), (65000, 16)]
)
def test_integers_fill_the_range_of_the_smallest_depth_that_holds_them(top: int, bits: int) -> None:
    values = np.linspace(0, top, 24 * 32).astype(np.uint16).reshape(24, 32)
    photo = decode_photo(encode(Image.fromarray(values), "PNG"), "x.png")
    assert np.abs(photo.pixels[:, :, 0] - values * 255.0 / (2**bits - 1)).max() <= 0.51
    assert photo.notes == (f"{bits}-bit values scaled to 8 bit.",)


def test_16_bit_colour_says_that_it_was_scaled() -> None:
    data = png_of(NOISE.astype(np.uint16) * 257, depth=16, transparent=7)
    assert decode_photo(data, "x.png").notes == ("16-bit values scaled to 8 bit.",)


def tiff_of_floats(values: np.ndarray) -> bytes:
    return encode(Image.fromarray(values.astype(np.float32)), "TIFF")


def test_floats_of_0_to_1_are_multiplied_by_255() -> None:
    photo = decode_photo(tiff_of_floats(np.array([[0, 0.5], [0.25, 0.75]])), "x.tif")
    assert photo.pixels[:, :, 0].tolist() == [[0, 128], [64, 191]]
    assert photo.notes == ("Values of 0–1 multiplied by 255.",)


def test_other_values_are_stretched_and_the_note_names_them() -> None:
    heights = np.array([[-100.0, 400.0], [900.0, 150.0]])
    for data in (tiff_of_floats(heights), encode(Image.fromarray(heights.astype(np.int32)), "TIFF")):
        photo = decode_photo(data, "x.tif")
        assert photo.pixels[:, :, 0].tolist() == [[0, 128], [255, 64]]
        assert photo.notes == ("Values of -100 to 900 stretched to 0–255.",)


def test_values_that_are_not_finite_are_shown_black_and_counted() -> None:
    photo = decode_photo(tiff_of_floats(np.array([[2.0, np.nan], [np.inf, 4.0]])), "x.tif")
    assert photo.pixels[:, :, 0].tolist() == [[0, 0], [0, 255]]
    assert photo.notes == ("Values of 2 to 4 stretched to 0–255. 2 values that are not finite shown black.",)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_picture_without_a_finite_value_is_black(value: float) -> None:
    photo = decode_photo(tiff_of_floats(np.full((2, 2), value)), "x.tif")
    assert photo.pixels.max() == 0
    assert photo.notes == ("It holds no finite value.",)


def test_a_constant_picture_of_floats_is_black() -> None:
    assert decoded(tiff_of_floats(np.full((2, 2), 1e30))).max() == 0


def test_floats_of_the_largest_range_do_not_overflow() -> None:
    extremes = np.array([[-3e38, 3e38], [0, 0]])
    assert decoded(tiff_of_floats(extremes))[:, :, 0].tolist() == [[0, 255], [128, 128]]


# Orientation -----------------------------------------------------------------------------------------

# Where the first row and the first column of the file lie in the upright picture (EXIF 2.32, 4.6.4).
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The rows that a camera held that way would write."""
    first_row, first_column = SIDES[orientation]
    stored = upright.swapaxes(0, 1) if first_row in ("left", "right") else upright
    stored = stored[::-1] if first_row in ("bottom", "right") else stored
    return stored[:, ::-1] if first_column in ("bottom", "right") else stored


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_upright(kind: str, orientation: int) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    noted = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif_of(orientation)}
    data = encode(as_stored(NOISE, orientation), kind, **options, **noted)
    photo = decode_photo(data, "x")
    assert np.array_equal(photo.pixels, NOISE)
    assert photo.notes == (() if orientation == 1 else ("Turned upright as the camera noted.",))


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_a_lossy_picture_is_turned_upright(kind: str, orientation: int) -> None:
    data = encode(as_stored(QUARTERS, orientation), kind, quality=90, exif=exif_of(orientation))
    pixels = decoded(data).astype(int)
    assert pixels.shape == QUARTERS.shape
    for row, column in MIDDLES:
        assert np.abs(pixels[row, column] - QUARTERS[row, column]).max() <= 6


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    assert np.array_equal(decoded(encode(NOISE, "PNG", exif=exif_of(orientation))), NOISE)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\xa5" * 200]
)
def test_corrupt_exif_is_ignored(exif: bytes) -> None:
    plain_jpeg = encode(QUARTERS, "JPEG")
    marked = plain_jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain_jpeg[2:]
    assert np.array_equal(decoded(marked), decoded(plain_jpeg))


def test_a_reduced_picture_is_turned_by_its_own_sides() -> None:
    upright = np.resize(QUARTERS, (48, 4000, 3))
    photo = decode_photo(encode(as_stored(upright, 6), "PNG", exif=exif_of(6)), "x")
    assert (photo.width, photo.height) == (2048, 25)
    assert photo.notes[-1] == "Reduced from 4000×48 to 2048×25."


# Colour profiles -------------------------------------------------------------------------------------

# Columns: the red, green and blue of the space as XYZ under D50 (ICC.1:2001, IEC 61966-2-1).
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)


def profile_of(primaries: np.ndarray, title: bytes, gamma: float = 2.2) -> bytes:
    """A version 2 display profile: three colourants, one gamma."""

    def fixed(number: float) -> bytes:
        return struct.pack(">i", round(number * 65536))

    def xyz(column: np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(fixed(value) for value in column)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", len(title) + 1) + title + b"\0" + bytes(78)
    tags = {
        b"desc": text,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(np.array([0.9642, 1.0, 0.8249])),
        b"rXYZ": xyz(primaries[:, 0]),
        b"gXYZ": xyz(primaries[:, 1]),
        b"bXYZ": xyz(primaries[:, 2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        value += b"\0" * (-len(value) % 4)
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value
    total = 128 + len(table) + len(body)
    header = struct.pack(">I4sI4s4s4s", total, b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += fixed(0.9642) + fixed(1) + fixed(0.8249)
    return header.ljust(128, b"\0") + table + body


def to_srgb(pixels: np.ndarray, primaries: np.ndarray, gamma: float = 2.2) -> np.ndarray:
    """The same conversion by its formulas."""
    linear = (pixels / 255) ** gamma @ (np.linalg.inv(SRGB) @ primaries).T
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return encoded * 255


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_an_embedded_profile_is_converted_to_srgb(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(NOISE, kind, icc_profile=profile_of(DISPLAY_P3, b"Display P3"), **options)
    photo = decode_photo(data, "x")
    assert np.abs(photo.pixels - to_srgb(NOISE, DISPLAY_P3)).max() <= 2
    assert np.abs(photo.pixels.astype(int) - NOISE).max() > 10
    assert photo.notes == ("Colours converted from Display P3 to sRGB.",)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_an_embedded_profile_of_a_lossy_picture_is_converted(kind: str) -> None:
    data = encode(QUARTERS, kind, quality=90, icc_profile=profile_of(DISPLAY_P3, b"Display P3"))
    pixels, expected = decoded(data), to_srgb(QUARTERS, DISPLAY_P3)
    for row, column in MIDDLES:
        assert np.abs(pixels[row, column] - expected[row, column]).max() <= 8


def test_transparency_is_kept_while_colours_are_converted() -> None:
    data = encode(np.dstack([NOISE, ALPHA]), "PNG", icc_profile=profile_of(DISPLAY_P3, b"Display P3"))
    assert np.abs(decoded(data) - on_white(to_srgb(NOISE, DISPLAY_P3), ALPHA)).max() <= 2.5


def test_srgb_is_left_as_it_is() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = decode_photo(encode(NOISE, "PNG", icc_profile=srgb), "x")
    assert np.array_equal(photo.pixels, NOISE)
    assert photo.notes == ()


@pytest.mark.parametrize("profile", [b"\xa5" * 3000, b"short", profile_of(DISPLAY_P3, b"Cut")[:200]])
def test_a_profile_that_cannot_be_read_is_ignored(profile: bytes) -> None:
    assert np.array_equal(decoded(encode(NOISE, "PNG", icc_profile=profile)), NOISE)


def test_a_profile_for_other_channels_is_ignored() -> None:
    data = encode(GREY, "PNG", icc_profile=profile_of(DISPLAY_P3, b"Display P3"))
    assert np.array_equal(decoded(data), rgb(GREY))


# Size ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2048, 10), (2048, 10)),
        ((2049, 2049), (2048, 2048)),
        ((1, 5000), (1, 2048)),
        ((5000, 1), (2048, 1)),
        ((1, 1), (1, 1)),
    ],
)
def test_the_long_side_is_bounded_and_the_proportions_kept(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    for kind in ("PNG", "JPEG"):
        photo = decode_photo(encode(Image.new("RGB", size, (9, 99, 199)), kind), "x")
        assert (photo.width, photo.height) == expected
        assert np.abs(photo.pixels.astype(int) - (9, 99, 199)).max() <= 3
        note = f"Reduced from {size[0]}×{size[1]} to {expected[0]}×{expected[1]}."
        assert photo.notes == (() if size == expected else (note,))


def test_reducing_averages_instead_of_dropping_pixels() -> None:
    stripes = np.zeros((8, 6144, 3), np.uint8)
    stripes[:, ::3] = 255
    assert np.abs(decoded(encode(stripes, "PNG")).astype(int)[:, 9:-9] - 85).max() <= 1


# Several frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "note"),
    [
        ("GIF", {}, "First of 3 frames."),
        ("PNG", {}, "First of 3 frames."),
        ("WEBP", {"lossless": True}, "First of 3 frames."),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}, "First of 3 frames."),
        ("TIFF", {}, "First of 3 pages."),
        ("MPO", {"quality": 100}, "First of 3 pictures in the file."),
    ],
)
def test_the_first_of_several_frames_is_taken(kind: str, options: dict[str, object], note: str) -> None:
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("red", "lime", "blue")]
    photo = decode_photo(encode(frames[0], kind, save_all=True, append_images=frames[1:], **options), "x")
    assert np.abs(photo.pixels.astype(int) - (255, 0, 0)).max() <= 3
    assert photo.notes == (note,)


def test_later_frames_are_not_decoded() -> None:
    frames = [Image.fromarray(RNG.integers(0, 256, (40, 40), dtype=np.uint8)) for _ in range(3)]
    gif = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], optimize=False)
    assert np.array_equal(decoded(gif[: len(gif) // 2]), rgb(np.asarray(frames[0])))
    tiff = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert np.array_equal(decoded(tiff[: len(tiff) * 2 // 3]), rgb(np.asarray(frames[0])))


def test_a_ring_of_tiff_pages_ends() -> None:
    data = bytearray(encode(NOISE, "TIFF"))
    directory = struct.unpack_from("<I", data, 4)[0]
    following = directory + 2 + 12 * struct.unpack_from("<H", data, directory)[0]
    struct.pack_into("<I", data, following, directory)
    assert decode_photo(bytes(data), "x").notes == ("First of 2 pages.",)


# Refusals --------------------------------------------------------------------------------------------


def test_an_empty_file_is_said_to_be_empty() -> None:
    assert refusal(b"", "a.jpg") == "“a.jpg” is empty."


def test_a_file_beyond_the_limit_is_refused_by_its_bytes() -> None:
    data = encode(NOISE, "PNG").ljust(images.MAX_BYTES + 1, b"\0")
    assert refusal(data, "a.png") == "“a.png” has 20.0 MB; the limit is 20 MB."


def iso_file(brand: bytes) -> bytes:
    return struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 0, brand) + bytes(100)


FOREIGN_FILES: dict[str, list[bytes]] = {
    "an SVG drawing": [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf <?xml version='1.0'?>\n<svg>",
    ],
    "a web page": [b"<!DOCTYPE html><html>", b"  <html>"],
    "a PDF document": [b"%PDF-1.7\n"],
    "a PostScript program": [b"%!PS-Adobe-3.0"],
    "HEIC": [iso_file(b"heic"), iso_file(b"mif1")],
    "the raw file of a camera": [b"II*\0\x10\0\0\0CR\2\0", b"FUJIFILMCCD-RAW 0201", iso_file(b"crx ")],
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0"],
    "JPEG XL": [b"\xff\x0a\0\0", b"\0\0\0\x0cJXL \r\n"],
    "a Photoshop document": [b"8BPS\0\1"],
    "a video": [iso_file(b"isom"), iso_file(b"qt  "), b"\x1a\x45\xdf\xa3webm", b"RIFF\0\0\0\0AVI LIST"],
    "a sound": [b"ID3\3\0", b"RIFF\0\0\0\0WAVEfmt "],
    "a PyTorch checkpoint": [b"PK\3\4" + bytes(26) + b"archive/data.pkl"],
    "a ZIP archive": [b"PK\3\4" + bytes(40)],
    "a compressed archive": [b"\x1f\x8b\x08\0"],
    "a NumPy array": [b"\x93NUMPY\1\0"],
    "a Python pickle": [pickle.dumps({"state_dict": [1.0]})],
    "text": [b"Dear network,\n", "déjà vu ".encode() * 500, "猫".encode() * 500, "猫".encode("utf-16")],
}


def test_every_foreign_kind_has_an_example_here() -> None:
    assert set(FOREIGN_FILES) == {foreign.what for foreign in picture_files.FOREIGN}


@pytest.mark.parametrize(
    ("what", "data"), [(what, data) for what, all_ in FOREIGN_FILES.items() for data in all_]
)
def test_what_is_no_picture_is_named(what: str, data: bytes) -> None:
    sentence = refusal(data, "x.png")
    assert sentence.startswith(f"“x.png” is {what}, ")
    assert "save it as JPEG" in sentence or "JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or ICO" in sentence


def test_unknown_bytes_are_named_by_how_they_begin() -> None:
    assert refusal(b"\x00\x01\xfe\xed" * 50).endswith("it begins with the bytes 00 01 fe ed.")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.97])
def test_a_cut_off_picture_is_refused_and_never_half_grey(kind: str, share: float) -> None:
    data = encode(RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8), kind)
    assert "is cut off" in refusal(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "AVIF", "TIFF", "BMP", "ICO"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_every_format_is_refused_when_cut_off(kind: str, share: float) -> None:
    data = encode(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), kind)
    assert re.search("cut off|damaged", refusal(data[: int(len(data) * share)]))


def test_webp_says_how_much_is_missing() -> None:
    data = encode(NOISE, "WEBP", lossless=True)
    assert refusal(data[:100]) == f"“x.png” is cut off after 100 of {len(data):,} bytes."


def test_a_wrong_check_sum_is_refused() -> None:
    data = bytearray(encode(NOISE, "PNG"))
    data[-20] ^= 1
    assert "check sum of its IDAT chunk is wrong" in refusal(bytes(data))


def test_previews_of_raw_files_are_not_taken_for_the_photograph() -> None:
    assert "raw file of a camera" in refusal(encode(NOISE, "TIFF", tiffinfo={254: 1}))
    assert "raw file of a camera" in refusal(encode(NOISE, "TIFF", tiffinfo={50706: b"\1\4\0\0"}))


# Bombs -----------------------------------------------------------------------------------------------


def patched(data: bytes, at: int, layout: str, *values: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(layout, changed, at, *values)
    return bytes(changed)


def jpeg_of_scans(scans: int) -> bytes:
    data = encode(Image.new("L", (8, 8)), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * scans + data[-2:]


def tiff_with(changes: dict[int, int]) -> bytes:
    """A tiled TIFF some of whose tags say something else."""
    pixels = zlib.compress(bytes(256 * 256))
    fields = {
        256: 256,
        257: 256,
        258: 8,
        259: 8,
        262: 1,
        277: 1,
        322: 256,
        323: 256,
        324: 8,
        325: len(pixels),
    }
    fields |= changes
    entries = b"".join(struct.pack("<HHII", key, 4, 1, fields[key]) for key in sorted(fields))
    head = b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels
    return head + struct.pack("<H", len(fields)) + entries + bytes(4)


def png_with(name: bytes, payload: bytes) -> bytes:
    data = encode(NOISE, "PNG")
    return data[:33] + png_chunk(name, payload) + data[33:]


def header_bombs() -> dict[str, bytes]:
    """Small files that declare pictures too large to hold."""
    png = encode(NOISE, "PNG")
    vast = png[:16] + struct.pack(">II", 30000, 30000) + png[24:29]
    vast += struct.pack(">I", zlib.crc32(vast[12:29])) + png[33:]
    jpeg = encode(NOISE, "JPEG")
    gif = encode(palette_image(), "GIF")
    avif = encode(NOISE, "AVIF")
    webp = (
        b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\0" * 2
    )
    return {
        "PNG": vast,
        "JPEG": patched(jpeg, jpeg.index(b"\xff\xc0") + 5, ">HH", 65500, 65500),
        "progressive JPEG": patched(
            progressive := encode(NOISE, "JPEG", progressive=True),
            progressive.index(b"\xff\xc2") + 5,
            ">HH",
            10000,
            10000,
        ),
        "GIF canvas": patched(gif, 6, "<HH", 65535, 65535),
        "GIF frame": patched(gif, gif.index(b"\x2c", 25) + 5, "<HH", 65535, 65535),
        "WebP": webp,
        "TIFF": tiff_with({256: 60000, 257: 60000}),
        "BMP": patched(encode(NOISE, "BMP"), 18, "<ii", 50000, -50000),
        "ICO": struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(vast), 22) + vast,
        "AVIF": patched(avif, avif.index(b"ispe") + 8, ">II", 60000, 60000),
    }


BOMBS = header_bombs()


@pytest.mark.parametrize("kind", BOMBS)
def test_a_declared_size_beyond_the_limit_is_refused_with_its_numbers(kind: str) -> None:
    sentence = refusal(BOMBS[kind])
    assert re.search(
        r"declares [\d,]+×[\d,]+ = [\d,]+ million pixels; the limit for this \w+ is \d+ million\.", sentence
    )


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_a_size_of_nothing_is_refused(size: tuple[int, int]) -> None:
    gif = patched(encode(palette_image(), "BMP"), 18, "<ii", *size)
    assert f"declares a size of {size[0]}×{size[1]} pixels" in refusal(gif)


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_and_profiles_that_inflate_without_bound_are_not_inflated(name: bytes) -> None:
    packed = zlib.compress(bytes(70_000_000), 9)
    payload = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[name] + packed
    data = png_with(name, payload)
    start = time.process_time()
    assert np.array_equal(decoded(data), NOISE)
    assert time.process_time() - start < 2


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    assert decoded(jpeg_of_scans(20)).shape == (8, 8, 3)
    assert re.search(r"JPEG of 1,\d\d\d scans; the limit is 100", refusal(jpeg_of_scans(1000)))


def overlapping_pages() -> bytes:
    """A TIFF of 10,000 directories of 60,000 entries each, laid over one another."""
    head = bytearray(encode(NOISE, "TIFF"))
    directory = struct.unpack_from("<I", head, 4)[0]
    struct.pack_into("<I", head, directory + 2 + 12 * struct.unpack_from("<H", head, directory)[0], len(head))
    at, entries, pages = len(head), 60_000, 10_000
    body = bytearray(2 + 12 * entries + 6 * pages)
    for page in range(pages):
        struct.pack_into("<H", body, 6 * page, entries)
        struct.pack_into("<I", body, 6 * page + 2 + 12 * entries, at + 6 * (page + 1))
    return bytes(head + body)


def after(data: bytes, at: int, filling: bytes) -> bytes:
    return data[:at] + filling + data[at:]


GIF = encode(palette_image(), "GIF")
GIF_BODY = 13 + 3 * 2 ** ((GIF[10] & 7) + 1)

# Files up to 20 MB that hold a small picture and very many of something.
HOARDS: dict[str, Callable[[], bytes]] = {
    "JPEG segments": lambda: after(encode(NOISE, "JPEG"), 2, b"\xff\xfe\0\2" * 4_000_000),
    "JPEG filling": lambda: after(encode(NOISE, "JPEG"), 2, b"\xff" * 19_000_000),
    "PNG chunks": lambda: after(encode(NOISE, "PNG"), 33, png_chunk(b"none", b"") * 1_500_000),
    "GIF extensions": lambda: after(GIF, GIF_BODY, b"\x21\xfe\0" * 6_000_000),
    "GIF blocks": lambda: after(GIF, GIF_BODY, b"\x21\xfe" + b"\1a" * 9_000_000 + b"\0"),
    "WebP chunks": lambda: patched(
        webp := encode(NOISE, "WEBP") + (b"none" + bytes(4)) * 2_000_000, 4, "<I", len(webp) - 8
    ),
    "AVIF boxes": lambda: iso_file(b"avif")[:20] + struct.pack(">I4s", 8, b"free") * 2_000_000,
    "TIFF pages": overlapping_pages,
}


@pytest.mark.parametrize("kind", HOARDS)
def test_very_many_parts_take_no_time(kind: str) -> None:
    data = HOARDS[kind]()
    assert len(data) < images.MAX_BYTES
    start = time.process_time()
    with contextlib.suppress(ImageError):
        assert decoded(data).shape == NOISE.shape
    assert time.process_time() - start < 5


def test_a_tile_larger_than_its_picture_is_refused() -> None:
    assert decoded(tiff_with({322: 256})).shape == (256, 256, 3)
    assert "one tile holds 15,360,000 pixels" in refusal(tiff_with({322: 60000}))


@pytest.mark.parametrize("compression", [6, 34712, 50000])
def test_rare_compressions_of_tiff_are_refused_by_number(compression: int) -> None:
    assert f"compression {compression}" in refusal(tiff_with({259: compression}))


def test_run_length_bitmaps_are_refused() -> None:
    assert "run-length" in refusal(patched(encode(GREY, "BMP"), 30, "<I", 1))


# Memory, in a process of its own ---------------------------------------------------------------------

CHILD = """
import resource, sys
from pathlib import Path
from explorer.errors import ImageError
from explorer.images import decode_photo

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))

data, room = Path(sys.argv[1]).read_bytes(), int(sys.argv[2])
before = memory("VmHWM")
if room:
    resource.setrlimit(resource.RLIMIT_AS, (int(memory("VmSize") * 2**20) + room, resource.RLIM_INFINITY))
try:
    said = decode_photo(data, "x.png").size
except ImageError as error:
    said = str(error)
print(f"{memory('VmHWM') - before:.0f} {said}")
"""

in_linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")


def decoded_apart(data: bytes, folder: Path, room: int = 0) -> tuple[float, str]:
    """Growth of the peak memory in MiB while a file is decoded, and what was said of it."""
    path = folder / "upload"
    path.write_bytes(data)
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, str(path), str(room)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert child.stderr == ""
    growth, _, said = child.stdout.strip().partition(" ")
    return float(growth), said


@in_linux
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_takes_no_memory(kind: str, tmp_path: Path) -> None:
    growth, said = decoded_apart(BOMBS[kind], tmp_path)
    assert "declares" in said
    assert growth < 10


@in_linux
def test_a_jpeg_of_48_million_pixels_takes_less_than_its_pixels(tmp_path: Path) -> None:
    data = encode(Image.new("RGB", (8000, 6000), (9, 99, 199)), "JPEG")
    growth, said = decoded_apart(data, tmp_path)
    assert said == "2048×1536"
    assert growth < 8000 * 6000 * 3 / 2**20


@in_linux
@pytest.mark.parametrize(
    ("kind", "options", "pixels"),
    [
        ("PNG", {"compress_level": 1}, picture_files.MAX_PIXELS),
        ("WEBP", {"quality": 1, "method": 0}, picture_files.MAX_PIXELS_COPIED),
    ],
)
def test_the_largest_picture_stays_within_500_mib(
    kind: str, options: dict[str, object], pixels: int, tmp_path: Path
) -> None:
    image = Image.new("RGBA", (4000, pixels // 4000), (9, 99, 199, 99))
    growth, said = decoded_apart(encode(image, kind, **options), tmp_path)
    assert said.endswith("×2048")
    assert growth < 500


@in_linux
def test_too_little_memory_is_said(tmp_path: Path) -> None:
    data = encode(Image.new("RGB", (6000, 6000)), "PNG")
    _, said = decoded_apart(data, tmp_path, room=60_000_000)
    assert said == "“x.png” needs more memory than is free: 6,000×6,000 pixels."


# Damage ----------------------------------------------------------------------------------------------

SEEDS: dict[str, bytes] = {
    "JPEG": encode(QUARTERS, "JPEG", exif=exif_of(6), icc_profile=profile_of(DISPLAY_P3, b"Display P3")),
    "JPEG progressive": encode(QUARTERS, "JPEG", progressive=True),
    "MPO": LOSSY["MPO"](),
    "PNG": encode(palette_image(), "PNG", transparency=bytes([255, 128]), exif=exif_of(3)),
    "APNG": encode(
        Image.fromarray(NOISE), "PNG", save_all=True, append_images=[Image.fromarray(255 - NOISE)]
    ),
    "PNG 16": MODES["PNG I;16"][0],
    "PNG 2": MODES["PNG 2-bit, one clear value"][0],
    "WebP": encode(np.dstack([NOISE, ALPHA]), "WEBP", exif=exif_of(8)),
    "GIF": encode(palette_image(), "GIF", save_all=True, append_images=[Image.fromarray(GREY)]),
    "AVIF": encode(QUARTERS, "AVIF", exif=exif_of(5)),
    "TIFF": encode(NOISE, "TIFF", compression="tiff_lzw", icc_profile=b"none"),
    "TIFF raw": encode(Image.fromarray(GREY.astype(np.float32)), "TIFF"),
    "TIFF JPEG": LOSSY["TIFF of JPEG"](),
    "BMP": encode(GREY, "BMP"),
    "ICO": MODES["ICO of BMP"][0],
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The file with bytes changed, cut out, doubled or cut off; half of the time near its header."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        at = chance.randrange(min(len(changed), chance.choice([64, 256, len(changed)])))
        match chance.randrange(6):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                changed[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 2:
                changed[at : at + 4] = chance.choice(
                    [b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\0\0\1\0"]
                )
            case 3:
                del changed[at : at + chance.randrange(1, 40)]
            case 4:
                changed[at:at] = changed[at : at + chance.randrange(1, 40)]
            case _:
                del changed[max(1, len(changed) - chance.randrange(1, len(changed) + 1)) :]
        if not changed:
            break
    return bytes(changed)


def resealed(data: bytes) -> bytes:
    """A PNG with its check sums made right again, so that the damage gets past them."""
    at, sealed = 8, bytearray(data)
    while data.startswith(b"\x89PNG") and at + 12 <= len(sealed):
        end = at + 8 + struct.unpack_from(">I", sealed, at)[0]
        if end + 4 > len(sealed):
            break
        struct.pack_into(">I", sealed, end, zlib.crc32(sealed[at + 4 : end]))
        at = end + 4
    return bytes(sealed)


@pytest.mark.parametrize("kind", SEEDS)
def test_a_damaged_file_is_a_photo_or_one_sentence(kind: str) -> None:
    chance = random.Random(kind)
    photos, sentences = [], []
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        for _ in range(300):
            data = damaged(SEEDS[kind], chance)
            if chance.random() < 0.7:
                data = resealed(data)
            start = time.perf_counter()
            try:
                photo = decode_photo(data, "x.png")
            except ImageError as error:
                sentences.append(str(error))
            else:
                photos.append(photo.pixels.shape)
            assert time.perf_counter() - start < 5
    assert [str(warning.message) for warning in leaked] == []
    assert len(sentences) > 30
    assert [said for said in sentences if not re.fullmatch(r"“x\.png” [a-z].*\.", said)] == []
    assert max(max(shape) for shape in photos) <= MAX_SIDE


def test_eight_threads_decode_at_once() -> None:
    jobs = [*SEEDS.values(), *BOMBS.values(), *(data for data, _ in MODES.values())] * 4

    def outcome(data: bytes) -> str:
        try:
            return decode_photo(data, "x.png").digest
        except ImageError as error:
            return str(error)

    alone = [outcome(data) for data in jobs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, jobs)) == alone


def test_large_pictures_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of one large picture is enough for any number of visitors."""
    within: list[int] = []
    most: list[int] = []
    develop = images._develop

    def watched(file: picture_files.PictureFile, shown: str) -> Photo:
        within.append(1)
        most.append(len(within))
        time.sleep(0.02)
        try:
            return develop(file, shown)
        finally:
            within.pop()

    monkeypatch.setattr(images, "_develop", watched)
    large = encode(Image.new("L", (2100, 2000)), "PNG")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decoded, [large] * 4))
    assert max(most) == 1


# Metadata --------------------------------------------------------------------------------------------


def test_nothing_but_pixels_is_handed_to_the_decoder() -> None:
    secret = b"47.3769 N 8.5417 E"
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", secret.decode())
    exif = Image.Exif()
    exif[270] = secret.decode()
    for data in (
        encode(NOISE, "PNG", pnginfo=notes, exif=exif.tobytes()),
        encode(NOISE, "JPEG", comment=secret, exif=exif.tobytes()),
        encode(palette_image(), "GIF", comment=secret),
        encode(NOISE, "WEBP", exif=exif.tobytes(), xmp=secret),
    ):
        assert secret in data
        assert secret not in picture_files.read(data).data


# Samples ---------------------------------------------------------------------------------------------


def test_the_first_sample_is_the_cat() -> None:
    assert next(iter(SAMPLES)) == "cat"


@pytest.mark.parametrize("key", SAMPLES)
def test_a_sample_is_a_photo_with_credit_and_licence(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a sample was fetched"))
    sample_photo.cache_clear()
    sample, photo = SAMPLES[key], sample_photo(key)
    assert (sample.key, photo.sample, photo.name, photo.notes) == (key, key, sample.title, ())
    assert sample.credit
    assert re.search("CC0|CC BY 2.0|public domain|no known copyright", sample.licence)
    assert min(photo.width, photo.height) >= 172
    assert photo.pixels.std() > 10
    assert sample_photo(key) is photo


def test_the_cat_is_the_cat_of_scikit_image() -> None:
    from skimage import data

    assert np.array_equal(sample_photo("cat").pixels, data.chelsea())


def test_two_pictures_share_one_square() -> None:
    photo = sample_photo("cat_and_bird")
    assert photo.size == "448×448"
    # the cat is brown, the trees behind the bird are green
    upper, lower = photo.pixels[:224].mean(axis=(0, 1)), photo.pixels[224:].mean(axis=(0, 1))
    assert upper[0] > upper[1]
    assert lower[1] > lower[0]


def test_the_source_of_every_sample_is_written_down() -> None:
    sources = (PROJECT / "assets" / "SOURCES.md").read_text()
    assert {file for sample in SAMPLES.values() for file in sample.files if file not in sources} == set()
    assert {
        path.name for path in (PROJECT / "assets" / "samples").iterdir() if path.name not in sources
    } == set()


def test_an_unknown_sample_is_refused_with_the_keys() -> None:
    with pytest.raises(ImageError, match=re.escape(f"“dog”; there are {', '.join(SAMPLES)}.")):
        sample_photo("dog")


def test_a_missing_sample_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    sample_photo.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ImageError, match=r"chelsea\.png is missing"):
        sample_photo("cat")


# The reference folder of hostile uploads -------------------------------------------------------------


@pytest.mark.shared
def test_hostile_uploads_are_met_as_expected(shared: Path) -> None:
    folder = shared / "hostile"
    items = json.loads((folder / "manifest.json").read_text())["items"]
    uploads = [item for item in items if not item["file"].startswith("checkpoints/")]
    assert len(uploads) > 50
    for item in uploads:
        data, name = (folder / item["file"]).read_bytes(), item["upload_name"]
        start = time.perf_counter()
        if item["expect"] == "error":
            refusal(data, name)
        else:
            try:
                photo = decode_photo(data, name)
            except ImageError:
                assert item["expect"] == "either", item["file"]
                refusal(data, name)
            else:
                if size := item.get("expect_size"):
                    scale = min(1, MAX_SIDE / max(size))
                    assert [photo.width, photo.height] == [max(1, round(side * scale)) for side in size], (
                        item["file"]
                    )
        assert time.perf_counter() - start < 5, item["file"]


@pytest.mark.shared
def test_hostile_cats_still_look_like_the_cat(shared: Path) -> None:
    """Upright, right colours, first frame: every upload of the cat is close to the sample."""
    folder = shared / "hostile"
    cat = np.asarray(Image.fromarray(sample_photo("cat").pixels).convert("L").resize((45, 30)), dtype=float)
    for item in json.loads((folder / "manifest.json").read_text())["items"]:
        if "expect_top1_in" not in item or item["file"].startswith("checkpoints/"):
            continue
        photo = decode_photo((folder / item["file"]).read_bytes(), "x")
        if "Transparency laid on white." in photo.notes:
            continue
        seen = np.asarray(Image.fromarray(photo.pixels).convert("L").resize((45, 30)), dtype=float)
        likeness = np.corrcoef(seen.ravel(), cat.ravel())[0, 1]
        assert likeness > 0.9, (item["file"], likeness)
