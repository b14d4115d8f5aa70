"""Picture files of visitors: the format by content, what the header declares, the bytes that carry pixels."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final, TypeVar

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcoImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

MAX_PIXELS: Final = 40_000_000
"""Pixels of a picture that its decoder must hold whole: at most 500 MB while it is read."""

MAX_PIXELS_COPIED: Final = 24_000_000
"""The same for WebP and AVIF, whose decoders hold three or four copies."""

MAX_PIXELS_REDUCED: Final = 120_000_000
"""Pixels of a sequential JPEG, which is decoded at a half, a quarter or an eighth of its size."""

MAX_PROFILE_BYTES: Final = 4_000_000
MAX_SCANS: Final = 100
"""Scans of one progressive JPEG: encoders write about ten, and each is a pass over the whole picture."""

MAX_PARTS: Final = 100_000
MAX_PAGES: Final = 10_000
UPRIGHT: Final = 1
Part = TypeVar("Part")


class Unreadable(Exception):
    """Why a file cannot be read, as the half of a sentence that follows the file's name."""


@dataclass(frozen=True, eq=False)
class PictureFile:
    """What a picture file says of itself, read before any pixel is decoded.

    `data` is the file without its metadata: no text, position or thumbnail reaches the decoder, and
    outside AVIF no colour profile, so none of them can harm it, and none can leak.  `orientation` is the
    number that a camera notes (1 to 8, EXIF tag 274), `depth` the bits of one channel, `max_pixels` how
    large the picture may be for its decoder.
    """

    kind: str
    open: Callable[[BytesIO], ImageFile.ImageFile]
    data: bytes
    width: int
    height: int
    orientation: int = UPRIGHT
    profile: bytes | None = None
    depth: int = 8
    max_pixels: int = MAX_PIXELS
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """A format that can be read: how its files begin, and the reader of its header."""

    name: str
    matches: Callable[[bytes], bool]
    read: Callable[[bytes], PictureFile]


@dataclass(frozen=True)
class Foreign:
    """What is not read: how to know it, its name, and whether it is a picture that others can convert."""

    what: str
    matches: Callable[[bytes], bool]
    picture: bool = False


def read(data: bytes) -> PictureFile:
    """The header of a picture file, known by its content and never by its name.

    Raises:
        Unreadable: it is something else, is damaged, or is cut off.
    """
    for known in FORMATS:
        if known.matches(data):
            try:
                return known.read(data)
            except (struct.error, ArithmeticError, LookupError, TypeError, ValueError) as error:
                raise Unreadable(f"is a {known.name} file whose header is damaged or cut off") from error
    names = ", ".join(known.name for known in FORMATS[:-1]) + f" or {FORMATS[-1].name}"
    for foreign in FOREIGN:
        if foreign.matches(data):
            cure = "which cannot be read here: save it as JPEG" if foreign.picture else f"not {names}"
            raise Unreadable(f"is {foreign.what}, {cure}")
    raise Unreadable(f"is not {names}: it begins with the bytes {data[:4].hex(' ')}")


# JPEG ------------------------------------------------------------------------------------------------

