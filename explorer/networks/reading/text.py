"""From what was pasted to a syntax tree: prompts, fences and notebook commands put aside, errors with their place."""

from __future__ import annotations

import ast
import re
import threading
import time
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from explorer.networks.reading.budget import CHARACTERS, NESTING
from explorer.networks.reading.refusal import CodeError, Place, Spelling

_parsing = threading.Lock()

_TOKEN: Final = re.compile(
    r"#[^\n]*"
    r"|'''(?:\\.|[^\\])*?(?:'''|\Z)"
    r'|"""(?:\\.|[^\\])*?(?:"""|\Z)'
    r"|'(?:\\.|[^'\\\n])*(?:'|$)"
    r'|"(?:\\.|[^"\\\n])*(?:"|$)'
    r"|[()\[\]{}]",
    re.DOTALL | re.MULTILINE,
)
_PROMPT: Final = re.compile(r"\s*(?:>>>|\.\.\.)(?: |$)")
_FENCE: Final = re.compile(r"\s*(?:```|~~~)")
_MAGIC: Final = re.compile(r"\s*(?:%{1,2}[A-Za-z]|!\s*[\w./])")
_QUOTES: Final = "“”‘’«»„‚`´"

# what Python says, and how we say it; groups of the pattern go into the sentence
_SYNTAX: Final[tuple[tuple[str, str], ...]] = (
    (r"'(\()' was never closed", "missing “)”: this bracket was never closed."),
    (r"'(\[)' was never closed", "missing “]”: this bracket was never closed."),
    (r"'({)' was never closed", "missing “}}”: this bracket was never closed."),
    (r"unmatched '(.)'", "“{0}” closes nothing: one bracket too many."),
    (
        r"closing parenthesis '(.)' does not match opening parenthesis '(.)' on line (\d+)",
        "“{0}” does not close “{1}” of line {2}.",
    ),
    (r"closing parenthesis '(.)' does not match opening parenthesis '(.)'", "“{0}” does not close “{1}”."),
    (r"too many nested parentheses", f"more than {NESTING} brackets stand inside one another."),
    (r"expected ':'", "a “:” is missing here."),
    (r"unterminated triple-quoted", "this text has no closing quotes."),
    (r"unterminated (?:f-)?string", "this text has no closing quote."),
    (r"invalid non-printable character (U\+\w+)", "an invisible character ({0}) stands here: delete it."),
    (r"invalid character '(.)' \((U\+\w+)\)", "“{0}” ({1}) is not a character of Python."),
    (r"Perhaps you forgot a comma", "a comma seems to be missing here."),
    (r"Maybe you meant '==' or ':=' instead of '='", "“=” assigns, “==” compares: which is meant?"),
    (r"unexpected indent", "this line is indented further than the one before it."),
    (r"unindent does not match", "this line is not indented like any line before it."),
    (
        r"expected an indented block after (.+) on line (\d+)",
        "what follows the {0} of line {1} must be indented.",
    ),
    (r"inconsistent use of tabs", "tabs and spaces are mixed in the indentation."),
    (r"Missing parentheses in call to '(\w+)'", "{0} needs brackets: {0}(…)."),
    (r"Exceeds the limit", "a number has more than 4,300 digits."),
    (r"positional argument follows keyword", "an argument without a name stands after one with a name."),
    (r"unexpected EOF", "the code ends in the middle of a statement."),
    (r"f-string: ?(.*)", "this f-string is not Python: {0}."),
)


@dataclass(frozen=True)
class Source:
    """Code as it was given, and as it is parsed: line by line the same, but for what was put aside.

    Attributes:
        lines: as given.
        code: what is parsed.
        shifts: for each line the characters that were cut off its front.
        notes: what was put aside, in sentences.
    """

    lines: tuple[str, ...]
    code: tuple[str, ...]
    shifts: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def place(self, node: Any) -> Place:
        """Where a node of the tree stands in the text as it was given."""
        line, end = node.lineno, node.end_lineno or node.lineno
        return Place(
            line, self._column(line, node.col_offset), end, self._column(end, node.end_col_offset or 0)
        )

    def word(self, node: Any) -> Place:
        """Where the last name of a node stands: `Conv2D` of `nn.Conv2D(3, 4, 3)`, `bais` of `bais=False`."""
        match node:
            case ast.Call(func=ast.Name() | ast.Attribute() as called):
                return self.word(called)
            case ast.Attribute(attr=name):
                whole = self.place(node)
                return Place(whole.end_line, whole.end_column - len(name), whole.end_line, whole.end_column)
            case ast.keyword(arg=str(name)) | ast.alias(name=name):
                start = self.place(node)
                return Place(start.line, start.column, start.line, start.column + len(name))
        return self.place(node)

    def refuse(self, reason: str, line: int = 0, column: int = 0) -> NoReturn:
        """Raises the error about this place."""
        raise self.error(reason, line, column)

    def error(
        self, reason: str, line: int = 0, column: int = 0, instead: Spelling | None = None
    ) -> CodeError:
        """The error about this place."""
        shown = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return CodeError(reason, line, column, shown, instead)

    def _column(self, line: int, offset: int) -> int:
        """Python counts bytes of UTF-8; people count characters, from 1."""
        before = self.code[line - 1].encode()[:offset].decode(errors="ignore")
        return len(before) + self.shifts[line - 1] + 1


