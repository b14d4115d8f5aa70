"""Why code is not read: one sentence, and the place in the text that it is about."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from explorer.errors import ExplorerError

_EXCERPT: Final = 100
"""Most characters of a source line that are shown around the place."""


@dataclass(frozen=True)
class Place:
    """Where something stands in the text: lines and columns count from 1, the end column is the one after it."""

    line: int
    column: int
    end_line: int = 0
    end_column: int = 0


@dataclass(frozen=True)
class Spelling:
    """A word that is not known, and the one that was probably meant.

    Attributes:
        word: "Conv2D".
        meant: "Conv2d"; "nn.ReLU" where what stands before it is missing too.
        place: of the word; of what led to it where it is written elsewhere, as in `layer = nn.Relu`.
    """

    word: str
    meant: str
    place: Place


class CodeError(ExplorerError):
    """Code that is not read, or does not make a network.  `str(error)` is one sentence that begins with the line.

    Attributes:
        reason: the sentence without the line.
        line, column: where, from 1; 0 where it is about the code as a whole.
        source_line: that line as it was given.
        instead: where a word is not known and another is near, both.
    """

    def __init__(
        self,
        reason: str,
        line: int = 0,
        column: int = 0,
        source_line: str = "",
        instead: Spelling | None = None,
    ) -> None:
        self.reason = reason
        self.instead = instead
        self.line = line
        self.column = column
        self.source_line = source_line
        super().__init__(f"Line {line}: {reason}" if line else reason)

    @property
    def excerpt(self) -> str:
        r"""The source line with a caret under the place, "" where there is none.

        >>> print(CodeError("nn.Conv2D is not a layer.", 1, 7, "net = nn.Conv2D(3, 4, 3)").excerpt)
        net = nn.Conv2D(3, 4, 3)
              ^
        """
        if not self.line:
            return ""
        start = max(0, self.column - 1 - _EXCERPT * 3 // 4)
        shown = self.source_line[start : start + _EXCERPT].rstrip()
        before = "".join("\t" if sign == "\t" else " " for sign in self.source_line[start : self.column - 1])
        return f"{shown}\n{before}^"


def nearest(name: str, names: Iterable[str]) -> str:
    """The one of `names` that was probably meant, "" where none is near.

    >>> nearest("Conv2D", ["Conv1d", "Conv2d", "Linear"])
    'Conv2d'
    """
    known = list(names)
    folded = {one.lower(): one for one in known}
    if name.lower() in folded:
        return folded[name.lower()]
    close = difflib.get_close_matches(name[:60], known, 1, 0.75)
    return close[0] if close else ""


def meant(name: str, names: Iterable[str], prefix: str = "") -> str:
    """The end of a sentence: "." or ": did you mean nn.Conv2d?"."""
    near = nearest(name, names)
    return f": did you mean {prefix}{near}?" if near else "."
