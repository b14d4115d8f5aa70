"""The table of a network as lines, and its way out: CSV, JSON, Markdown, LaTeX, the courses' listing.

`table_lines` turns a profile into lines: what the screen shows and every export writes, from one source.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final

from torch.nn.modules import activation

from explorer.errors import LayerError
from explorer.field_tracing import Field
from explorer.layer_costs import ITEM_BYTES
from explorer.profiling import Group, LayerProfile, NetworkProfile, Shape, repeated
from explorer.receptive_field import ReceptiveField

FAMILIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "convolution": "convolution",
        "normalisation": "normalisation",
        "activation": "activation",
        "pooling": "pooling",
        "dense": "dense",
        "attention": "attention",
        "operation": "operation",
        "other": "dropout and others",
    }
)
"""What a layer does, by key, as it is called on the screen; in the order of legends."""


def _plain(kind: str) -> str:
    return kind.replace("_", "").lower()


# torch's own list of activations; it holds one layer that is none
_ACTIVATIONS: Final = {_plain(name) for name in activation.__all__} - {"multiheadattention"}
_PARTS_OF_NAMES: Final = (
    ("convolution", ("conv",)),
    ("attention", ("attention", "attn", "matmul", "bmm", "einsum", "token", "positions")),
    ("normalisation", ("norm",)),
    ("pooling", ("pool", "mean", "amax")),
    ("dense", ("linear", "addmm")),
    ("other", ("dropout", "stochasticdepth", "identity", "droppath")),
    ("operation", ("flatten", "permute", "upsampl", "shuffle", "pad2d", "zeropad")),
)


def family(kind: str, role: str = "layer") -> str:
    """The family of a layer or an operation, one of `FAMILIES`; "" for a container.

    >>> family("ConvTranspose2d"), family("SiLU"), family("leaky_relu_", "operation"), family("cat", "operation")
    ('convolution', 'activation', 'activation', 'operation')
    """
    if role == "container":
        return ""
    name = _plain(kind)
    if name in _ACTIVATIONS:
        return "activation"
    for key, parts in _PARTS_OF_NAMES:
        if any(part in name for part in parts):
            return key
    return "operation" if role == "operation" else "other"


# Lines ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One line of the table: a row of the profile, or several alike, folded into one.

    Attributes:
        row: index in the profile's rows; of a fold, of the first that it stands for.
        end: index of the first row behind all that stands inside; `row` + 1 where nothing does.
        times: how many blocks alike a fold stands for; 1 for a row.
        level: nesting on the screen, 0 for the net: folds are a level of their own.
        depth: nesting of the modules.
        name: the last part of the path, what stands beside the line in the tree.
        path, call, kind, role, settings, inputs, outputs, shares, trainable, buffers, field: as in `LayerProfile`;
            a fold's role is "fold", its path the first's; the role of `itself` is "own".
        family: one of `FAMILIES`; "" for containers and folds.
        activations, parameters, macs, bytes, saved_bytes: of a container or fold, of all inside.
        own: parameters that no line inside has: all of a layer's, and what a container keeps itself.
        products: what numbers are made of, by their names: "(3×3×3 + 1)×64".
        failed: whether the net fails here.
    """

    row: int
    end: int
    times: int
    level: int
    depth: int
    name: str
    path: str
    call: int
    kind: str
    role: str
    family: str
    settings: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    shares: bool
    activations: int
    parameters: int
    trainable: int
    buffers: int
    own: int
    macs: int
    bytes: int
    saved_bytes: int
    field: Field | None
    products: Mapping[str, str]
    failed: bool = False


@dataclass(frozen=True)
class Fold:
    """Neighbours alike: `times` stretches of `size` rows each, from row `first` on.

    Raises:
        LayerError: fewer than two stretches, or none of one row.
    """

    first: int
    size: int
    times: int

    def __post_init__(self) -> None:
        if self.first < 0 or self.size < 1 or self.times < 2:
            raise LayerError(
                f"A fold has two or more blocks of one or more rows, not {self.times} of {self.size} "
                f"from row {self.first}."
            )

    @property
    def end(self) -> int:
        """First row behind it."""
        return self.first + self.size * self.times


