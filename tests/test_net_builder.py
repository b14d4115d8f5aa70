"""What the builder makes of the browser's edits, and what it shows: shapes against torch."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from explorer.errors import ModelError
from explorer.networks.building import build
from explorer.networks.classics import CLASSICS
from explorer.networks.editing import History
from explorer.networks.parts import BLOCKS, PARTS, TOKENS
from explorer.networks.spec import NetworkSpec, Part, part
from explorer.ui.components.parts_list import MOST_WISHES, Wish, wishes
from explorer.ui.net_builder import EDITS, FOLLOWERS, Work, begin, dot, listing, short, typical, worked

NET = NetworkSpec("Net", (3, 32, 32), (part("conv", padding=1), part("relu"), part("max_pool")))


def work(spec: NetworkSpec = NET) -> Work:
    return Work(History(spec), "here")


def wish(number: int, do: str, *path: int, **more: object) -> Wish:
    return replace(Wish(number, "here", do, path), **more)  # type: ignore[arg-type]


def kinds(done: Work) -> list[str]:
    return [each.kind for each in done.history.now.parts]


# ------------------------------------------------------------------------------- edits


def test_an_edit_that_comes_again_is_done_once():
    first = worked(work(), [wish(1, "duplicate", 0)])
    again = worked(first, [wish(1, "duplicate", 0), wish(2, "delete", 2)])
    assert kinds(first) == ["conv", "conv", "relu", "max_pool"]
    assert kinds(again) == ["conv", "conv", "max_pool"]
    assert again.heard == 2


def test_edits_are_done_in_the_order_of_their_numbers():
    done = worked(work(), [wish(2, "delete", 0), wish(1, "move", 0, to=(2,))])
    assert kinds(done) == ["max_pool", "conv"]


def test_edits_for_another_list_change_nothing():
    assert worked(work(), [replace(wish(1, "delete", 0), token="there")]) == work()


def test_what_builds_on_a_refused_edit_is_dropped():
    done = worked(work(), [wish(1, "add", 9, name="relu"), wish(2, "delete", 0), wish(3, "delete", 0)])
    assert done.history == work().history
    assert done.token != "here"
    assert done.refused == (1, "There is no place 9 among 3 parts.")


def test_a_refused_setting_stops_nothing_behind_it():
    done = worked(work(), [wish(1, "set", 0, name="stride", value=0)])
    assert done.refused == (1, "`stride` is 0: a whole number from 1 to 4,096, or two of them is meant.")
    assert done.token == "here"
    after = worked(done, [wish(2, "delete", 1)])
    assert (kinds(after), after.refused) == (["conv", "max_pool"], (0, ""))


def test_a_number_that_is_turned_is_one_step_back():
    turned = [wish(1 + n, "set", 0, name="out_channels", value=8 + n, more=n > 0) for n in range(5)]
    done = worked(work(), turned)
    assert done.history.now.parts[0]["out_channels"] == 12
    assert worked(done, [wish(6, "undo")]).history.now == NET
    # another setting is another step, whatever the browser says
    other = worked(done, [wish(6, "set", 0, name="stride", value=2, more=True), wish(7, "undo")])
    assert other.history.now == done.history.now


def test_undo_and_redo_walk_through_all_edits():
    steps = [work()]
    for number, (do, more) in enumerate(
        [("duplicate", {}), ("group", {"name": "sequence", "count": 2}), ("delete", {})], start=1
    ):
        steps.append(worked(steps[-1], [wish(number, do, 0, **more)]))
    back = worked(steps[-1], [wish(4, "undo"), wish(5, "undo")])
    assert back.history.now == steps[1].history.now
    assert worked(back, [wish(6, "undo"), wish(7, "undo")]).history.now == NET
    assert worked(back, [wish(6, "redo"), wish(7, "redo")]).history.now == steps[3].history.now


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (wish(1, "add", 3, name="flatten"), ["conv", "relu", "max_pool", "flatten"]),
        (wish(1, "delete", 0, count=2), ["max_pool"]),
        (wish(1, "duplicate", 0, count=2), ["conv", "relu", "conv", "relu", "max_pool"]),
        (wish(1, "move", 0, count=2, to=(1,)), ["max_pool", "conv", "relu"]),
        (wish(1, "move", 2, to=(0,)), ["max_pool", "conv", "relu"]),
        (wish(1, "group", 1, count=2, name="sequence"), ["conv", "sequence"]),
        (wish(1, "group", 0, name="branches"), ["branches", "relu", "max_pool"]),
        (wish(1, "sing", 0), ["conv", "relu", "max_pool"]),
    ],
)
def test_each_edit_does_what_it_says(asked: Wish, expected: list[str]):
    done = worked(work(), [asked])
    assert kinds(done) == expected
    assert done.refused == (0, "")


def test_repeating_is_one_step():
    done = worked(work(), [wish(1, "group", 0, count=3, name="sequence", value=2)])
    assert done.history.now.parts == (Part("sequence", {"times": 2}, inside=NET.parts),)
    assert worked(done, [wish(2, "undo")]).history.now == NET


def test_name_input_and_names_of_parts_are_set():
    done = worked(
        work(),
        [
            wish(1, "title", name="Mine"),
            wish(2, "input", value=(1, 28, 28)),
            wish(3, "call", 0, name="stem"),
        ],
    )
    now = done.history.now
    assert (now.name, now.input_shape, now.parts[0].name) == ("Mine", (1, 28, 28), "stem")


def test_a_block_is_opened_and_a_group_taken_apart():
    spec = NetworkSpec("Net", (8, 16, 16), (part("residual_basic", out_channels=8),))
    opened = worked(work(spec), [wish(1, "open", 0)])
    assert [each.kind for each in opened.history.now.parts[0].inside] == ["branches", "relu"]
    assert kinds(worked(opened, [wish(2, "ungroup", 0)])) == ["branches", "relu"]


def test_a_repair_is_taken_by_its_number():
    spec = NetworkSpec("Net", (1, 28, 28), (part("conv"), part("linear")))
    assert listing(work(spec))["trouble"]["repairs"][0] == "Add a flatten before it"
    assert kinds(worked(work(spec), [wish(1, "repair", name="0")])) == ["conv", "flatten", "linear"]
    assert kinds(worked(work(spec), [wish(1, "repair", name="99")])) == ["conv", "linear"]


def test_a_network_too_large_for_a_link_is_refused_and_the_old_one_stays():
    names = [
        part("conv", name=f"x{number * 7919 % 99991:05d}y{number * 104729 % 1299709}")
        for number in range(900)
    ]
    spec = NetworkSpec("Net", (3, 32, 32), tuple(names[:600]))
    done = work(spec)
    for number in range(1, 400):
        done = worked(
            done,
            [
                wish(number, "add", 0, name="conv"),
            ],
        )
        done = worked(done, [wish(number + 1000, "call", 0, name=f"q{number * 15485863 % 32452843}")])
        if done.refused[0]:
            break
        done = replace(done, heard=number)
    assert "a link has 8,000 at most" in done.refused[1]
    assert len(done.history.now.parts) > 600


@pytest.mark.parametrize("do", [*EDITS, "undo", "redo"])
@pytest.mark.parametrize("path", [(), (0,), (7,), (0, 0), (2**53,)])
@pytest.mark.parametrize("value", [None, "spec", float("nan"), 10**400, (1, 2), ([], {}, None), True])
def test_nonsense_gets_a_sentence_and_never_breaks(do: str, path: tuple[int, ...], value: object):
    for name in ("", "spec", "path", "relu", "stride", "sequence", "💥"):
        done = worked(work(), [Wish(1, "here", do, path, 2, path, name, value)])
        assert done.heard == 1
        assert isinstance(done.history.now, NetworkSpec)
        json.dumps(listing(done))


# ------------------------------------------------------------------------------- messages


def test_a_message_is_read():
    sent = {
        "number": 3,
        "token": "a",
        "do": "move",
        "path": [1, 0],
        "count": 2,
        "to": [0],
        "name": "x",
        "value": [3, 5],
        "more": True,
    }
    assert list(wishes({"wishes": [sent]})) == [Wish(3, "a", "move", (1, 0), 2, (0,), "x", (3, 5), True)]
    assert next(wishes({"wishes": [{"number": 1, "value": 3.0}]})).value == 3


@pytest.mark.parametrize(
    "message",
    [
        None,
        7,
        {"wishes": None},
        {"wishes": {"number": 1}},
        {"wishes": [None, 1, "x", [], {}]},
        {"wishes": [{"number": "1"}]},
        {"wishes": [{"number": True}]},
        {"wishes": [{"number": -1}]},
        {"wishes": [{"number": 1, "path": "0"}]},
        {"wishes": [{"number": 1, "path": [-1]}]},
        {"wishes": [{"number": 1, "path": [0] * 21}]},
        {"wishes": [{"number": 1, "to": {}}]},
        {"wishes": [{"number": 1, "count": 0}]},
        {"wishes": [{"number": 1, "count": 10**9}]},
        {"wishes": [{"number": 1, "name": 5}]},
        {"wishes": [{"number": 1, "do": "x" * 300}]},
    ],
)
def test_messages_that_make_no_sense_are_dropped(message: object):
    assert list(wishes(message)) == []


def test_a_flood_of_edits_is_cut():
    flood = {"wishes": [{"number": number, "do": "undo"} for number in range(5 * MOST_WISHES)]}
    assert len(list(wishes(flood))) == MOST_WISHES


# ------------------------------------------------------------------------------- what is added


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("channels", [3, 8, 24, 64, 100])
def test_what_is_added_behind_a_map_can_follow_it(kind: str, channels: int):
    if kind == "half" and channels % 2:
        channels += 1  # an odd number has none
    first: tuple[Part, ...] = ()
    if kind in ("linear", "distances_to_codes"):
        first = part("flatten"), part("linear", out_features=84)
    elif kind in TOKENS:
        first = (part("tokens"),)
    elif kind == "lenet_c3":
        first = (part("conv", out_channels=6),)
    spec = NetworkSpec("Net", (channels, 32, 32), first)
    added = typical(spec, (len(first),), kind)
    with torch.device("meta"):
        net = build(replace(spec, parts=(*first, added))).eval()
    assert net(torch.empty(1, channels, 32, 32, device="meta")).shape[0] == 1


def test_attention_is_added_with_heads_of_its_papers_width_and_windows_in_turn():
    tokens = NetworkSpec("Net", (768, 14, 14), (part("tokens"), part("class_token")))
    assert typical(tokens, (2,), "encoder_block")["heads"] == 12  # ViT-B: 768 = 12 × 64
    # Swin-T: 96 = 3 × 32; the second block of a stage shifts its windows, the third does not
    spec = NetworkSpec("Net", (96, 56, 56), ())
    for shifted in (False, True, False):
        block = typical(spec, (len(spec.parts),), "swin_block")
        assert (block["heads"], block["window"], block["shifted"]) == (3, 7, shifted)
        spec = replace(spec, parts=(*spec.parts, block))
    # MaxViT-T at 224 pixels: windows and grids of 7
    assert typical(NetworkSpec("Net", (64, 56, 56), ()), (0,), "maxvit_block")["window"] == 7
    assert typical(NetworkSpec("Net", (64, 60, 60), ()), (0,), "maxvit_block")["window"] == 6


def test_channels_double_behind_a_pooling_and_stay_elsewhere():
    spec = NetworkSpec("Net", (3, 32, 32), (part("conv", out_channels=24), part("max_pool"), part("flatten")))
    assert typical(spec, (1,), "conv")["out_channels"] == 24
    assert typical(spec, (2,), "conv")["out_channels"] == 48
    assert typical(spec, (0,), "conv")["out_channels"] == PARTS["conv"].setting("out_channels").default
    assert typical(spec, (3,), "linear") == Part("linear")
    with pytest.raises(ModelError, match="There is no part"):
        typical(spec, (0,), "nothing")


def test_followers_are_kinds():
    families = {kind.family for kind in PARTS.values()}
    assert set(FOLLOWERS) <= {"", "row", "token", *families, *PARTS}
    assert {kind for row in FOLLOWERS.values() for kind in row} <= set(PARTS)
    assert families - set(FOLLOWERS) == set()


# ------------------------------------------------------------------------------- what is shown


def leaving(spec: NetworkSpec) -> dict[str, list[tuple[int, ...]]]:
    """Shapes that torch finds at each module by its path, in the order of calls."""
    found: dict[str, list[tuple[int, ...]]] = {}
    with torch.device("meta"):
        net = build(spec).eval()
    for name, module in net.named_modules():
        module.register_forward_hook(
            lambda module, given, out, name=name: found.setdefault(name, []).append(tuple(out.shape[1:]))
        )
    net(torch.empty(1, *spec.input_shape, device="meta"))
    return found


@pytest.mark.parametrize(
    "key", ["resnet18", "googlenet-no-aux", "mobilenet_v2", "densenet121", "squeezenet1_0"]
)
def test_shapes_beside_the_parts_are_those_of_torch(key: str):
    spec = CLASSICS[key].spec
    assert spec
    expected, compared = leaving(spec), 0

    def walk(nodes: list[dict], prefix: str) -> None:
        nonlocal compared
        for node in nodes:
            name = f"{prefix}{node['called']}"
            if name in expected:
                assert tuple(node["leaving"]) == expected[name][0], name
                compared += 1
            walk(node.get("inside", []), f"{name}.")

    walk(listing(work(spec))["network"]["parts"], "")
    assert compared >= len(spec.parts) - 1
    assert json.loads(json.dumps(listing(work(spec))))


@pytest.mark.parametrize(
    "key",
    ["vit_b_16", "swin_t", "maxvit_t", "regnet_y_400mf", "shufflenet_v2_x0_5", "googlenet", "lenet5-1998"],
)
def test_networks_of_newer_parts_are_listed_with_what_is_inside_their_blocks(key: str):
    spec = CLASSICS[key].spec
    assert spec
    shown = json.loads(json.dumps(listing(work(spec))))
    assert shown["trouble"] is None
    assert shown["network"]["leaving"] == [10 if key == "lenet5-1998" else 1000]
    if key == "vit_b_16":
        first, second = shown["insides"][0]
        _, attention, _ = first["inside"][1]["inside"]
        assert (attention["kind"], attention["arriving"], attention["leaving"]) == (
            "attention",
            [197, 768],
            [197, 768],
        )
        widths = [node["leaving"] for node in second["inside"][1]["inside"]]
        assert widths == [[197, 768], [197, 3072], [197, 3072], [197, 3072], [197, 768], [197, 768]]


def test_layers_inside_of_a_block_are_shown_with_their_shapes():
    spec = NetworkSpec(
        "Net", (64, 16, 16), (part("residual_bottleneck", width=32, out_channels=128, stride=2),)
    )
    shown = listing(work(spec))
    inside = shown["insides"][shown["network"]["parts"][0]["block"]]
    body, beside = inside[0]["inside"]
    convolutions = [node for node in body["inside"] if node["kind"] == "conv"]
    assert [node["leaving"] for node in convolutions] == [(32, 16, 16), (32, 8, 8), (128, 8, 8)]
    assert beside["inside"][0]["leaving"] == (128, 8, 8)


def test_alike_blocks_send_their_inside_once():
    spec = CLASSICS["resnet152"].spec
    assert spec
    shown = listing(work(spec))
    blocks = sum(each.kind in BLOCKS for _, each in spec.walk())
    assert blocks == 50
    assert len(shown["insides"]) == 8  # the first of each stage, and all others of it


def test_behind_a_trouble_nothing_is_reached():
    spec = NetworkSpec(
        "Net",
        (3, 32, 32),
        (part("conv"), part("sequence", part("relu"), part("linear"), part("relu")), part("relu")),
    )
    shown = listing(work(spec))
    first, group, last = shown["network"]["parts"]
    assert first["leaving"] == (64, 30, 30)
    assert [node["leaving"] for node in group["inside"]] == [(64, 30, 30), None, None]
    assert (group["leaving"], last["leaving"]) == (None, None)
    assert shown["trouble"]["path"] == (1, 1)


def test_a_group_that_fails_the_second_time_shows_what_left_the_first_time():
    halving = part(
        "sequence", part("conv", out_channels=8), part("max_pool", kernel_size=4, stride=4), times=3
    )
    shown = listing(work(NetworkSpec("Net", (3, 32, 32), (halving, part("relu")))))
    group, last = shown["network"]["parts"]
    # 32 → 30 → 7, then 7 → 5 → 1, then 1 is smaller than the kernel
    assert [node["leaving"] for node in group["inside"]] == [None, (8, 7, 7)]
    assert last["leaving"] is None


def test_branches_that_cannot_be_joined_show_what_leaves_each():
    apart = part("branches", part("conv", out_channels=8), part("sequence"))
    shown = listing(work(NetworkSpec("Net", (3, 16, 16), (apart,))))
    assert [node["leaving"] for node in shown["network"]["parts"][0]["inside"]] == [(8, 14, 14), (3, 16, 16)]


@pytest.mark.parametrize(
    ("each", "words"),
    [
        (part("conv", stride=2), "3 × 3, 64, stride 2"),
        (part("conv", kernel_size=(1, 7), padding="same", groups=4), "1 × 7, 64, padding same, groups 4"),
        (part("max_pool"), "2 × 2, stride 2"),
        (part("linear", out_features=1000, bias=False), "1,000, no bias"),
        (part("relu", inplace=True), "in place"),
        (part("dropout"), "probability 0.5"),
        (part("sequence", part("relu"), times=3), "3 times"),
        (part("sequence"), "0 parts"),
        (part("branches", part("relu"), join="cat"), "1 branch, side by side"),
        (part("upsample", mode="bilinear"), "× 2, bilinear"),
    ],
)
def test_settings_in_short(each: Part, words: str):
    assert short(each) == words


def test_every_kind_has_a_colour():
    known = {
        "convolution",
        "normalisation",
        "activation",
        "pooling",
        "dense",
        "attention",
        "operation",
        "other",
        "block",
        "group",
    }
    assert {dot(kind) for kind in PARTS} == known
    assert {kind for kind in PARTS if dot(kind) == "other"} == {"dropout", "dropout2d"}


def test_beginnings():
    assert begin("empty", NET) == NetworkSpec("My network", NET.input_shape)
    assert begin("alexnet", NET) == CLASSICS["alexnet"].spec
