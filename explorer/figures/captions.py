"""Words on figures for print: titles that keep inside their sheet, and the scale of the colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from explorer.errors import ImageError
from explorer.figures.signed import SIGNED

INK: Final = "#16212a"
EDGE: Final = "#c9d2d8"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def lines_of(text: str, width: float, font: Font) -> tuple[str, ...]:
    """The text in lines of at most so many pixels, broken at spaces; a word that is too long alone is cut in two.

    >>> lines_of("one two three", 40, ImageFont.load_default(12))
    ('one', 'two', 'three')

    Raises:
        ImageError: a letter is wider than that.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        if font.getlength(f"{line} {word}".strip()) <= width:
            line = f"{line} {word}".strip()
            continue
        if line:
            lines.append(line)
        while font.getlength(word) > width:
            fits = next((at for at in range(len(word) - 1, 0, -1) if font.getlength(word[:at]) <= width), 0)
            if not fits:
                raise ImageError(f"A line of {width:g} pixels has no room for “{word[0]}”.")
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return tuple([*lines, line] if line else lines)


def legend(
    sheet: Image.Image, place: tuple[int, int], size: tuple[int, int], lines: Sequence[str], font: Font
) -> None:
    """The colours from the lowest to the highest value at (left, top), so many pixels (wide, high); words behind."""
    (left, top), (wide, high) = place, size
    bar = Image.fromarray(SIGNED["activations"].table()[None]).resize((wide, high), Image.Resampling.NEAREST)
    sheet.paste(bar, (left, top))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left - 1, top - 1, left + wide, top + high), outline=EDGE)
    for number, line in enumerate(lines):
        draw.text((left + wide + 14, top + high / 2 + number * high), line, fill=INK, font=font, anchor="lm")