def folds_of(profile: NetworkProfile) -> tuple[Fold, ...]:
    """The folds of a network's table: blocks alike that follow each other, also those inside blocks alike.

    Single layers are not folded: a line of their own says as much.
    """

    def folds(groups: Sequence[Group], shift: int) -> Iterator[Fold]:
        for group in groups:
            size = len(group.rows) // group.times
            if group.times > 1 and size > 1:
                yield Fold(group.row + shift, size, group.times)
            for copy in range(group.times):
                yield from folds(group.inside, shift + copy * size)

    return tuple(folds(repeated(profile.rows), 0))


def table_lines(profile: NetworkProfile, folds: Sequence[Fold] = ()) -> tuple[Line, ...]:
    """The lines of a network's table, blocks before what is inside, in the order of execution.

    Args:
        profile: of the network.
        folds: neighbours to fold; a fold may lie inside a block of another.

    Raises:
        LayerError: a fold beyond the rows.
    """
    rows = profile.rows
    if any(fold.end > len(rows) for fold in folds):
        raise LayerError(f"A fold ends behind the last of {len(rows)} rows.")
    inside = _Inside(rows)
    failed = _failed(profile)
    starts: dict[int, list[Fold]] = {}
    for fold in sorted(folds, key=lambda fold: -fold.size * fold.times):
        starts.setdefault(fold.first, []).append(fold)
    lines: list[Line] = []
    open_folds: list[Fold] = []
    for index in range(len(rows)):
        open_folds = [fold for fold in open_folds if index < fold.end]
        for fold in starts.get(index, ()):
            lines.append(_fold_line(profile, fold, inside, len(open_folds)))
            open_folds.append(fold)
        lines.append(_line(profile, index, inside, len(open_folds), index == failed))
    return tuple(lines)


class _Inside:
    """What stands inside each row, and sums over it."""

    def __init__(self, rows: Sequence[LayerProfile]) -> None:
        self.rows = rows
        self.end = [len(rows)] * len(rows)  # first row behind all inside
        self.parent = [-1] * len(rows)
        above: list[int] = []
        for index, row in enumerate(rows):
            while above and rows[above[-1]].depth >= row.depth:
                self.end[above.pop()] = index
            self.parent[index] = above[-1] if above else -1
            above.append(index)
        self.own = [row.parameters for row in rows]
        for index, row in enumerate(rows):
            if self.parent[index] >= 0:
                self.own[self.parent[index]] -= row.parameters

    def leaves(self, first: int, end: int) -> Iterator[LayerProfile]:
        """Layers and operations from `first` to before `end`."""
        return (row for row in self.rows[first:end] if row.role != "container")

    def tops(self, first: int, end: int) -> Iterator[LayerProfile]:
        """The rows from `first` to before `end` that stand in none of the others."""
        while first < end:
            yield self.rows[first]
            first = max(self.end[first], first + 1)


def _failed(profile: NetworkProfile) -> int:
    """Index of the row where the net fails: the last with the failure's path; -1 where it does not fail."""
    if profile.failure is None:
        return -1
    found = [index for index, row in enumerate(profile.rows) if row.path == profile.failure.path]
    return found[-1] if found else -1


def _line(profile: NetworkProfile, index: int, inside: _Inside, folded: int, failed: bool) -> Line:
    row, parent = profile.rows[index], inside.parent[index]
    above = profile.rows[parent].path if parent >= 0 else ""
    name = row.path.removeprefix(f"{above}.") if above else row.path
    leaves = [row] if row.role != "container" else list(inside.leaves(index + 1, inside.end[index]))
    return Line(
        row=index,
        end=inside.end[index],
        times=1,
        level=row.depth + folded,
        depth=row.depth,
        name=name or profile.name,
        path=row.path,
        call=row.call,
        kind=row.kind,
        role=row.role,
        family=family(row.kind, row.role),
        settings=row.settings,
        inputs=row.inputs,
        outputs=row.outputs,
        shares=row.shares,
        activations=sum(leaf.activations for leaf in leaves),
        parameters=row.parameters,
        trainable=row.trainable,
        buffers=row.buffers,
        own=max(inside.own[index], 0),
        macs=row.macs,
        bytes=sum(leaf.bytes for leaf in leaves),
        saved_bytes=row.saved_bytes,
        field=row.field,
        products=MappingProxyType({key: product.terms for key, product in row.products.items()}),
        failed=failed,
    )


