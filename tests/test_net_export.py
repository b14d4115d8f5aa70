"""Lines of a network's table and its exports, held to torch, to a course's table and to readers of each format."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from functools import cache

import pytest
import torch
import torchvision
from torch import nn

from explorer.errors import LayerError
from explorer.net_export import (
    COLUMNS,
    FAMILIES,
    FIELDS,
    FORMATS,
    Fold,
    Line,
    family,
    folds_of,
    rows_to_json,
    shape_text,
    short,
    table_lines,
    to_course_listing,
    to_csv,
    to_json,
    to_latex,
    to_markdown,
    totals,
)
from explorer.profiling import NetworkProfile, profile
from explorer.ui.components.layer_table import _count, _place, exported

SPITEFUL = '=HYPERLINK("x") 50 % a_b & #1 {~^} $x$ \\ <b>|`*'


class OwnWeight(nn.Module):
    """A container that keeps a parameter itself, beside those of its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))
        self.conv = nn.Conv2d(3, 5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def net(name: str) -> nn.Module:
    with torch.device("meta"):
        if name == "broken":
            return nn.Sequential(
                nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU()), nn.Conv2d(64, 128, 3), nn.ReLU()
            )
        if name == "own":
            return nn.Sequential(OwnWeight(), nn.Flatten())
        if name == "alike":
            return nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()) for _ in range(4)))
        return torchvision.models.get_model(name)


@cache
def profiled(name: str) -> NetworkProfile:
    return profile(net(name), (3, 224, 224), name=name)


def first(table: NetworkProfile, path: str) -> int:
    return [row.path for row in table.rows].index(path)


def blocks(table: NetworkProfile, path: str, following: str, times: int) -> Fold:
    return Fold(first(table, path), first(table, following) - first(table, path), times)


def lines_of(name: str) -> tuple[Line, ...]:
    return table_lines(profiled(name))


def parameters(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


# ------------------------------------------------------------------------------- lines


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "densenet121", "vit_b_16"])
def test_parameters_of_every_block_are_torchs(name: str):
    module = net(name)
    for line in lines_of(name):
        if line.role == "container":
            assert line.parameters == parameters(module.get_submodule(line.path)), line.path


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "vit_b_16", "own"])
def test_what_lines_keep_themselves_adds_up_to_the_net(name: str):
    """A list without blocks still has every parameter: layers' own, and what blocks keep beside them."""
    assert sum(line.own for line in lines_of(name)) == parameters(net(name))


def test_a_container_keeps_what_none_of_its_layers_has():
    own = {line.path: line.own for line in lines_of("own")}
    assert own["0"] == 5
    assert own["0.conv"] == 3 * 3 * 3 * 5 + 5


def test_blocks_hold_the_activations_of_what_is_inside():
    """Outputs of ResNet-18's first stage, by hand: two blocks of four 64×56×56 maps; sums and ReLUs write in place."""
    (stage,) = (line for line in lines_of("resnet18") if line.path == "layer1")
    assert stage.activations == 2 * 4 * 64 * 56 * 56
    assert stage.bytes == 4 * stage.activations


def test_names_are_paths_without_what_they_stand_in():
    names = {(line.path, line.call): line.name for line in lines_of("resnet18")}
    assert names["", 0] == "resnet18"
    assert names["layer2.0.downsample.0", 0] == "0"
    assert names["layer2.0.relu", 1] == "relu"
    for line in lines_of("resnet18"):
        if line.path:
            assert line.path.endswith(line.name)


def test_levels_are_the_depth_of_the_modules():
    for line in lines_of("resnet18"):
        assert line.level == line.depth == (line.path.count(".") + 1 if line.path else 0)