def clean(text: str) -> Source:
    r"""Puts aside what is not Python but comes with it: prompts, Markdown fences, notebook commands, indentation.

    >>> clean(">>> net = nn.ReLU()\n>>> net\nReLU()").code
    ('net = nn.ReLU()', 'net', '')

    Raises:
        CodeError: it is too long, or no text.
    """
    if len(text) > CHARACTERS:
        raise CodeError(f"The code is {len(text):,} characters long; at most {CHARACTERS:,} are read.")
    # \u00a0, the space that web pages put between words, is no space to Python
    given = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
    lines = tuple(given.split("\n"))
    for number, line in enumerate(lines, 1):
        for column, sign in enumerate(line, 1):
            if sign == "\0":
                raise CodeError("A null byte stands here: this is not a text file.", number, column, "")
            if "\ud800" <= sign <= "\udfff":
                reason = f"Half a character (U+{ord(sign):04X}) stands here: save the file as UTF-8."
                raise CodeError(reason, number, column, "")
    code, notes = list(lines), list[str]()
    fences = [index for index, line in enumerate(code) if _FENCE.match(line)]
    if fences:
        inside = {
            index
            for start, end in zip(fences[::2], [*fences[1::2], len(code)][: len(fences[::2])], strict=True)
            for index in range(start + 1, end)
        }
        code = [line if index in inside else "" for index, line in enumerate(code)]
    shifts = [0] * len(code)
    if any(line.lstrip().startswith(">>> ") for line in code):
        notes.append("Lines without a prompt (>>>) are taken for output and not read.")
        for index, line in enumerate(code):
            prompt = _PROMPT.match(line)
            shifts[index] = prompt.end() if prompt else 0
            code[index] = line[prompt.end() :] if prompt else ""
    _dedent(code, shifts)
    if not any(line.strip() and not line.lstrip().startswith("#") for line in code):
        raise CodeError("There is no code yet.")
    return Source(lines, tuple(code), tuple(shifts), tuple(notes))


def _dedent(code: list[str], shifts: list[int]) -> None:
    """Takes off the indentation that all lines share, as of a method pasted without its class."""
    filled = [line for line in code if line.strip()]
    first = next((line for line in filled if not line.lstrip().startswith("#")), "")
    margin = first[: len(first) - len(first.lstrip(" \t"))]
    if margin and all(line.startswith(margin) or line.lstrip().startswith("#") for line in filled):
        for index, line in enumerate(code):
            if line.startswith(margin):
                code[index] = line[len(margin) :]
                shifts[index] += len(margin)


def parse(source: Source) -> tuple[ast.Module, Source]:
    """The syntax tree, and the source that it is the tree of (without notebook commands, where it has them).

    Raises:
        CodeError: it is not Python, or too deeply nested.
    """
    _bracket_depth(source)
    try:
        return _tree(source), source
    except SyntaxError as error:
        plain = _without_commands(source)
        if plain is source:
            _explain(source, error)
    try:
        return _tree(plain), plain
    except SyntaxError as error:
        _explain(plain, error)


def _tree(source: Source) -> ast.Module:
    try:
        tree = _parsed("\n".join(source.code))
    except (RecursionError, MemoryError):
        raise CodeError(
            f"The code is nested too deeply: at most {NESTING} expressions inside one another."
        ) from None
    except ValueError as error:
        raise CodeError(f"This is not a text of Python: {error}.") from None
    level: list[tuple[ast.AST, int, Place]] = [(tree, 0, Place(0, 0))]
    while level:
        node, depth, place = level.pop()
        place = source.place(node) if hasattr(node, "lineno") else place
        if depth > NESTING:
            source.refuse(
                f"more than {NESTING} expressions stand inside one another.", place.line, place.column
            )
        level += [(child, depth + 1, place) for child in ast.iter_child_nodes(node)]
    return tree


def _parsed(code: str) -> ast.Module:
    """`ast.parse`, which in Python 3.11 takes threads that parse at once for too deep a tree (cpython#106905)."""
    for _ in range(20):
        try:
            with _parsing:
                return ast.parse(code)
        except SystemError:  # another thread of the process, which does not know our lock, parses too
            time.sleep(0.01)
    raise CodeError("The code could not be taken apart just now: try again.")


def _bracket_depth(source: Source) -> None:
    """Python's own parser takes very long over many open brackets, so they are counted before."""
    text, depth = "\n".join(source.code), 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("(", "[", "{"):
            depth += 1
        elif token[0] in (")", "]", "}"):
            depth = max(0, depth - 1)
        if depth > NESTING:
            line = text.count("\n", 0, token.start()) + 1
            column = token.start() - text.rfind("\n", 0, token.start()) + source.shifts[line - 1]
            source.refuse(f"more than {NESTING} brackets stand inside one another.", line, column)


def _without_commands(source: Source) -> Source:
    """Without the lines that only a notebook understands: %magic and !shell."""
    found = [index for index, line in enumerate(source.code) if _MAGIC.match(line)]
    if not found:
        return source
    code = ["" if index in found else line for index, line in enumerate(source.code)]
    which = ", ".join(str(index + 1) for index in found[:5]) + (", …" if len(found) > 5 else "")
    note = f"Notebook commands are not run (line{'s' if len(found) > 1 else ''} {which})."
    return Source(source.lines, tuple(code), source.shifts, (*source.notes, note))


def _explain(source: Source, error: SyntaxError) -> NoReturn:
    message = error.msg or "invalid syntax"
    line = min(max(error.lineno or 1, 1), len(source.code))
    # beyond the end of a line, as of a text that is not closed, the caret stands behind the last character
    column = min(max(error.offset or 1, 1), len(source.code[line - 1]) + 1) + source.shifts[line - 1]
    sign = source.lines[line - 1][column - 1 : column]
    if (sign in _QUOTES and sign and "character" in message) or sign == "`":
        source.refuse(f"{sign} is a typographic quote: code needs ' or \".", line, column)
    for pattern, sentence in _SYNTAX:
        found = re.search(pattern, message)
        if found:
            source.refuse(sentence.format(*found.groups()), line, column)
    source.refuse(f"this is not Python: {message.rstrip('.')}.", line, column)