def _fold_line(profile: NetworkProfile, fold: Fold, inside: _Inside, folded: int) -> Line:
    rows = profile.rows
    tops = list(inside.tops(fold.first, fold.end))
    each = list(inside.tops(fold.first, fold.first + fold.size))
    first, last = tops[0], tops[-1]
    leaves = list(inside.leaves(fold.first, fold.end))
    parent = inside.parent[fold.first]
    above = rows[parent].path if parent >= 0 else ""
    names = [row.path.removeprefix(f"{above}.") if above else row.path for row in (first, last)]
    sums = {
        key: sum(getattr(row, key) for row in tops)
        for key in ("parameters", "trainable", "buffers", "macs", "saved_bytes")
    }
    once = {key: sum(getattr(row, key) for row in each) for key in ("parameters", "macs")}
    return Line(
        row=fold.first,
        end=fold.end,
        times=fold.times,
        level=first.depth + folded,
        depth=first.depth,
        name=_span(*names),
        path=first.path,
        call=first.call,
        kind=" + ".join(dict.fromkeys(row.kind for row in each)),
        role="fold",
        family="",
        settings=first.settings if len(each) == 1 else "",
        inputs=first.inputs,
        outputs=last.outputs,
        shares=False,
        activations=sum(leaf.activations for leaf in leaves),
        bytes=sum(leaf.bytes for leaf in leaves),
        own=0,
        field=last.field,
        # a module that is used again has its parameters counted once: then there is no such product
        products=MappingProxyType(
            {
                key: f"{fold.times} × {value:,}"
                for key, value in once.items()
                if value and value * fold.times == sums[key]
            }
        ),
        **sums,
    )


def itself(profile: NetworkProfile, line: Line) -> Line:
    """What a block keeps beside all that stands inside it, as a line of its own; for a list without blocks."""
    rows = profile.rows
    inside = list(_Inside(rows).tops(line.row + 1, line.end))
    rest = {
        key: max(getattr(line, key) - sum(getattr(row, key) for row in inside), 0)
        for key in ("parameters", "trainable", "buffers", "saved_bytes")
    }
    return replace(
        line,
        end=line.row + 1,
        name=f"{line.name}, its own",
        role="own",
        settings="",
        inputs=(),
        outputs=(),
        activations=0,
        own=rest["parameters"],
        macs=0,
        bytes=0,
        field=None,
        products=MappingProxyType({}),
        **rest,
    )


def _span(first: str, last: str) -> str:
    """From one name to another; what both begin with is said once where a number follows.

    >>> _span("block0", "block11"), _span("stem", "head")
    ('block0 … 11', 'stem … head')
    """
    found = [re.fullmatch(r"(.*?)(\d+)", name) for name in (first, last)]
    numbered = [match for match in found if match]
    if len(numbered) == 2 and numbered[0][1] == numbered[1][1]:
        return f"{first} … {numbered[1][2]}"
    return f"{first} … {last}"


# Columns --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """One column of the table: its key, its title, what it counts, whether it holds numbers, its text of a line."""

    key: str
    title: str
    hint: str
    numeric: bool
    text: Callable[[Line], str]


def shape_text(shapes: Sequence[Shape]) -> str:
    """Shapes as they are written: channels × rows × columns; several with commas.

    >>> shape_text([(64, 56, 56), (1000,)])
    '64 × 56 × 56, 1,000'
    """
    return ", ".join(" × ".join(f"{size:,}" for size in shape) if shape else "1 number" for shape in shapes)


def field_text(field: Field | None) -> str:
    """A receptive field's size: "43", "3 × 7", "everything"; "" where there is none."""
    if not isinstance(field, ReceptiveField):
        return field or ""
    rows, columns = field.size
    size = f"{rows:,}" if rows == columns else f"{rows:,} × {columns:,}"
    return f"{size} + everything" if field.everything else size


def _number(key: str) -> Callable[[Line], str]:
    return lambda line: f"{getattr(line, key):,}"