def test_a_fold_stands_before_its_blocks_and_sums_them_up():
    table = profiled("resnet18")
    folded = table_lines(table, [blocks(table, "layer1.0", "layer1.1", 2)])
    assert len(folded) == len(table.rows) + 1
    (at,) = (index for index, line in enumerate(folded) if line.times > 1)
    fold, stage = folded[at], net("resnet18").layer1
    assert (fold.name, fold.times, fold.role, fold.kind) == ("0 … 1", 2, "fold", "BasicBlock")
    assert fold.parameters == parameters(stage) == 147_968
    assert dict(fold.products)["parameters"] == "2 × 73,984"
    assert fold.inputs == fold.outputs == ((64, 56, 56),)
    assert [line.level for line in folded[at : at + 3]] == [2, 3, 4]
    behind = next(line for line in folded if line.path == "layer2")
    assert behind.level == 1
    assert [line.row for line in folded if line.times == 1] == list(range(len(table.rows)))


def test_the_name_of_a_fold_says_the_same_words_once():
    (fold,) = (
        line for line in table_lines(profiled("vit_b_16"), folds_of(profiled("vit_b_16"))) if line.times > 1
    )
    assert (fold.name, fold.times) == ("encoder_layer_0 … 11", 12)


def test_folds_may_lie_inside_folds():
    table = profiled("alike")
    folded = table_lines(table, [Fold(1, 3, 2), Fold(1, 6, 2)])
    levels = [(line.name, line.times, line.level) for line in folded if line.role != "layer"]
    blocks_inside = [("0 … 1", 2, 2), ("0", 1, 3), ("1", 1, 3), ("2", 1, 2), ("3", 1, 2)]
    assert levels == [("alike", 1, 0), ("0 … 3", 2, 1), *blocks_inside]


def test_a_fold_of_several_neighbours_names_their_kinds():
    table = profiled("alike")
    line = table_lines(table, [Fold(first(table, "0"), 6, 2)])[1]
    assert (line.kind, line.name, line.parameters) == ("Sequential", "0 … 3", 4 * 84)
    assert dict(line.products)["parameters"] == "2 × 168"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        # He et al. 2016, table 1: ResNet-50 has 3, 4, 6 and 3 blocks; the first of each stage has a projection
        ("resnet50", {"layer1.1": 2, "layer2.1": 3, "layer3.1": 5, "layer4.1": 2}),
        ("resnet18", {"layer1.0": 2}),
        ("vgg16", {}),
        ("densenet121", {}),  # each layer of a dense block reads more channels than the one before
        ("vit_b_16", {"encoder.layers.encoder_layer_0": 12}),  # Dosovitskiy et al. 2021, table 1
        ("alike", {"0": 4}),
    ],
)
def test_blocks_alike_are_folded(name: str, wanted: dict[str, int]):
    table = profiled(name)
    folds = folds_of(table)
    assert {table.rows[fold.first].path: fold.times for fold in folds} == wanted
    for fold in folds:
        starts = [table.rows[fold.first + copy * fold.size] for copy in range(fold.times)]
        assert len({(row.kind, row.depth, row.parameters, row.inputs, row.outputs) for row in starts}) == 1


def test_folds_inside_blocks_alike_are_in_each_of_them():
    with torch.device("meta"):
        inner = [
            nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()) for _ in range(3))) for _ in range(2)
        ]
        table = profile(nn.Sequential(*inner), (3, 8, 8))
    assert sorted((table.rows[fold.first].path, fold.times, fold.size) for fold in folds_of(table)) == [
        ("0", 2, 10),
        ("0.0", 3, 3),
        ("1.0", 3, 3),
    ]
    lines = table_lines(table, folds_of(table))
    assert [(line.path, line.level) for line in lines if line.times == 3] == [("0.0", 3), ("1.0", 3)]


@pytest.mark.parametrize(("start", "size", "times"), [(0, 0, 2), (0, 1, 1), (-1, 1, 2)])
def test_a_fold_that_cannot_be_is_refused(start: int, size: int, times: int):
    with pytest.raises(LayerError, match="fold"):
        Fold(start, size, times)


