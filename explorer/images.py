"""Photographs: the visitor's, decoded with care, and the samples that come with the app."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import threading
import unicodedata
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from PIL import Image, ImageCms

from explorer.errors import ImageError
from explorer.picture_files import MAX_PIXELS_REDUCED, PictureFile, Unreadable, orientation_of, read

MAX_BYTES: Final = 20_000_000
MAX_SIDE: Final = 2048

_LARGE: Final = 4_000_000
# Memory for one large picture is spared however many visitors send theirs at once.
_room_for_a_large_one = threading.BoundedSemaphore(1)


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture ready for kernels and networks.

    `pixels` is RGB, uint8 (height, width, 3), C-contiguous and read-only.  `sample` is its key in
    `SAMPLES` when it is one.  `notes` are sentences: what was done to the file.

    >>> photo = Photo("red.png", np.full((2, 3, 3), (255, 0, 0), dtype=np.uint8))
    >>> photo.size, photo.pixels.flags.writeable
    ('3×2', False)

    Raises:
        ImageError: the pixels have another type or shape, or there are none.
    """

    name: str
    pixels: np.ndarray
    sample: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
            raise ImageError(
                f"A photo needs uint8 pixels of shape (height, width, 3), not {pixels.dtype} {pixels.shape}."
            )
        # A copy: a view could still be written to through the array that it looks at.
        pixels = pixels.copy(order="C")
        pixels.flags.writeable = False
        object.__setattr__(self, "pixels", pixels)

    def __reduce__(self) -> tuple[object, ...]:
        # numpy forgets "read-only" in a pickle; the constructor sets it again
        return Photo, (self.name, self.pixels, self.sample, self.notes)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def size(self) -> str:
        """Width × height in pixels, as text."""
        return f"{self.width}×{self.height}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of shape and pixels, in hexadecimal: two photos are the same picture when it is equal."""
        return hashlib.sha256(repr(self.pixels.shape).encode() + self.pixels.tobytes()).hexdigest()


# Names -----------------------------------------------------------------------------------------------

_JOINER, _WORD_JOINER = "\u200d", "\u2060"


def display_name(name: str, limit: int = 40) -> str:
    """A visitor's file name as plain text fit to be read: no folders, no control or bidi characters.

    A long name is shortened in the middle, so that its beginning, end and extension stay.

    >>> display_name("C:\\\\photos\\\\..\\\\my cat.png")
    'my cat.png'
    >>> display_name("holiday-in-the-mountains-2024.jpeg", limit=20)
    'holiday-in…2024.jpeg'
    """
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    blanks = re.sub(r"\s", " ", base)
    # Emoji are glued by the joiner, the one format character that a name may need.
    visible = "".join(c for c in blanks if c in {" ", _JOINER} or unicodedata.category(c)[0] not in "CZ")
    visible = re.sub(" +", " ", visible).strip()
    if not visible.strip(". " + _JOINER):
        return "picture"
    if len(visible) <= limit:
        return visible
    stem, dot, extension = visible.rpartition(".")
    tail = dot + extension if stem and len(extension) <= 5 else ""
    stem = visible.removesuffix(tail)
    room = max(2, limit - len(tail) - 1)
    head, end = stem[: room - room // 3], stem[len(stem) - room // 3 :]
    # Nothing is glued to the cut: an accent or a joiner would land on the dots.
    while head.endswith((" ", _JOINER)):
        head = head[:-1]
    while end and (end[0] in {" ", _JOINER} or unicodedata.category(end[0])[0] == "M"):
        end = end[1:]
    return f"{head}…{end}{tail}"


# Every sign that Markdown gives a meaning, with Streamlit's $formulas$, :directives: and ~~strikes~~.
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:=^])")
# Streamlit also looks into the finished text for :emoji:, addresses, and arrows; a joiner without
# width keeps their parts apart.
_FOUND_IN_TEXT: Final = re.compile(r"(?i)(?<=:)|(?<=@)|(?<=www)(?=\.)|(?<=[-<>~])(?=[-=>])")
_HTML: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: str) -> str:
    """`text` escaped for Streamlit's Markdown: it is shown as it is, on one line, and nothing in it acts.

    >>> plain("*a* <b>")
    '\\\\*a\\\\* &lt;b&gt;'
    """
    joined = _FOUND_IN_TEXT.sub(_WORD_JOINER, " ".join(text.split()))
    return "".join(_HTML.get(part, part) for part in re.split(r"([&<>])", _MARKDOWN.sub(r"\\\1", joined)))