COLUMNS: Final[Mapping[str, Column]] = MappingProxyType(
    {
        column.key: column
        for column in (
            Column("name", "Layer", "as the network names it", False, lambda line: line.name),
            Column(
                "kind", "Kind", "the class of the module, or the operation", False, lambda line: line.kind
            ),
            Column("settings", "Settings", "what it was built with", False, lambda line: line.settings),
            Column(
                "inputs",
                "Input",
                "channels × rows × columns, of one image",
                False,
                lambda line: shape_text(line.inputs),
            ),
            Column(
                "outputs",
                "Output",
                "channels × rows × columns, of one image",
                False,
                lambda line: shape_text(line.outputs),
            ),
            Column(
                "activations",
                "Activations",
                "numbers that come out, of one image; none where the output is a view of the input or written "
                "over it; of a block, those of all inside",
                True,
                _number("activations"),
            ),
            Column(
                "parameters",
                "Parameters",
                "weights and biases, counted once even where they are shared; of a block, those of all inside",
                True,
                _number("parameters"),
            ),
            Column(
                "macs",
                "MACs",
                "multiplications of convolutions, dense layers and matrix products, of one image; FLOPs are twice "
                "as many",
                True,
                _number("macs"),
            ),
            Column(
                "field",
                "Field, px",
                "receptive field: pixels of the picture that one unit sees, a side",
                True,
                lambda line: field_text(line.field),
            ),
            Column(
                "bytes",
                "Output, bytes",
                "new memory for the output of one image; MB are 10⁶ bytes",
                True,
                _number("bytes"),
            ),
            Column(
                "saved_bytes",
                "Kept, bytes",
                "what training keeps for the way back; MB are 10⁶ bytes",
                True,
                _number("saved_bytes"),
            ),
        )
    }
)
"""The columns, by key, in their order; `name` always stands first."""

SHARES: Final[Mapping[str, str]] = MappingProxyType(
    {"macs": "MACs", "parameters": "parameters", "activations": "activations", "bytes": "memory"}
)
"""Columns whose share of the net's total is shown, by key, as they are called in a sentence."""

FIELDS: Final = tuple(each.name for each in fields(Line))


def rows_to_json(profile: NetworkProfile, folds: Sequence[Fold] = ()) -> dict[str, Any]:
    """All that the table on the screen needs, as plain lists and numbers.

    "rows" are lists in the order of "fields"; a field of vision is null, "everything" or
    [rows, columns, jump, jump, start, start, whether it sees everything besides].
    """
    lines = table_lines(profile, folds)
    return {
        "name": profile.name,
        "input": list(profile.input_shape),
        "dtype": profile.dtype,
        "fields": list(FIELDS),
        "rows": [[_jsonable(getattr(line, key)) for key in FIELDS] for line in lines],
        "totals": totals(profile),
        "families": dict(FAMILIES),
        "columns": [
            {
                "key": column.key,
                "title": column.title,
                "hint": column.hint
                + (f"; a batch of {profile.batch}" if column.key == "saved_bytes" else ""),
                "numeric": column.numeric,
            }
            for column in columns_of(profile).values()
        ],
        "shares": dict(SHARES),
        "failure": profile.failure.sentence if profile.failure else "",
    }


def _kept_is_known(profile: NetworkProfile) -> bool:
    return profile.training is not None and profile.training.failure is None


def columns_of(profile: NetworkProfile) -> Mapping[str, Column]:
    """`COLUMNS` without what training keeps, where no training step was measured."""
    known = _kept_is_known(profile)
    return {key: column for key, column in COLUMNS.items() if known or key != "saved_bytes"}


def totals(profile: NetworkProfile) -> dict[str, int]:
    """The net's sums over its layers and operations, by column; what training keeps only where it was measured."""
    leaves = profile.leaves
    sums = {
        "layers": sum(row.role == "layer" for row in leaves),
        "operations": sum(row.role == "operation" for row in leaves),
        "activations": sum(row.activations for row in leaves),
        "parameters": profile.parameters,
        "trainable": profile.trainable,
        "buffers": profile.buffers,
        "macs": profile.macs,
        "bytes": sum(row.bytes for row in leaves),
    }
    return sums | ({"saved_bytes": profile.rows[0].saved_bytes} if _kept_is_known(profile) else {})


def _innermost(lines: Sequence[Line]) -> list[Line]:
    """The lines in which no other of them stands."""
    ordered = sorted(lines, key=lambda line: (line.row, line.level))
    following = zip_longest(ordered, ordered[1:])
    return [line for line, behind in following if behind is None or behind.row >= line.end]