def test_a_fold_beyond_the_rows_is_refused():
    with pytest.raises(LayerError, match="13 rows"):
        table_lines(profiled("alike"), [Fold(1, 3, 5)])


def test_the_failing_layer_is_marked_and_last():
    lines = lines_of("broken")
    assert [line.path for line in lines if line.failed] == ["1"]
    assert lines[-1].failed
    assert not any(line.failed for line in lines_of("resnet18"))


@pytest.mark.parametrize(
    ("kind", "role", "wanted"),
    [
        ("Conv2d", "layer", "convolution"),
        ("ConvTranspose2d", "layer", "convolution"),
        ("BatchNorm2d", "layer", "normalisation"),
        ("LayerNorm", "layer", "normalisation"),
        ("LocalResponseNorm", "layer", "normalisation"),
        ("ReLU6", "layer", "activation"),
        ("Hardswish", "layer", "activation"),
        ("LeakyReLU", "layer", "activation"),
        ("leaky_relu_", "operation", "activation"),
        ("softmax", "operation", "activation"),
        ("AdaptiveAvgPool2d", "layer", "pooling"),
        ("mean", "operation", "pooling"),
        ("Linear", "layer", "dense"),
        ("NonDynamicallyQuantizableLinear", "layer", "dense"),
        ("MultiheadAttention", "layer", "attention"),
        ("scaled_dot_product_attention", "operation", "attention"),
        ("matmul", "operation", "attention"),
        ("add", "operation", "operation"),
        ("cat", "operation", "operation"),
        ("Dropout", "layer", "other"),
        ("StochasticDepth", "layer", "other"),
        ("Upsample", "layer", "operation"),
        ("Flatten", "layer", "operation"),
        ("flatten", "operation", "operation"),
        ("Embedding", "layer", "other"),
        ("Sequential", "container", ""),
    ],
)
def test_families(kind: str, role: str, wanted: str):
    assert family(kind, role) == wanted


def test_every_line_has_a_family_of_the_legend_or_is_a_block():
    for name in ("resnet18", "vit_b_16", "swin_t", "shufflenet_v2_x1_0"):
        table = profile(net(name), (3, 224, 224))
        assert all((line.family in FAMILIES) == (line.role != "container") for line in table_lines(table))


# ------------------------------------------------------------------------------- the screen's message


@pytest.mark.parametrize("name", ["resnet18", "broken", "vit_b_16"])
def test_the_message_is_plain_json_and_tells_what_the_lines_hold(name: str):
    table = profiled(name)
    message = rows_to_json(table)
    assert json.loads(json.dumps(message, allow_nan=False)) == message
    assert len(message["rows"]) == len(table.rows)
    for row, line in zip(message["rows"], table_lines(table), strict=True):
        told = dict(zip(message["fields"], row, strict=True))
        assert told["macs"] == line.macs
        assert told["path"] == line.path
        assert tuple(map(tuple, told["outputs"])) == line.outputs
        if told["field"] not in (None, "everything"):
            assert tuple(told["field"][:2]) == line.field.size
    assert message["fields"] == list(FIELDS)


def test_totals_are_the_sums_of_the_leaves():
    table, module = profiled("resnet18"), net("resnet18")
    sums = totals(table)
    assert sums["parameters"] == parameters(module) == 11_689_512
    assert sums["macs"] == 1_814_073_344  # He et al. 2016, table 1: 1.8 × 10^9
    assert sums["buffers"] == sum(buffer.numel() for buffer in module.buffers())
    assert sums["layers"] + sums["operations"] == sum(row.role != "container" for row in table.rows)
    assert sums["activations"] == lines_of("resnet18")[0].activations
    assert sums["bytes"] == 4 * sums["activations"]


def test_what_training_keeps_is_a_column_where_it_was_measured():
    module = net("alike")
    without, with_ = profile(module, (3, 8, 8)), profile(module, (3, 8, 8), training=True, batch=2)
    keys = [[column["key"] for column in rows_to_json(table)["columns"]] for table in (without, with_)]
    assert "saved_bytes" not in keys[0]
    assert [*keys[0], "saved_bytes"] == keys[1]