START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
# JFIF (APP0) and Adobe's colour transform (APP14) change colours; the other APPn and COM are metadata.
METADATA: Final = (frozenset(range(0xE0, 0xF0)) - {0xE0, 0xEE}) | {0xFE}
MARKER: Final = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and bytes of each segment, marker included; a scan brings its compressed data with it."""
    found = MARKER.search(data, 2)
    while found:
        marker, start = found[1][0], found.end() - 2
        if marker == END_OF_IMAGE:
            yield marker, data[start : found.end()]
            return
        end = found.end() + struct.unpack_from(">H", data, found.end())[0]
        if end > len(data):
            raise Unreadable(f"is cut off: its JPEG header goes on after {len(data):,} bytes")
        found = MARKER.search(data, end)
        if marker == START_OF_SCAN:
            end = found.end() - 2 if found else len(data)
        yield marker, data[start:end]


def _read_jpeg(data: bytes) -> PictureFile:
    kept: list[bytes] = [data[:2]]
    parts: dict[int, bytes] = {}
    notes: tuple[str, ...] = ()
    width = height = scans = 0
    orientation, progressive = UPRIGHT, False
    for marker, segment in _limited(_jpeg_segments(data)):
        payload = segment[4:]
        if marker in FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", payload, 1)
            progressive |= marker in PROGRESSIVE
        elif payload.startswith(b"Exif\0\0"):
            orientation = orientation_of(payload)
        elif payload.startswith(b"ICC_PROFILE\0"):
            parts[payload[12]] = payload[14:]
        elif payload.startswith(b"MPF\0"):
            notes = _mpo_note(payload[4:])
        scans += marker == START_OF_SCAN
        if marker not in METADATA:
            kept.append(segment)
    if scans > MAX_SCANS:
        raise Unreadable(f"is a JPEG of {scans:,} scans; the limit is {MAX_SCANS}")
    if not scans:
        raise Unreadable(f"is cut off: its {len(data):,} bytes hold a JPEG header and no pixels")
    profile = b"".join(parts[number] for number in sorted(parts))
    return PictureFile(
        "JPEG",
        JpegImagePlugin.JpegImageFile,
        b"".join(kept),
        width,
        height,
        orientation,
        _bounded_profile(profile),
        max_pixels=MAX_PIXELS if progressive or scans > 1 else MAX_PIXELS_REDUCED,
        notes=notes,
    )


def _mpo_note(index: bytes) -> tuple[str, ...]:
    """How many pictures a multi-picture file of a phone holds (CIPA DC-007, tag 0xB001)."""
    try:
        pictures = _tiff_directory(index).integer(0xB001, 1)
    except (struct.error, LookupError):
        return ()
    return (f"First of {pictures} pictures in the file.",) if pictures > 1 else ()


# PNG -------------------------------------------------------------------------------------------------

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, payload and whole bytes of each chunk, to the end of the picture."""
    at, name = len(PNG_SIGNATURE), b""
    while name != b"IEND":
        if at + 12 > len(data):
            raise Unreadable(f"is cut off: its PNG data end after {len(data):,} bytes, before the last row")
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise Unreadable(f"is cut off after {len(data):,} of at least {at + 12 + length:,} bytes")
        yield name, data[at + 8 : at + 8 + length], data[at : at + 12 + length]
        at += 12 + length