def totals_of_lines(profile: NetworkProfile, lines: Sequence[Line]) -> dict[str, int] | None:
    """Sums over some lines, each number once; None where they hold every layer and operation of the net.

    Of a block and lines that stand inside it, those inside count; a block of which no line stands here counts whole.
    """
    counted = _innermost(lines)
    covered = [row for line in counted if line.role != "own" for row in profile.rows[line.row : line.end]]
    layers, operations = (sum(row.role == role for row in covered) for role in ("layer", "operation"))
    if layers + operations == len(profile.leaves):
        return None
    keys = [key for key in totals(profile) if key not in ("layers", "operations")]
    sums = {key: sum(getattr(line, key) for line in counted) for key in keys}
    return {"layers": layers, "operations": operations} | sums


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_jsonable(each) for each in value]
    if isinstance(value, ReceptiveField):
        return [*value.size, *value.jump, *value.start, value.everything]
    return value


# Exports --------------------------------------------------------------------------------------------

DEFAULT_COLUMNS: Final = ("name", "kind", "settings", "outputs", "parameters", "macs", "field")


def to_csv(profile: NetworkProfile, lines: Sequence[Line], columns: Sequence[str] = ()) -> str:
    """Comma-separated values: every field of each line under its name, numbers without separators.

    What training keeps is among them where it was measured.  Text that a spreadsheet would take for a formula (it
    begins with = + - @ or a tab) gets an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    records = [_record(profile, line) for line in lines]
    writer.writerow(records[0] if records else ())
    writer.writerows(map(_harmless, record.values()) for record in records)
    return text.getvalue()


def _record(profile: NetworkProfile, line: Line) -> dict[str, Any]:
    """A line as one flat record."""
    traced = line.field if isinstance(line.field, ReceptiveField) else None
    rows, columns = traced.axes if traced else (None, None)
    return {
        "path": line.path,
        "call": line.call,
        "name": line.name,
        "kind": line.kind,
        "role": line.role,
        "times": line.times,
        "depth": line.depth,
        "settings": line.settings,
        "input": _plain_shapes(line.inputs),
        "output": _plain_shapes(line.outputs),
        "shares_memory": line.shares,
        "activations": line.activations,
        "parameters": line.parameters,
        "trainable": line.trainable,
        "buffers": line.buffers,
        "macs": line.macs,
        "output_bytes": line.bytes,
        **({"saved_bytes": line.saved_bytes} if _kept_is_known(profile) else {}),
        "field_rows": rows and rows.size,
        "field_columns": columns and columns.size,
        "jump_rows": rows and rows.jump,
        "jump_columns": columns and columns.jump,
        "start_rows": rows and rows.start,
        "start_columns": columns and columns.start,
        "sees_everything": traced.everything if traced else line.field == "everything",
    }


def _plain_shapes(shapes: Sequence[Shape]) -> str:
    return "; ".join("x".join(map(str, shape)) for shape in shapes)


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def to_json(profile: NetworkProfile, lines: Sequence[Line], columns: Sequence[str] = ()) -> str:
    """The net and its lines as objects, shapes as lists, with the definitions of what is counted.

    "totals" are the net's; where only some of its rows are written, "totals_of_these_rows" are theirs.
    """
    rows = []
    for line in lines:
        record = _record(profile, line)
        record["input"], record["output"] = _jsonable(line.inputs), _jsonable(line.outputs)
        rows.append(record | {"products": dict(line.products)})
    some = totals_of_lines(profile, lines)
    document = {
        "network": profile.name,
        "input_shape": list(profile.input_shape),
        "dtype": profile.dtype,
        "definitions": {key: column.hint for key, column in columns_of(profile).items()},
        "totals": totals(profile),
        **({} if some is None else {"totals_of_these_rows": some}),
        "failure": profile.failure.sentence if profile.failure else None,
        "rows": rows,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def to_markdown(
    profile: NetworkProfile, lines: Sequence[Line], columns: Sequence[str] = DEFAULT_COLUMNS
) -> str:
    """A table in GitHub's Markdown: whole paths, numbers to the right, the totals last."""
    chosen = _chosen(profile, columns)
    head = [[_markdown(column.title) for column in chosen]]
    rule = [["---:" if column.numeric else ":---" for column in chosen]]
    body = [[_markdown(text) for text in row] for row in _texts(profile, lines, chosen)]
    rows = [*head, *rule, *body[:-1], [f"**{text}**" if text else "" for text in body[-1]]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n" + _markdown(_note(profile)) + "\n"


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~#])", r"\\\1", text)


_LATEX: Final[Mapping[str, str]] = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "_": r"\_",
        "%": r"\%",
        "&": r"\&",
        "#": r"\#",
        "$": r"\$",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "×": r"$\times$",
        "−": "$-$",
        "→": r"$\to$",
        "·": r"$\cdot$",
        "…": r"\dots{}",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
        "²": r"$^2$",
        "⁶": r"$^6$",
        "α": r"$\alpha$",
        "β": r"$\beta$",
        "ε": r"$\varepsilon$",
    }
)
ONE_PAGE: Final = 45
"""Lines that a page has room for; a longer table is a `longtable`."""