def test_what_training_keeps_is_exported_only_where_it_was_measured():
    module = net("alike")
    without, with_ = profile(module, (3, 8, 8)), profile(module, (3, 8, 8), training=True, batch=2)
    assert with_.training
    for key in ("csv", "json"):
        wish = {"count": 1, "format": key}
        answers = [exported(table, [], wish) for table in (without, with_)]
        assert answers[0]
        assert answers[1]
        assert "saved_bytes" not in answers[0]["text"]
        assert "saved_bytes" in answers[1]["text"]
    read = json.loads(to_json(with_, table_lines(with_)))
    # kept for two pictures: what each convolution reads and what each ReLU gives, which the next reads too
    assert read["totals"]["saved_bytes"] == read["rows"][0]["saved_bytes"] == 5 * 2 * 3 * 8 * 8 * 4
    assert "Kept, bytes" not in to_markdown(without, table_lines(without), list(COLUMNS))
    assert "Kept, bytes" in to_markdown(with_, table_lines(with_), list(COLUMNS))


# ------------------------------------------------------------------------------- CSV and JSON


@pytest.mark.parametrize("name", ["resnet18", "broken"])
def test_csv_read_back_equals_the_rows(name: str):
    table = profiled(name)
    records = list(csv.DictReader(io.StringIO(to_csv(table, table_lines(table)))))
    assert len(records) == len(table.rows)
    for record, row in zip(records, table.rows, strict=True):
        assert record["path"] == row.path
        assert record["kind"] == row.kind
        assert record["settings"] == row.settings
        assert int(record["parameters"]) == row.parameters
        assert int(record["macs"]) == row.macs
        assert int(record["call"]) == row.call
        assert record["output"] == "; ".join("x".join(map(str, shape)) for shape in row.outputs)
        if row.role != "container":
            assert int(record["activations"]) == row.activations
            assert int(record["output_bytes"]) == row.bytes
        if row.field == "everything":
            assert (record["sees_everything"], record["field_rows"]) == ("True", "")
        elif row.field is not None:
            assert int(record["field_rows"]) == row.field.size[0]
            assert int(record["start_columns"]) == row.field.start[1]


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_holds_no_formula(start: str):
    table = profile(net("alike"), (3, 8, 8), name=start)
    text = to_csv(table, table_lines(table))
    (record, *_) = csv.DictReader(io.StringIO(text, newline=""))
    assert record["name"] == f"'{start}"
    for row in csv.reader(io.StringIO(text, newline="")):
        for cell in row:
            assert cell[:1] not in ("=", "+", "@", "\t", "\r")
            assert not cell.startswith("-") or cell[1:].isdigit()  # a number is none


def test_csv_quotes_commas_quotes_and_lines():
    table = profile(net("alike"), (3, 8, 8), name='a, "b"\nc')
    (record, *_) = csv.DictReader(io.StringIO(to_csv(table, table_lines(table)), newline=""))
    assert record["name"] == 'a, "b"\nc'


@pytest.mark.parametrize("name", ["resnet18", "broken"])
def test_json_read_back_equals_the_rows(name: str):
    table = profiled(name)
    read = json.loads(to_json(table, table_lines(table)))
    assert read["network"] == table.name
    assert read["input_shape"] == [3, 224, 224]
    assert read["totals"]["macs"] == table.macs
    assert read["failure"] == (table.failure and table.failure.sentence)
    for record, row in zip(read["rows"], table.rows, strict=True):
        assert (record["path"], record["call"], record["macs"]) == (row.path, row.call, row.macs)
        assert [tuple(shape) for shape in record["output"]] == list(row.outputs)
        assert record["products"] == {key: product.terms for key, product in row.products.items()}