# Decoding --------------------------------------------------------------------------------------------


def decode_photo(data: bytes, name: str) -> Photo:
    """The picture in a file, whatever its name says: upright, RGB, on white, at most `MAX_SIDE` long.

    Reads what `picture_files.FORMATS` lists.  Of several frames the first is taken; metadata is
    dropped; colours of an embedded profile become sRGB.  `Photo.notes` says what was changed.

    Raises:
        ImageError: one sentence that names the file and why it cannot be shown.
    """
    shown = display_name(name)
    try:
        return _decode(data, shown)
    except Unreadable as error:
        raise ImageError(f"“{shown}” {error}.") from error


def _decode(data: bytes, shown: str) -> Photo:
    if not data:
        raise Unreadable("is empty")
    if len(data) > MAX_BYTES:
        raise Unreadable(f"has {len(data) / 1e6:,.1f} MB; the limit is {MAX_BYTES // 10**6} MB")
    file = read(data)
    _check_size(file, file.width, file.height)
    large = file.max_pixels < MAX_PIXELS_REDUCED and file.width * file.height > _LARGE
    with _room_for_a_large_one if large else nullcontext():
        try:
            return _develop(file, shown)
        except Unreadable:
            raise
        except MemoryError as error:
            raise Unreadable(
                f"needs more memory than is free: {file.width:,}×{file.height:,} pixels"
            ) from error
        except Exception as error:
            # Whatever a decoder raises over damaged bytes (OSError, SyntaxError, struct.error, …).
            if "truncated" in str(error).lower():
                raise Unreadable(
                    f"is cut off: its {file.kind} data end after {len(data):,} bytes, before the last row"
                ) from error
            raise Unreadable(f"is a damaged {file.kind} file: its pixels cannot be decoded") from error


def _check_size(file: PictureFile, width: int, height: int) -> None:
    """Refuse a picture by its declared size, before memory is taken for it."""
    if width < 1 or height < 1:
        raise Unreadable(f"declares a size of {width}×{height} pixels")
    if width * height > file.max_pixels:
        raise Unreadable(
            f"declares {width:,}×{height:,} = {width * height / 1e6:,.0f} million pixels; "
            f"the limit for this {file.kind} is {file.max_pixels // 10**6} million"
        )


def _develop(file: PictureFile, shown: str) -> Photo:
    """From the file to the photo: decode, 8 bit, small, sRGB, on white, upright."""
    notes = list(file.notes)
    image: Image.Image = file.open(BytesIO(file.data))
    width, height = image.size
    frames: int = getattr(image, "n_frames", 1)
    _check_size(file, width, height)
    if frames > 1 and not notes:
        notes.append(f"First of {frames} frames.")
    target = bounded_size(width, height, MAX_SIDE)
    image.draft(None, target)
    image.load()
    profile = file.profile or image.info.get("icc_profile")
    # Of AVIF the decoder alone knows the turn, which it tells as EXIF.
    orientation = orientation_of(image.info.get("exif", b"")) if file.kind == "AVIF" else file.orientation

    if image.mode.startswith(("I", "F")):
        image, note = _eight_bit(image)
        notes.append(note)
    elif file.depth > 8:
        notes.append(f"{file.depth}-bit values scaled to 8 bit.")
    if image.mode != (mode := _working_mode(image)):
        # not where the mode is right already: Pillow would copy every pixel
        image = image.convert(mode)
    if image.size != target:
        image = image.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
    image, alpha = _without_alpha(image)
    if profile:
        image, note = _in_srgb(image, profile)
        notes.append(note)
    image = image.convert("RGB")
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
        notes.append("Transparency laid on white.")
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
        notes.append("Turned upright as the camera noted.")
    if target != (width, height):
        # from 5 on the camera lay on its side
        before = (height, width) if orientation >= 5 else (width, height)
        notes.append(f"Reduced from {before[0]}×{before[1]} to {image.width}×{image.height}.")
    return Photo(shown, np.asarray(image), notes=tuple(filter(None, notes)))