def to_latex(profile: NetworkProfile, lines: Sequence[Line], columns: Sequence[str] = DEFAULT_COLUMNS) -> str:
    """A table for LaTeX with booktabs' rules; a `longtable` where it does not fit on a page."""
    chosen = _chosen(profile, columns)
    *body, total = [" & ".join(map(_latex, row)) + r" \\" for row in _texts(profile, lines, chosen)]
    long = len(body) > ONE_PAGE
    kind = "longtable" if long else "tabular"
    head = " & ".join(_latex(column.title) for column in chosen) + r" \\"
    return "\n".join(
        [
            r"% \usepackage{booktabs}" + (r" and \usepackage{longtable}" if long else ""),
            "% " + _note(profile).replace("\n", " "),
            rf"\begin{{{kind}}}{{{''.join('r' if column.numeric else 'l' for column in chosen)}}}",
            r"\toprule",
            head,
            r"\midrule",
            *([r"\endhead"] if long else []),
            *body,
            r"\midrule",
            total,
            r"\bottomrule",
            rf"\end{{{kind}}}",
            "",
        ]
    )


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _chosen(profile: NetworkProfile, columns: Sequence[str]) -> list[Column]:
    unknown = [key for key in columns if key not in COLUMNS]
    if unknown:
        raise LayerError(f"There is no column “{unknown[0]}”; there are {', '.join(COLUMNS)}.")
    known = columns_of(profile)
    return [known["name"], *(known[key] for key in known if key in columns and key != "name")]


def _texts(profile: NetworkProfile, lines: Sequence[Line], columns: Sequence[Column]) -> list[list[str]]:
    """The cells of all lines, and of the totals: the net's, or of these lines where they are not all of it."""
    some = totals_of_lines(profile, lines)
    sums = totals(profile) if some is None else some
    title = "Total of these rows" if some is not None else "Total so far" if profile.failure else "Total"
    total = [title, *(f"{sums[column.key]:,}" if column.key in sums else "" for column in columns[1:])]
    return [[_title(line), *(column.text(line) for column in columns[1:])] for line in lines] + [total]


def _title(line: Line) -> str:
    """What a line is called where no tree stands around it."""
    name = line.path or line.name
    if line.role == "own":
        name = f"{line.path}, its own" if line.path else line.name
    if line.times > 1:
        above = line.path.rpartition(".")[0]
        name = f"{above}.{line.name} × {line.times}" if above else f"{line.name} × {line.times}"
    return f"{name} (call {line.call + 1})" if line.call else name


def _note(profile: NetworkProfile) -> str:
    shape = " × ".join(f"{size:,}" for size in profile.input_shape)
    note = f"{profile.name}, one image of {shape}, {profile.dtype}. FLOPs are 2 × MACs."
    return f"{note} It fails: {profile.failure.sentence}" if profile.failure else note