def test_products_in_the_exports_come_to_their_values():
    read = json.loads(to_json(profiled("resnet18"), lines_of("resnet18")))
    checked = 0
    for record in read["rows"]:
        for key, terms in record["products"].items():
            terms = terms.replace(",", "").replace("×", "*")
            assert re.fullmatch(r"[\d*+/() ]+", terms)
            assert eval(terms) == record[key]
            checked += 1
    assert checked > 100


# ------------------------------------------------------------------------------- Markdown and LaTeX


def markdown_cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_has_the_columns_in_every_row_and_the_totals_last():
    table = profiled("resnet18")
    columns = ["parameters", "outputs", "bytes"]
    *rows, note = to_markdown(table, table_lines(table), columns).splitlines()
    cells = [markdown_cells(row) for row in rows]
    assert cells[0] == ["Layer", "Output", "Parameters", "Output, bytes"]
    assert cells[1] == [":---", ":---", "---:", "---:"]
    assert all(len(row) == 4 for row in cells)
    assert len(cells) == 2 + len(table.rows) + 1
    assert cells[3] == ["conv1", "64 × 112 × 112", "9,408", "3,211,264"]
    assert cells[-1] == ["**Total**", "", "**11,689,512**", "**20,678,560**"]
    assert "FLOPs are 2 × MACs" in note


def test_markdown_keeps_its_signs_out_of_names():
    table = profile(net("alike"), (3, 8, 8), name="a|b_*c*_<img src=x>`d`")
    row = to_markdown(table, table_lines(table)).splitlines()[2]
    cells = markdown_cells(row)
    assert len(cells) == 7
    assert cells[0] == r"a\|b\_\*c\*\_\<img src=x\>\`d\`"


def unescaped(text: str, sign: str) -> list[str]:
    return re.findall(rf"(?<!\\){re.escape(sign)}", text)


def test_latex_escapes_what_means_something_to_it():
    table = profile(net("alike"), (3, 8, 8), name=SPITEFUL)
    lines = to_latex(table, table_lines(table)).splitlines()
    row = next(line for line in lines if "HYPERLINK" in line and not line.startswith("%"))
    assert row.startswith(
        r'=HYPERLINK("x") 50 \% a\_b \& \#1 \{\textasciitilde{}\textasciicircum{}\} \$x\$ \textbackslash{} '
        r"\textless{}b\textgreater{}|`* & Sequential"
    )
    assert len(unescaped(row, "&")) == 6
    for sign in "%#":
        assert not unescaped(row, sign)
    for line in lines:
        if not line.startswith("%"):
            assert line.isascii(), line
            assert len(unescaped(line, "$")) % 2 == 0
            assert len(unescaped(line, "{")) == len(unescaped(line, "}"))


def test_latex_knows_the_letters_of_settings():
    """Greek ones stand in local response normalisation, as in AlexNet."""
    table = profile(nn.Sequential(nn.LocalResponseNorm(5)), (3, 8, 8))
    (row,) = [
        line for line in to_latex(table, table_lines(table)).splitlines() if "LocalResponseNorm" in line
    ]
    assert r"$\alpha$ 0.0001, $\beta$ 0.75" in row
    assert row.isascii()


def test_latex_comments_stay_comments():
    table = profile(net("alike"), (3, 8, 8), name="two\nlines \\input{x}")
    lines = to_latex(table, table_lines(table)).splitlines()
    assert [line for line in lines if "input{x}" in line and not line.startswith("%")] == []


def test_latex_is_a_table_with_booktabs_rules():
    small = to_latex(profiled("alike"), lines_of("alike"))
    assert re.findall(r"\\(toprule|midrule|bottomrule)", small) == [
        "toprule",
        "midrule",
        "midrule",
        "bottomrule",
    ]
    assert r"\begin{tabular}{llllrrr}" in small
    assert "longtable" not in small
    assert small.rstrip().splitlines()[-3].startswith(r"Total & ")
    large = to_latex(profiled("resnet18"), lines_of("resnet18"))
    assert r"\begin{longtable}" in large
    assert r"\end{longtable}" in large
    assert r"\endhead" in large