def bounded_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height with the long side at most `side`, in the same proportions, never enlarged.

    >>> bounded_size(8000, 6000, 2048), bounded_size(1, 5000, 2048)
    ((2048, 1536), (1, 2048))
    """
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by the orientation that the camera noted (EXIF 2.32, tag 274)."""


def _working_mode(image: Image.Image) -> str:
    """The mode to resize in: grey, colour or inks, with alpha where pixels may be transparent."""
    if image.has_transparency_data:
        return "RGBA"
    return image.mode if image.mode in {"L", "RGB", "CMYK"} else "L" if image.mode == "1" else "RGB"


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours and alpha apart; no alpha where every pixel is opaque."""
    if image.mode != "RGBA":
        return image, None
    alpha = image.getchannel("A")
    return image.convert("RGB"), alpha if np.asarray(alpha).min() < 255 else None


def _eight_bit(image: Image.Image) -> tuple[Image.Image, str]:
    """Grey of 16 bits, 32 bits or floats, scaled to 8 bit, and the sentence that says how.

    Integers up to 65,535 fill the range of the smallest depth that holds them (12-bit cameras and
    scanners store 0–4,095 in 16 bits).  Floats of 0–1 are multiplied by 255.  Anything else, as
    heights or temperatures, is stretched from its least to its greatest value.
    """
    values = np.array(image, dtype=np.float32)
    sound = np.isfinite(values)
    lost = values.size - int(sound.sum())
    low, high = (
        float(values.min(where=sound, initial=np.inf)),
        float(values.max(where=sound, initial=-np.inf)),
    )
    if lost:
        values[~sound] = low if lost < values.size else 0
    if lost == values.size:
        low, high, note = 0.0, 1.0, "It holds no finite value."
    elif image.mode.startswith("I") and low >= 0 and high <= 65535:
        depth = next(bits for bits in (8, 10, 12, 14, 16) if high < 2**bits)
        low, high, note = 0.0, 2.0**depth - 1, f"{depth}-bit values scaled to 8 bit."
    elif image.mode == "F" and low >= 0 and high <= 1:
        low, high, note = 0.0, 1.0, "Values of 0–1 multiplied by 255."
    else:
        note = f"Values of {low:,.6g} to {high:,.6g} stretched to 0–255."
    if 0 < lost < values.size:
        note = f"{note} {lost:,} values that are not finite shown black."
    if high - low > float(np.finfo(np.float32).max):
        values *= 0.5
        low, high = low / 2, high / 2
    values -= low
    values /= high - low or 1
    values *= 255
    return Image.fromarray(np.rint(values, out=values).astype(np.uint8)), note


_PROFILE_SPACES: Final = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}


def _in_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """The picture as sRGB, by its embedded profile; unchanged where the profile is none for it."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        title = ImageCms.getProfileDescription(source).strip()
        if source.profile.xcolor_space != _PROFILE_SPACES.get(image.mode) or "sRGB" in title:
            return image, ""
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image, ""
    if converted is None:
        return image, ""
    return converted, f"Colours converted from {display_name(title)} to sRGB."