def _read_png(data: bytes) -> PictureFile:
    kept, header, profile, frames, orientation = [PNG_SIGNATURE], b"", None, 1, UPRIGHT
    for name, payload, chunk in _limited(_png_chunks(data)):
        if name == b"IHDR":
            if header:
                raise Unreadable("is a damaged PNG: it has two headers")
            header = payload
        elif name == b"iCCP":
            profile = _inflate_profile(payload)
        elif name == b"eXIf":
            orientation = orientation_of(payload)
        elif name == b"acTL":
            frames = struct.unpack_from(">I", payload)[0]
        if name in {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"}:
            if zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
                raise Unreadable(f"is a damaged PNG: the check sum of its {name.decode()} chunk is wrong")
            kept.append(_transparency_of_8_bit(payload, header) if name == b"tRNS" else chunk)
    width, height, depth = struct.unpack_from(">IIB", header)
    return PictureFile(
        "PNG",
        PngImagePlugin.PngImageFile,
        b"".join(kept),
        width,
        height,
        orientation,
        profile,
        depth=depth,
        notes=_frames_note(frames),
    )


def _transparency_of_8_bit(payload: bytes, header: bytes) -> bytes:
    """The tRNS chunk with its clear colour in 8 bits, as Pillow scales the pixels but not this colour.

    Of 16 bits there is none: what is clear among 65,536 levels cannot be told among 256.
    """
    depth, grey = header[8], header[9] == 0
    if depth == 16:
        return b""
    if grey and depth < 8:
        payload = struct.pack(">H", struct.unpack(">H", payload)[0] * 255 // (2**depth - 1))
    return (
        struct.pack(">I", len(payload)) + b"tRNS" + payload + struct.pack(">I", zlib.crc32(b"tRNS" + payload))
    )


def _inflate_profile(payload: bytes) -> bytes | None:
    """The colour profile of an iCCP chunk; None for one that is damaged or inflates without bound."""
    compressed = payload.partition(b"\0")[2][1:]
    try:
        return _bounded_profile(zlib.decompressobj().decompress(compressed, MAX_PROFILE_BYTES + 1))
    except zlib.error:
        return None


# GIF -------------------------------------------------------------------------------------------------


GIF_EXTENSION, GIF_IMAGE, GIF_END, GIF_CONTROL = 0x21, 0x2C, 0x3B, 0xF9


def _gif_blocks(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of each extension and each frame."""
    while (kind := data[at]) != GIF_END:
        if kind not in (GIF_EXTENSION, GIF_IMAGE):
            raise ValueError(f"no GIF block begins with {kind:#x}")
        head = 2 if kind == GIF_EXTENSION else 11 + _gif_palette_bytes(data[at + 9])
        end = at + head
        while data[end]:
            end += data[end] + 1
        yield kind, data[at : end + 1]
        at = end + 1


def _read_gif(data: bytes) -> PictureFile:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    start = 13 + _gif_palette_bytes(flags)
    control, first, frames = b"", b"", 0
    try:
        for kind, block in _limited(_gif_blocks(data, start)):
            if kind == GIF_EXTENSION and block[1] == GIF_CONTROL and not frames:
                control = block
            elif kind == GIF_IMAGE:
                first = first or block
                frames += 1
    except (IndexError, ValueError) as error:
        # Damage behind the first frame does no harm.
        if not first:
            raise Unreadable(f"is cut off or damaged within its {len(data):,} bytes") from error
    if not first:
        raise Unreadable("is a GIF without a picture")
    left, top, columns, rows = struct.unpack_from("<HHHH", first, 1)
    return PictureFile(
        "GIF",
        GifImagePlugin.GifImageFile,
        data[:start] + control + first + bytes([GIF_END]),
        # A frame may reach over the canvas, and the decoder then enlarges the canvas.
        max(width, left + columns),
        max(height, top + rows),
        notes=_frames_note(frames),
    )


def _gif_palette_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


# WebP ------------------------------------------------------------------------------------------------


WEBP_PIXELS: Final = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
# The bits that announce a profile, EXIF and XMP.
WEBP_METADATA: Final = 0x20 | 0x08 | 0x04


def _riff_chunks(data: bytes, total: int) -> Iterator[tuple[bytes, bytes]]:
    """Name and payload of each chunk behind the header."""
    at = 12
    while at + 8 <= total:
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _read_webp(data: bytes) -> PictureFile:
    total = 8 + struct.unpack_from("<I", data, 4)[0]
    if len(data) < total:
        raise Unreadable(f"is cut off after {len(data):,} of {total:,} bytes")
    size, profile, orientation, frames = (0, 0), None, UPRIGHT, 0
    kept = [b"WEBP"]
    for name, payload in _limited(_riff_chunks(data, total)):
        if name == b"VP8X":
            size = (
                1 + int.from_bytes(payload[4:7], "little"),
                1 + int.from_bytes(payload[7:10], "little"),
            )
        elif name == b"VP8 " and size == (0, 0):
            size = tuple(side & 0x3FFF for side in struct.unpack_from("<HH", payload, 6))
        elif name == b"VP8L" and size == (0, 0):
            bits = struct.unpack_from("<I", payload, 1)[0]
            size = (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        elif name == b"ICCP":
            profile = _bounded_profile(payload)
        elif name == b"EXIF":
            orientation = orientation_of(payload)
        frames += name == b"ANMF"
        if name == b"VP8X":
            payload = bytes([payload[0] & ~WEBP_METADATA]) + payload[1:]
        if name in WEBP_PIXELS:
            kept.append(name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2))
    width, height = size
    return PictureFile(
        "WebP",
        WebPImagePlugin.WebPImageFile,
        b"RIFF" + struct.pack("<I", sum(map(len, kept))) + b"".join(kept),
        width,
        height,
        orientation,
        profile,
        max_pixels=MAX_PIXELS_COPIED,
        notes=_frames_note(frames),
    )


# TIFF ------------------------------------------------------------------------------------------------

# Bytes, shorts, longs, and bytes "of undefined meaning".
INTEGER_TYPES: Final = {1: "B", 3: "H", 4: "I", 7: "B"}
SINGLE_TAGS: Final = frozenset({256, 257, 259, 262, 266, 277, 278, 284, 292, 293, 317, 322, 323})
PIXEL_TAGS: Final = SINGLE_TAGS | {258, 273, 279, 320, 324, 325, 338, 339, 347, 530, 532}
# None, CCITT fax, LZW, JPEG, Adobe's and the old Deflate, PackBits: what scanners and editors write.
COMPRESSIONS: Final = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
MAX_STRIPS: Final = 65_536
PREVIEW, DNG_VERSION = 1, 50706


@dataclass(frozen=True)
class TiffDirectory:
    """One directory of a TIFF: the raw entries by tag, and where the next directory is."""

    data: bytes
    order: str
    entries: dict[int, tuple[int, int, bytes]]
    following: int

    def raw(self, tag: int) -> bytes:
        """The value's bytes; nothing for a tag that is absent, no integer, or beyond the end of the file."""
        kind, count, field = self.entries.get(tag, (0, 0, b""))
        length = count * struct.calcsize(INTEGER_TYPES.get(kind, ""))
        if length <= 4:
            return field[:length]
        offset = struct.unpack(f"{self.order}I", field)[0]
        return self.data[offset : offset + length] if offset + length <= len(self.data) else b""

    def integer(self, tag: int, default: int) -> int:
        """The first value of a tag."""
        value = self.raw(tag)
        if not value:
            return default
        kind = INTEGER_TYPES[self.entries[tag][0]]
        return int(struct.unpack_from(f"{self.order}{kind}", value)[0])


def _tiff_directory(data: bytes, offset: int | None = None) -> TiffDirectory:
    """The directory at `offset`, or the first one."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    if offset is None:
        offset = struct.unpack_from(f"{order}I", data, 4)[0]
    count = struct.unpack_from(f"{order}H", data, offset)[0]
    entries = {
        tag: (kind, length, field)
        for tag, kind, length, field in struct.iter_unpack(
            f"{order}HHI4s", data[offset + 2 : offset + 2 + 12 * count]
        )
    }
    following = struct.unpack_from(f"{order}I", data, offset + 2 + 12 * count)[0]
    return TiffDirectory(data, order, entries, following)


def orientation_of(exif: bytes) -> int:
    """Which way up the camera was held, 1 to 8; upright where the note is damaged (TIFF tag 274)."""
    try:
        noted = _tiff_directory(exif.removeprefix(b"Exif\0\0")).integer(274, UPRIGHT)
    except (struct.error, LookupError):
        return UPRIGHT
    return noted if 1 <= noted <= 8 else UPRIGHT


def _read_tiff(data: bytes) -> PictureFile:
    directory = _tiff_directory(data)
    if directory.integer(254, 0) & PREVIEW or DNG_VERSION in directory.entries:
        raise Unreadable("is the raw file of a camera, which cannot be read here: save it as JPEG")
    compression = directory.integer(259, 1)
    if compression not in COMPRESSIONS:
        raise Unreadable(f"is a TIFF with compression {compression}, which is not read here: save it as PNG")
    width, height = directory.integer(256, 0), directory.integer(257, 0)
    strips = max(directory.entries.get(tag, (0, 0))[1] for tag in (273, 279, 324, 325))
    if strips > MAX_STRIPS:
        raise Unreadable(f"is a TIFF of {strips:,} strips; the limit is {MAX_STRIPS:,}")
    if data.count(b"\xff\xda") > MAX_SCANS + strips and compression == 7:
        raise Unreadable(f"is a TIFF of more than {MAX_SCANS} JPEG scans")
    tile = directory.integer(322, 0) * directory.integer(323, 0)
    if tile > max(width * height, 1024 * 1024):
        raise Unreadable(f"is a damaged TIFF: one tile holds {tile:,} pixels, the picture {width * height:,}")
    pages = _tiff_pages(directory)
    return PictureFile(
        "TIFF",
        TiffImagePlugin.TiffImageFile,
        _tiff_of_pixels(directory),
        width,
        height,
        orientation_of(data),
        _bounded_profile(directory.raw(34675)),
        depth=directory.integer(258, 1),
        notes=(f"First of {pages} pages.",) if pages > 1 else (),
    )


def _tiff_pages(directory: TiffDirectory) -> int:
    """How many pages follow each other; a chain that bites its tail, or leaves the file, ends there."""
    seen: set[int] = set()
    following = directory.following
    while following and following not in seen and len(seen) < MAX_PAGES:
        seen.add(following)
        try:
            (entries,) = struct.unpack_from(f"{directory.order}H", directory.data, following)
            (following,) = struct.unpack_from(
                f"{directory.order}I", directory.data, following + 2 + 12 * entries
            )
        except struct.error:
            break
    return 1 + len(seen)


def _tiff_of_pixels(directory: TiffDirectory) -> bytes:
    """The same file with a new first directory, of the tags that describe pixels and nothing else."""
    order, data = directory.order, directory.data
    kept = b""
    for tag in sorted(PIXEL_TAGS & directory.entries.keys()):
        kind, count, field = directory.entries[tag]
        if directory.raw(tag):
            kept += struct.pack(f"{order}HHI4s", tag, kind, 1 if tag in SINGLE_TAGS else count, field)
    body = data[8:] + b"\0" * (len(data) % 2)
    return (
        data[:4]
        + struct.pack(f"{order}I", 8 + len(body))
        + body
        + struct.pack(f"{order}H", len(kept) // 12)
        + kept
        + bytes(4)
    )


# BMP and ICO -----------------------------------------------------------------------------------------


def _bitmap_size(data: bytes, at: int) -> tuple[int, int]:
    """Width and height in a bitmap's header; a negative height means rows from the top."""
    (length,) = struct.unpack_from("<I", data, at)
    if length == 12:
        width, height = struct.unpack_from("<HH", data, at + 4)
        return width, height
    width, height, _, _, compression = struct.unpack_from("<iiHHI", data, at + 4)
    if compression in (1, 2):
        raise Unreadable("is a BMP with run-length compression, which is not read here: save it as PNG")
    return abs(width), abs(height)


def _read_bmp(data: bytes) -> PictureFile:
    width, height = _bitmap_size(data, 14)
    return PictureFile("BMP", BmpImagePlugin.BmpImageFile, data, width, height)


def _read_ico(data: bytes) -> PictureFile:
    count = struct.unpack_from("<H", data, 4)[0]
    icons = [struct.unpack_from("<BBBBHHII", data, 6 + 16 * number) for number in range(count)]
    _, _, colours, _, planes, depth, length, offset = max(
        icons, key=lambda icon: ((icon[0] or 256) * (icon[1] or 256), icon[5])
    )
    notes = (f"Largest of {count} sizes.",) if count > 1 else ()
    if offset + length > len(data):
        raise Unreadable(f"is cut off after {len(data):,} of {offset + length:,} bytes")
    icon = data[offset : offset + length]
    if icon.startswith(PNG_SIGNATURE):
        return replace(_read_png(icon), kind="ICO", notes=notes)
    width, height = _bitmap_size(icon, 0)
    # The bitmap of an icon is twice as high as the icon: colours above, mask below.
    height //= 2
    if not (1 <= width <= 256 and 1 <= height <= 256):
        raise Unreadable(f"is a damaged icon: a bitmap of {width}×{height}, where 256×256 is the largest")
    entry = struct.pack("<BBBBHHII", width % 256, height % 256, colours, 0, planes, depth, length, 22)
    alone = struct.pack("<HHH", 0, 1, 1) + entry + icon
    return PictureFile("ICO", IcoImagePlugin.IcoImageFile, alone, width, height, notes=notes)


# AVIF, and its relatives that cannot be read -----------------------------------------------------------


def _brands(data: bytes) -> set[bytes]:
    """The brands of an ISO media file (ISO/IEC 14496-12): what kinds of file it claims to be."""
    if data[4:8] != b"ftyp":
        return set()
    listed = data[8 : min(struct.unpack_from(">I", data)[0], 256)]
    return {listed[at : at + 4] for at in range(0, len(listed), 4) if at != 4}


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each box of an ISO media file."""
    at = 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
        if length < 8:
            return
        yield name, at, at + length
        at += length


def _read_avif(data: bytes) -> PictureFile:
    spans = (slice(start, end) for name, start, end in _limited(_boxes(data)) if name == b"meta")
    within = next(spans, slice(0, 0))
    meta = data[within]
    sizes = [struct.unpack(">II", found[1]) for found in re.finditer(rb"ispe\0{4}(.{8})", meta, re.DOTALL)]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(1, 1))
    # Pillow reads EXIF on opening; renamed, the item is skipped.  The turn that counts is the box irot.
    unread = data[: within.start] + meta.replace(b"Exif", b"skip") + data[within.stop :]
    return PictureFile(
        "AVIF", AvifImagePlugin.AvifImageFile, unread, width, height, max_pixels=MAX_PIXELS_COPIED
    )


# What is common --------------------------------------------------------------------------------------


def _limited(parts: Iterator[Part]) -> Iterator[Part]:
    """The same parts; a file of a million tiny ones would keep the reader busy for seconds."""
    for number, part in enumerate(parts):
        if number == MAX_PARTS:
            raise Unreadable(f"is made of more than {MAX_PARTS:,} parts")
        yield part


def _frames_note(frames: int) -> tuple[str, ...]:
    return (f"First of {frames} frames.",) if frames > 1 else ()


def _bounded_profile(profile: bytes) -> bytes | None:
    return profile if 0 < len(profile) <= MAX_PROFILE_BYTES else None


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(signatures)


def _has_brand(*brands: bytes) -> Callable[[bytes], bool]:
    return lambda data: not _brands(data).isdisjoint(brands)


def _opens_with_tag(*tags: bytes) -> Callable[[bytes], bool]:
    """Markup whose first kilobyte, after blanks and a byte-order mark, holds one of the tags."""

    def matches(data: bytes) -> bool:
        head = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
        return head.startswith(b"<") and any(tag in head for tag in tags)

    return matches


def _is_text(data: bytes) -> bool:
    """Whether the first kilobyte is UTF-8 (or marked UTF-16) without control characters."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        # A character may be cut at the end of the kilobyte: its at most three bytes are let go.
        head = data[:1024].decode() if len(data) <= 1024 else data[:1024].decode(errors="ignore")
    except UnicodeDecodeError:
        return False
    lost = len(data[:1024]) - len(head.encode())
    return lost <= 3 and all(character.isprintable() or character in "\t\n\r\f\ufeff" for character in head)


def _is_raw(data: bytes) -> bool:
    """Raw files of Canon (CR2, CR3), Fujifilm, Olympus and Panasonic; DNG and NEF are told as TIFF."""
    makers = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"IIU\0")
    return data.startswith(makers) or data[8:10] == b"CR" or _has_brand(b"crx ")(data)


def _is_pickle(data: bytes) -> bool:
    """Protocol 2 to 5, which begin with their number and end with a full stop."""
    return data[:1] == b"\x80" and data[1:2] in {b"\2", b"\3", b"\4", b"\5"} and data.endswith(b".")


FORMATS: Final = (
    Format("JPEG", _starts(b"\xff\xd8\xff"), _read_jpeg),
    Format("PNG", _starts(PNG_SIGNATURE), _read_png),
    Format("WebP", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _read_webp),
    Format("GIF", _starts(b"GIF87a", b"GIF89a"), _read_gif),
    Format("AVIF", _has_brand(b"avif", b"avis"), _read_avif),
    Format("TIFF", lambda data: data[:4] in (b"II*\0", b"MM\0*") and data[8:10] != b"CR", _read_tiff),
    Format("BMP", lambda data: data[:2] == b"BM" and not _is_text(data), _read_bmp),
    Format("ICO", _starts(b"\0\0\1\0"), _read_ico),
)
"""Every format that can be read.  The decoder is chosen from here: no other plugin sees a visitor's file."""

FOREIGN: Final = (
    Foreign("an SVG drawing", _opens_with_tag(b"<svg"), picture=True),
    Foreign("a web page", _opens_with_tag(b"<!doctype html", b"<html", b"<head", b"<body")),
    Foreign("a PDF document", _starts(b"%PDF-")),
    Foreign("a PostScript program", _starts(b"%!", b"\xc5\xd0\xd3\xc6")),
    Foreign("HEIC", _has_brand(b"heic", b"heix", b"hevc", b"mif1"), picture=True),
    Foreign("the raw file of a camera", _is_raw, picture=True),
    Foreign("JPEG 2000", _starts(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), picture=True),
    Foreign("JPEG XL", _starts(b"\0\0\0\x0cJXL ", b"\xff\x0a"), picture=True),
    Foreign("a Photoshop document", _starts(b"8BPS"), picture=True),
    Foreign("a video", lambda data: data[4:8] == b"ftyp" or data[8:12] == b"AVI "),
    Foreign("a video", _starts(b"\x1a\x45\xdf\xa3", b"\0\0\1\xba", b"FLV\1")),
    Foreign("a sound", lambda data: data.startswith((b"ID3", b"OggS", b"fLaC")) or data[8:12] == b"WAVE"),
    Foreign("a PyTorch checkpoint", lambda data: data.startswith(b"PK\3\4") and b"/data.pkl" in data[:256]),
    Foreign("a ZIP archive", _starts(b"PK\3\4", b"PK\5\6")),
    Foreign("a compressed archive", _starts(b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\xfd7zXZ")),
    Foreign("a NumPy array", _starts(b"\x93NUMPY")),
    Foreign("a Python pickle", _is_pickle),
    Foreign("text", _is_text),
)
"""What is no picture, or one that cannot be read, from the most particular to plain text."""