def test_a_column_that_there_is_not_is_named():
    with pytest.raises(LayerError, match="“speed”"):
        to_markdown(profiled("alike"), lines_of("alike"), ["speed"])


# ------------------------------------------------------------------------------- the course's listing

# Rows of VGG-16: map, parameters with biases.  Simonyan & Zisserman 2015, arXiv:1409.1556, configuration D.
VGG16 = [
    ("INPUT", (224, 224, 3), 0),
    ("CONV3-64", (224, 224, 64), 1_792),
    ("CONV3-64", (224, 224, 64), 36_928),
    ("POOL2", (112, 112, 64), 0),
    ("CONV3-128", (112, 112, 128), 73_856),
    ("CONV3-128", (112, 112, 128), 147_584),
    ("POOL2", (56, 56, 128), 0),
    ("CONV3-256", (56, 56, 256), 295_168),
    ("CONV3-256", (56, 56, 256), 590_080),
    ("CONV3-256", (56, 56, 256), 590_080),
    ("POOL2", (28, 28, 256), 0),
    ("CONV3-512", (28, 28, 512), 1_180_160),
    ("CONV3-512", (28, 28, 512), 2_359_808),
    ("CONV3-512", (28, 28, 512), 2_359_808),
    ("POOL2", (14, 14, 512), 0),
    ("CONV3-512", (14, 14, 512), 2_359_808),
    ("CONV3-512", (14, 14, 512), 2_359_808),
    ("CONV3-512", (14, 14, 512), 2_359_808),
    ("POOL2", (7, 7, 512), 0),
    ("POOL", (7, 7, 512), 0),  # torchvision's adaptive pool, which the paper does not have
    ("FC", (1, 1, 4096), 102_764_544),
    ("FC", (1, 1, 4096), 16_781_312),
    ("FC", (1, 1, 1000), 4_097_000),
]


def test_the_course_listing_of_vgg16():
    *rows, memory, weights = to_course_listing(profiled("vgg16"), lines_of("vgg16")).splitlines()
    assert len(rows) == len(VGG16)
    for row, (name, shape, count) in zip(rows, VGG16, strict=True):
        found = re.fullmatch(r"(\S+): +\[([\dx]+)\] +memory: +(\S+) +params: (.+)", row)
        assert found, row
        assert found[1] == name
        assert found[2] == "x".join(map(str, shape))
        assert found[3] == (
            str(shape[2]) if shape[:2] == (1, 1) else f"{'*'.join(map(str, shape))}={short(math.prod(shape))}"
        )
        terms, _, value = found[4].rpartition(" = ")
        assert int(value.replace(",", "")) == count
        assert not terms or eval(terms) == count
    # the course prints 24M; its own rows come to 15.2M, and the adaptive pool adds 25K
    assert memory.startswith("TOTAL memory: 15.3M * 4 bytes = 61.1 MB / image")
    assert weights == "TOTAL params: 138.4M parameters (138,357,544, with biases)"


def test_the_course_listing_loses_no_parameter():
    for name in ("resnet18", "own", "densenet121", "vit_b_16"):
        text = to_course_listing(profiled(name), lines_of(name))
        counts = re.findall(r"params: (?:.* = )?([\d,]+)$", text, re.M)
        assert sum(int(count.replace(",", "")) for count in counts) == parameters(net(name))


@pytest.mark.parametrize(
    ("number", "wanted"), [(0, "0"), (9_999, "9999"), (10_000, "10K"), (150_528, "151K"), (2e9, "2.0G")]
)
def test_short_numbers(number: float, wanted: str):
    assert short(number) == wanted


# ------------------------------------------------------------------------------- what the browser asks for