def to_course_listing(profile: NetworkProfile, lines: Sequence[Line], columns: Sequence[str] = ()) -> str:
    """A listing in the form in which the Stanford course prints VGG: sizes as rows×columns×channels.

    Activations, dropout and views take no line of their own, as there; biases are counted, which there they are not.
    A block takes one where none of these lines stands inside it; of others, where the whole net is written, what
    they keep themselves.

    Source: CS231n, Convolutional Networks, “VGGNet in detail”, https://cs231n.github.io/convolutional-networks/.
    """
    item = _item_bytes(profile)
    some = totals_of_lines(profile, lines)
    shut = {(line.row, line.level) for line in _innermost(lines)}
    entries = [("INPUT", _last(profile.input_shape), math.prod(profile.input_shape), "0")]
    for line in lines:
        if line.role == "own" or (line.role == "container" and (line.row, line.level) not in shut):
            if line.own and (some is None or line.role == "own"):
                entries.append((f"{line.kind.upper()}'S OWN", (), 0, f"{line.own:,}"))
            continue
        if line.role == "fold" and (line.row, line.level) not in shut:
            continue
        skipped = line.family in ("activation", "other") or line.shares
        if line.outputs and not (skipped and not line.parameters):
            shape = _last(line.outputs[0])
            entries.append((_course_name(line), shape, line.activations, _course_parameters(line)))
    cells = [
        (
            f"{name}:",
            f"[{'x'.join(map(str, shape))}]" if shape else "",
            f"memory:  {_course_memory(shape, numbers)}",
            f"params: {parameters}",
        )
        for name, shape, numbers, parameters in entries
    ]
    widths = [max(len(cell[place]) for cell in cells) for place in range(3)]
    listing = [
        "  ".join([*(text.ljust(width) for text, width in zip(cell, widths, strict=False)), cell[3]]).rstrip()
        for cell in cells
    ]
    held = sum(numbers for _, _, numbers, _ in entries)
    count = profile.parameters if some is None else some["parameters"]
    which = " of these rows" if some is not None else " so far" if profile.failure else ""
    return "\n".join(
        [
            *listing,
            f"TOTAL memory: {short(held)} * {item} bytes = {held * item / 1e6:,.1f} MB / image "
            "(forward; the lines above)",
            f"TOTAL params{which}: {short(count)} parameters ({count:,}, with biases)",
            *([f"It fails: {profile.failure.sentence}"] if profile.failure else []),
            "",
        ]
    )


def short(number: float) -> str:
    """A number as the course shortens it: 150K, 3.2M, 4096.

    >>> short(150528), short(3211264), short(802816), short(4096), short(138357544)
    ('151K', '3.2M', '803K', '4096', '138.4M')
    """
    for size, letter, digits in ((1e9, "G", 1), (1e6, "M", 1), (1e3, "K", 0)):
        if number >= max(size, 1e4):  # four digits stay as they are
            return f"{number / size:.{digits}f}{letter}"
    return f"{number:.0f}"


def _last(shape: Shape) -> Shape:
    """Channels last, as the course writes them; a vector is a map of one pixel."""
    if len(shape) == 1:
        return 1, 1, *shape
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def _course_name(line: Line) -> str:
    kernel = re.match(r"(\d+) × (\d+)", line.settings)
    size = "" if not kernel else kernel[1] if kernel[1] == kernel[2] else f"{kernel[1]}x{kernel[2]}"
    if line.family == "convolution":
        return f"CONV{size}-{line.outputs[0][0]}"
    if line.family == "pooling":
        return f"POOL{size}"
    name = {"dense": "FC", "normalisation": "NORM"}.get(line.family, line.kind.upper())
    return f"{line.times} x {name}" if line.times > 1 else name


def _course_memory(shape: Shape, numbers: int) -> str:
    if not shape or shape[:2] == (1, 1):
        return str(numbers)
    # a block's numbers are those of all inside, not of its output
    made = f"{'*'.join(map(str, shape))}=" if math.prod(shape) == numbers else ""
    return f"{made}{short(numbers)}"


def _course_parameters(line: Line) -> str:
    if not line.parameters:
        return "0"
    terms = line.products.get("parameters", "").replace(",", "").replace(" ", "").replace("×", "*")
    return f"{terms} = {line.parameters:,}" if terms else f"{line.parameters:,}"


def _item_bytes(profile: NetworkProfile) -> int:
    return ITEM_BYTES.get(profile.dtype, 4)


@dataclass(frozen=True)
class Format:
    """One way out: its title, the end of its file's name, its type, what writes it, whether it takes columns."""

    title: str
    suffix: str
    mime: str
    write: Callable[[NetworkProfile, Sequence[Line], Sequence[str]], str]


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "csv": Format("CSV", ".csv", "text/csv", to_csv),
        "json": Format("JSON", ".json", "application/json", to_json),
        "markdown": Format("Markdown", ".md", "text/markdown", to_markdown),
        "latex": Format("LaTeX", ".tex", "application/x-tex", to_latex),
        "course": Format("Course listing", ".txt", "text/plain", to_course_listing),
    }
)
"""The ways out, by key."""