# Samples ---------------------------------------------------------------------------------------------

_ASSETS: Final = Path(__file__).resolve().parents[1] / "assets" / "samples"


@dataclass(frozen=True)
class Sample:
    """A picture that comes with the app, or with scikit-image, and may be shown and passed on."""

    key: str
    title: str
    credit: str
    licence: str
    files: tuple[str, ...]
    """One file, or two that are shown one above the other."""


_CHELSEA: Final = "Chelsea, by Stéfan van der Walt"
_CHICKADEE: Final = "Chickadee, from Open Images"
_SAMPLES: Final = (
    Sample("cat", "Cat", _CHELSEA, "CC0", ("chelsea.png",)),
    Sample(
        "cat_and_bird",
        "Cat and bird",
        f"{_CHELSEA}, over {_CHICKADEE}",
        "CC0, CC BY 2.0",
        ("chelsea.png", "chickadee.jpg"),
    ),
    Sample("bird", "Bird", _CHICKADEE, "CC BY 2.0", ("chickadee.jpg",)),
    Sample("coffee", "Coffee", "Pikolo Espresso Bar, by Rachel Michetti", "CC0", ("coffee.png",)),
    Sample("rocket", "Rocket", "Falcon 9 with DSCOVR, by SpaceX", "public domain", ("rocket.jpg",)),
    Sample("camera", "Tripod", "Lav Varshney", "CC0", ("camera.png",)),
    Sample("astronaut", "Astronaut", "Eileen Collins, by NASA", "public domain", ("astronaut.png",)),
    Sample(
        "coins",
        "Coins",
        "Greek coins from Pompeii, Brooklyn Museum",
        "no known copyright restrictions",
        ("coins.png",),
    ),
    Sample("text", "Handwriting", "Wikipedia, Corner.png", "public domain", ("text.png",)),
    Sample("bricks", "Bricks", "CC0Textures, Bricks25", "CC0", ("brick.png",)),
)
SAMPLES: Final[Mapping[str, Sample]] = MappingProxyType({sample.key: sample for sample in _SAMPLES})
"""Every sample by its key; the first is what a page opens on.  Sources: assets/SOURCES.md."""


@cache
def sample_photo(key: str) -> Photo:
    """A sample as a photo.

    >>> sample_photo("cat").size
    '451×300'

    Raises:
        ImageError: no sample has this key.
    """
    if key not in SAMPLES:
        raise ImageError(f"There is no sample “{display_name(key)}”; there are {', '.join(SAMPLES)}.")
    sample = SAMPLES[key]
    parts = [decode_photo(_sample_bytes(file), file).pixels for file in sample.files]
    pixels = parts[0] if len(parts) == 1 else _square_of_two(parts[0], parts[1])
    return Photo(sample.title, pixels, sample=key)


def _sample_bytes(file: str) -> bytes:
    """A sample's file, from the app's own folder or from scikit-image's wheel; never from the network."""
    own = _ASSETS / file
    if own.is_file():
        return own.read_bytes()
    package = importlib.util.find_spec("skimage")
    folders = (package.submodule_search_locations if package else None) or ()
    for folder in folders:
        path = Path(folder) / "data" / file
        if path.is_file():
            return path.read_bytes()
    raise ImageError(f"The sample picture {file} is missing: reinstall scikit-image.")


def _square_of_two(upper: np.ndarray, lower: np.ndarray, side: int = 448) -> np.ndarray:
    """The middles of two pictures, one above the other in a square."""
    halves = []
    for pixels in (upper, lower):
        height, width = pixels.shape[:2]
        crop = min(height, width // 2)
        top, left = (height - crop) // 2, (width - 2 * crop) // 2
        middle = Image.fromarray(pixels[top : top + crop, left : left + 2 * crop])
        halves.append(np.asarray(middle.resize((side, side // 2), Image.Resampling.LANCZOS)))
    return np.concatenate(halves)