@pytest.mark.parametrize("key", FORMATS)
def test_every_format_is_written_for_every_kind_of_net(key: str):
    for name in ("alike", "broken", "own", "vit_b_16"):
        answer = exported(profiled(name), [], {"count": 7, "format": key})
        assert answer
        assert answer["count"] == 7
        assert answer["file"] == f"{name.replace('_', '-')}{FORMATS[key].suffix}"
        assert answer["text"].endswith("\n")
        assert len(answer["text"].splitlines()) > 4
        assert ("It fails" in answer["text"]) == (name == "broken" and key in ("markdown", "latex", "course"))


def test_only_what_is_shown_is_exported_where_that_is_wished():
    table = profiled("resnet18")
    fold = blocks(table, "layer1.0", "layer1.1", 2)
    at = [line.times for line in table_lines(table, [fold])].index(2)
    wish = {"count": 1, "format": "markdown", "rows": [at, 1], "columns": ["macs", "speed", "kind"]}
    answer = exported(table, [fold], wish)
    assert answer
    rows = [markdown_cells(row) for row in answer["text"].splitlines()[:-1]]
    assert rows[0] == ["Layer", "Kind", "MACs"]
    assert rows[2] == ["layer1.0 … 1 × 2", "BasicBlock", "462,422,016"]
    assert rows[3] == ["conv1", "Conv2d", "118,013,952"]
    assert len(rows) == 5
    whole = exported(table, [fold], {"count": 1, "format": "csv"})
    assert whole
    assert len(list(csv.DictReader(io.StringIO(whole["text"])))) == len(table.rows)


def total_of(name: str, rows: list[int], flat: bool = False) -> dict[str, object]:
    """What every export of some lines says of their parameters: the total's title and number."""
    table = profiled(name)
    folds = folds_of(table)
    texts = {}
    for key in ("markdown", "latex", "json", "course"):
        wish = {"count": 1, "format": key, "rows": rows, "columns": ["parameters"], "flat": flat}
        answer = exported(table, folds, wish)
        assert answer
        texts[key] = answer["text"]
    *_, last, _ = texts["markdown"].splitlines()
    title, number = (cell.strip("*") for cell in markdown_cells(last))
    count = int(number.replace(",", ""))
    assert f"{title} & {number} \\\\" in texts["latex"]
    read = json.loads(texts["json"])
    assert read["totals"]["parameters"] == parameters(net(name))
    assert read.get("totals_of_these_rows", read["totals"])["parameters"] == count
    listed = re.findall(r"params: (?:.* = )?([\d,]+)$", texts["course"], re.M)
    assert sum(int(each.replace(",", "")) for each in listed) == count
    part = "" if title == "Total" else " of these rows"
    assert f"TOTAL params{part}: {short(count)} parameters ({count:,}, with biases)" in texts["course"]
    assert ("totals_of_these_rows" in read) == (title == "Total of these rows")
    return {"title": title, "count": count, "read": read}


def kinds_of(module: nn.Module, kind: type[nn.Module]) -> int:
    return sum(parameters(each) for each in module.modules() if isinstance(each, kind))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("resnet18", nn.Conv2d), ("vit_b_16", nn.Conv2d), ("convnext_tiny", nn.Linear), ("own", nn.Conv2d)],
)
def test_rows_that_a_filter_leaves_have_a_total_of_their_own(name: str, kind: type[nn.Module]):
    """The blocks around them stand there too, with the sums of all inside, and may keep something themselves."""
    lines = table_lines(profiled(name), folds_of(profiled(name)))
    found = [at for at, line in enumerate(lines) if line.kind == kind.__name__]
    above = [
        at
        for at, line in enumerate(lines)
        if line.role in ("container", "fold")
        and any(line.row <= lines[each].row < line.end for each in found)
    ]
    for rows, flat in ((sorted(found + above), False), (found[::-1], True), (found, False)):
        told = total_of(name, rows, flat)
        assert (told["title"], told["count"]) == ("Total of these rows", kinds_of(net(name), kind))
    module = net(name)
    layers = sum(isinstance(each, kind) for each in module.modules())
    assert told["read"]["totals_of_these_rows"]["layers"] == layers


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "convnext_tiny", "own"])
def test_rows_that_are_the_whole_net_have_its_total(name: str):
    """However far the tree is open, and as a list without blocks, where a block's line is what it keeps itself."""
    lines = table_lines(profiled(name), folds_of(profiled(name)))
    trees = [[at for at, line in enumerate(lines) if line.level <= level] for level in range(4)]
    for rows in [*trees, list(range(len(lines)))]:
        told = total_of(name, rows)
        assert (told["title"], told["count"]) == ("Total", parameters(net(name)))
    flat = [
        at
        for at, line in enumerate(lines)
        if line.role in ("layer", "operation") or (line.role == "container" and line.own)
    ]
    told = total_of(name, flat, flat=True)
    assert (told["title"], told["count"]) == ("Total", parameters(net(name)))
    assert sum(record["parameters"] for record in told["read"]["rows"]) == parameters(net(name))


def test_a_closed_block_counts_whole_and_only_once():
    lines = table_lines(profiled("resnet18"), folds_of(profiled("resnet18")))
    module = net("resnet18")
    at = {line.path: at for at, line in enumerate(lines) if line.role != "fold"}
    (fold,) = [at for at, line in enumerate(lines) if line.role == "fold"]
    shut = parameters(module.get_submodule("layer3"))
    conv = parameters(module.get_submodule("layer2.0.conv1"))
    assert total_of("resnet18", [at["layer2"], at["layer2.0.conv1"], at["layer3"]])["count"] == shut + conv
    layer1 = parameters(module.get_submodule("layer1"))
    assert total_of("resnet18", [at["layer1"], fold])["count"] == layer1
    inner = parameters(module.get_submodule("layer1.0"))
    assert total_of("resnet18", [fold, at["layer1.0"]])["count"] == inner


def test_the_total_of_a_net_that_fails_is_one_so_far():
    table = profiled("broken")
    lines = table_lines(table)
    assert "| **Total so far** |" in to_markdown(table, lines)
    assert "\nTotal so far & " in to_latex(table, lines)
    assert "\nTOTAL params so far: " in to_course_listing(table, lines)
    assert "| **Total of these rows** |" in to_markdown(table, lines[2:3])


@pytest.mark.parametrize(
    "wish", [None, "csv", {}, {"format": "exe"}, {"format": None}, {"format": ["csv"]}, 7]
)
def test_a_wish_that_is_none_is_not_answered(wish: object):
    assert exported(profiled("alike"), [], wish) is None


@pytest.mark.parametrize("rows", [[-1, 99_999, "0", None, 1.5], "01", {"0": 1}])
def test_rows_that_there_are_not_are_left_out(rows: object):
    answer = exported(profiled("alike"), [], {"count": 1, "format": "csv", "rows": rows, "columns": "macs"})
    assert answer
    assert len(answer["text"].splitlines()) in (0, 1, 14)


def test_only_rows_of_the_net_can_be_chosen():
    table = profiled("resnet18")
    assert _place(table, {"path": "layer1.0.relu", "call": 1}) == ("layer1.0.relu", 1)
    assert _place(table, {"path": "layer1.0.relu", "call": 9}) is None
    assert _place(table, {"path": None, "call": None}) is None
    assert _place(table, {"path": ["layer1"]}) is None
    assert [_count(message) for message in ({"count": 3}, {"count": "3"}, None, [])] == [3, 0, 0, 0]


def test_shapes_are_written_with_spaces_and_separators():
    assert shape_text([(1024, 7, 7)]) == "1,024 × 7 × 7"
    assert shape_text([()]) == "1 number"
    assert shape_text([]) == ""


def test_every_column_has_words_for_its_head():
    for key, column in COLUMNS.items():
        assert column.key == key
        assert column.title
        assert column.hint
