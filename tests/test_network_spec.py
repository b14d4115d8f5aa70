"""Parts and networks: what they refuse, how they are edited, and how they are written and read."""

from __future__ import annotations

import base64
import json
import math
import pickle
import random
import re
import string
import zlib
from typing import Any

import pytest
from torch import nn

from explorer.errors import ExplorerError, ModelError
from explorer.networks import editing
from explorer.networks.building import build
from explorer.networks.editing import History
from explorer.networks.parts import ACTIVATIONS, BLOCKS, FAMILIES, GROUPS, PARTS, TOKENS
from explorer.networks.spec import MAX_DEPTH, MAX_PARTS, NetworkSpec, Part, names, part, part_at
from explorer.networks.storing import MAX_LINK, MAX_TEXT, from_link, read, to_link, write
from tests.network_zoo import draw_part, draw_spec


def net(*parts: Part) -> NetworkSpec:
    return NetworkSpec("Net", (3, 32, 32), parts)


def kinds(spec: NetworkSpec) -> list[str]:
    return [each.kind for each in spec.parts]


class TestParts:
    def test_every_kind_tells_what_it_is_and_its_start_is_possible(self):
        for kind, about in PARTS.items():
            assert about.family in FAMILIES
            assert about.sentence.endswith(".")
            assert len({setting.name for setting in about.settings}) == len(about.settings)
            assert dict(editing.new_part(kind).settings) == dict(about.start)
            assert not {"kind", "name", "inside"} & {setting.name for setting in about.settings}
        assert len({about.title for about in PARTS.values()}) == len(PARTS)
        assert set(ACTIVATIONS) == {key for key, about in PARTS.items() if about.family == "activation"}
        assert {"sequence", "branches"} == GROUPS
        assert len(BLOCKS) == 19
        assert {"encoder_block"} == BLOCKS & TOKENS

    def test_every_setting_takes_its_limits_and_refuses_what_is_beyond(self):
        for kind, about in PARTS.items():
            for setting in about.settings:
                if setting.type in ("switch", "choice"):
                    continue
                for value in (setting.lowest, setting.highest):
                    value = float(value) if setting.type == "number" else int(value)
                    assert Part(kind, {setting.name: value})[setting.name] == value
                for value in (
                    setting.lowest - 1,
                    setting.highest + setting.step,
                    math.nan,
                    math.inf,
                    10**400,
                ):
                    with pytest.raises(ModelError, match=rf"^`{setting.name}` is .*: .* is meant\.$"):
                        Part(kind, {setting.name: value})

    @pytest.mark.parametrize(
        ("kind", "settings", "sentence"),
        [
            ("conv2", {}, r"There is no part “conv2”; there are conv, "),
            ("conv", {"stride_": 1}, r"“Convolution” has no setting `stride_`; it has `out_channels`, "),
            ("relu", {"x": 1}, r"“ReLU” has no setting `x`; it has `inplace`\."),
            ("flatten", {"x": 1}, r"“Flatten” has no setting `x`; it has none\."),
            (
                "conv",
                {"out_channels": True},
                r"`out_channels` is True: a whole number from 1 to 1,000,000 is meant\.",
            ),
            ("conv", {"out_channels": 1.0}, r"`out_channels` is 1\.0: a whole number"),
            ("conv", {"out_channels": (2, 2)}, r"`out_channels` is \(2, 2\): a whole number"),
            (
                "conv",
                {"kernel_size": (3, 3, 3)},
                r"`kernel_size` is \(3, 3, 3\): a whole number .*, or two of them",
            ),
            ("conv", {"kernel_size": "same"}, r"`kernel_size` is 'same'"),
            (
                "conv",
                {"padding": "full"},
                r"`padding` is 'full': .*, or two of them, or “same” or “valid” is meant",
            ),
            ("conv", {"bias": 1}, r"`bias` is 1: true or false is meant\."),
            ("dropout", {"p": True}, r"`p` is True: a number from 0 to 1 is meant\."),
            ("dropout", {"p": "0.5"}, r"`p` is '0\.5': a number from 0 to 1 is meant\."),
            ("inception", {"five_kernel": 4}, r"`five_kernel` is 4: an odd number from 1 to 31 is meant\."),
            ("squeeze_excite", {"gate": "relu"}, r"`gate` is 'relu': “sigmoid” or “hardsigmoid” is meant\."),
            ("conv", {"kernel_size": "x" * 500}, r"`kernel_size` is '[x]{38}…: "),
        ],
    )
    def test_nonsense_is_refused_in_one_sentence(self, kind: str, settings: dict[str, Any], sentence: str):
        with pytest.raises(ModelError, match=rf"^{sentence}"):
            Part(kind, settings)

    def test_what_is_the_default_is_not_kept_so_that_equal_parts_are_equal(self):
        assert Part("conv", {"kernel_size": (3, 3), "stride": [1, 1], "bias": True}) == Part("conv")
        assert hash(Part("conv", {"kernel_size": (5, 5)})) == hash(part("conv", kernel_size=5))
        assert part("dropout", p=1).settings == (("p", 1.0),)

    def test_parts_and_networks_can_be_pickled(self):
        spec = net(part("sequence", part("conv", kernel_size=(1, 3)), name="a"))
        assert pickle.loads(pickle.dumps(spec)) == spec

    def test_only_groups_have_parts_inside(self):
        with pytest.raises(ModelError, match=r"^“Convolution” has no parts inside\.$"):
            part("conv", part("relu"))


class TestNames:
    def test_no_name_is_taken_that_torch_uses_itself(self):
        for name in dir(nn.Sequential()):
            if name.isidentifier() and not name.startswith("_"):
                with pytest.raises(ModelError, match="use the word themselves"):
                    part("relu", name=name)

    @pytest.mark.parametrize(
        "name", ["a.b", "1a", "_a", "é", "a b", "a" * 41, "a\n", "class", "lambda", "ａ"]
    )
    def test_names_that_are_none_are_refused(self, name: str):
        with pytest.raises(ModelError, match="cannot name a layer"):
            part("relu", name=name)

    def test_random_names_that_are_taken_can_be_built_with(self):
        rng = random.Random(8)
        for _ in range(200):
            name = "".join(rng.choices(string.ascii_letters + string.digits + "_", k=rng.randint(1, 8)))
            try:
                each = part("relu", name=name)
            except ModelError:
                continue
            assert name in dict(build(net(each)).named_children())

    def test_siblings_have_different_names(self):
        twice = (part("relu", name="a"), part("conv", name="a"))
        for make in (lambda: net(*twice), lambda: part("sequence", *twice)):
            with pytest.raises(ModelError, match=r"^Two parts beside each other are called “a”\.$"):
                make()
        assert names((part("relu"), part("conv", name="relu1"), part("relu"))) == ("relu2", "relu1", "relu3")


class TestNetworkSpec:
    @pytest.mark.parametrize(
        ("name", "shape", "sentence"),
        [
            ("", (3, 8, 8), "“” is no name for a network"),
            ("a" * 81, (3, 8, 8), "is no name for a network: 1 to 80 characters"),
            ("a\nb", (3, 8, 8), "“a·b” is no name"),
            (" a", (3, 8, 8), "is no name"),
            ("a", (3, 8), "An input has channels, rows and columns, not"),
            ("a", (3, 0, 8), "The input has 0 rows: a whole number from 1 to 4,096 is meant"),
            ("a", (3, 8, 4097), "The input has 4097 columns"),
            ("a", (True, 8, 8), "The input has True channels"),
            ("a", (3.0, 8, 8), "The input has 3.0 channels: a whole number from 1 to 1,000,000"),
        ],
    )
    def test_nonsense_is_refused(self, name: str, shape: Any, sentence: str):
        with pytest.raises(ModelError, match=re.escape(sentence)):
            NetworkSpec(name, shape)

    def test_there_are_at_most_so_many_parts_repeated_ones_counted(self):
        each = part("sequence", part("conv"), part("dense_block", layers=9), times=100)
        assert NetworkSpec("Most", (3, 8, 8), (each,)).parts[0].size == MAX_PARTS
        for more in ((each, part("relu")), (part("sequence", each, times=1000),)):
            with pytest.raises(ModelError, match=r"^The network has 1,0\d\d,?\d* parts|1,000,000 parts"):
                NetworkSpec("More", (3, 8, 8), more)

    def test_there_are_at_most_so_many_levels(self):
        deep = part("relu")
        for _ in range(MAX_DEPTH - 1):
            deep = part("sequence", deep)
        assert net(deep).parts[0].depth == MAX_DEPTH
        with pytest.raises(ModelError, match=r"^Parts are nested 9 deep; 8 levels are the most\.$"):
            net(part("sequence", deep))


class TestEditing:
    spec = net(
        part("conv", name="first"),
        part("sequence", part("relu"), part("max_pool", name="pool"), times=2, name="group"),
        part("flatten"),
    )

    def test_each_edit_gives_what_it_says_and_leaves_the_old_one(self):
        before = write(self.spec)
        relu = part("relu")
        assert kinds(editing.add(self.spec, relu)) == ["conv", "sequence", "flatten", "relu"]
        assert editing.add(self.spec, part("gelu"), (1,)).parts[1].inside[-1] == part("gelu")
        assert kinds(editing.insert(self.spec, (0,), relu)) == ["relu", "conv", "sequence", "flatten"]
        assert part_at(editing.insert(self.spec, (1, 1), part("silu")), (1, 1)) == part("silu")
        assert kinds(editing.delete(self.spec, (1,))) == ["conv", "flatten"]
        assert editing.delete(self.spec, (1, 0)).parts[1].inside == (part("max_pool", name="pool"),)
        assert part_at(editing.change(self.spec, (1, 1), stride=3), (1, 1))["stride"] == 3
        assert editing.change(self.spec, (1,), times=1).parts[1].inside == self.spec.parts[1].inside
        assert editing.rename(self.spec, (0,), "stem").parts[0].name == "stem"
        assert write(self.spec) == before

    def test_moving_counts_places_as_they_are_afterwards(self):
        for place in range(3):
            moved = editing.move(self.spec, (0,), (place,))
            assert moved.parts[place] == self.spec.parts[0]
            assert editing.move(moved, (place,), (0,)) == self.spec
        assert editing.move(self.spec, (0,), (0, 1)).parts[0].inside[1].name == "first"

    def test_duplicates_get_free_names(self):
        twice = editing.duplicate(editing.duplicate(self.spec, (0,)), (0,))
        assert [each.name for each in twice.parts[:3]] == ["first", "first3", "first2"]
        assert editing.duplicate(self.spec, (1, 1)).parts[1].inside[2].name == "pool2"
        numbered = net(part("relu", name="layer9"))
        assert editing.duplicate(numbered, (0,)).parts[1].name == "layer10"
        longest = net(part("relu", name="a" * 40))
        assert editing.duplicate(longest, (0,)).parts[1].name == "a" * 39 + "2"

    def test_wrapping_and_unwrapping_are_opposites(self):
        wrapped = editing.wrap(self.spec, (0,), 2, "both")
        assert (kinds(wrapped), wrapped.parts[0].name) == (["sequence", "flatten"], "both")
        assert editing.unwrap(wrapped, (0,)) == self.spec
        apart = editing.unwrap(self.spec, (1,))
        assert kinds(apart) == ["conv", "relu", "max_pool", "relu", "max_pool", "flatten"]
        assert [each.name for each in apart.parts if each.kind == "max_pool"] == ["pool", "pool2"]

    def test_opening_puts_the_parts_of_a_block_in_its_place(self):
        spec = net(part("conv", out_channels=8), part("vgg_block", name="features"), part("residual_basic"))
        chain = editing.open_block(spec, (1,)).parts[1]
        assert (chain.kind, chain.name) == ("sequence", "features")
        assert [each.kind for each in chain.inside] == ["conv", "relu", "conv", "relu", "max_pool"]
        tree = editing.open_block(spec, (2,)).parts[2]
        assert [each.kind for each in tree.inside] == ["branches", "relu"]
        assert editing.open_block(spec, (2,)).parts[:2] == spec.parts[:2]

    def test_a_block_that_is_repeated_with_other_channels_is_not_opened_as_one(self):
        spec = net(part("sequence", part("separable", out_channels=8), times=2))
        with pytest.raises(
            ModelError, match=r"repeated with 3 and 8 channels arriving: take its group apart"
        ):
            editing.open_block(spec, (0, 0))
        opened = editing.open_block(editing.unwrap(spec, (0,)), (1,))
        assert opened.parts[1].kind == "sequence"

    @pytest.mark.parametrize(
        ("edit", "sentence"),
        [
            (lambda spec: editing.delete(spec, (7,)), "There is no part at 7 of “Net”."),
            (lambda spec: editing.delete(spec, (-1,)), "There is no part at -1 of “Net”."),
            (lambda spec: editing.delete(spec, ()), "The network itself is not one of its parts."),
            (lambda spec: editing.change(spec, (0, 0), stride=1), "There is no part at 0.0 of “Net”."),
            (lambda spec: editing.insert(spec, (9,), part("relu")), "There is no place 9 among 3 parts."),
            (lambda spec: editing.insert(spec, (0, 0), part("relu")), "“Convolution” has no parts inside."),
            (
                lambda spec: editing.unwrap(spec, (0,)),
                "“Convolution” is not a group: there is nothing to take out.",
            ),
            (
                lambda spec: editing.open_block(spec, (0,)),
                "“Convolution” is not a block: there is nothing to open.",
            ),
            (lambda spec: editing.wrap(spec, (1,), 3), "From there on there are 2 parts, not 3."),
            (
                lambda spec: editing.wrap(spec, (1,), kind="conv"),
                "“conv” is not a group; there are branches, sequence.",
            ),
            (lambda spec: editing.rename(spec, (2,), "first"), "A part beside it is called “first” already."),
            (lambda spec: editing.new_part("nothing"), "There is no part “nothing”; there are conv,"),
        ],
    )
    def test_edits_that_make_no_sense_are_refused(self, edit: Any, sentence: str):
        with pytest.raises(ModelError, match=f"^{re.escape(sentence)}"):
            edit(self.spec)

    def test_several_branches_are_not_put_one_after_the_other(self):
        with pytest.raises(ModelError, match=r"^2 branches read the same input"):
            editing.unwrap(net(part("branches", part("relu"), part("gelu"))), (0,))

    def test_random_edits_never_leave_a_network_that_cannot_be_said(self):
        rng, spec, done, refusals = random.Random(9), net(), 0, set()
        for _ in range(1500):
            paths = [path for path, _ in spec.walk()] or [(0,)]
            path, other = rng.choice(paths), rng.choice(paths)
            edits: list[Any] = [
                lambda spec, path, other: editing.insert(spec, path, draw_part(rng)),
                lambda spec, path, other: editing.add(spec, draw_part(rng, "sequence")),
                lambda spec, path, other: editing.delete(spec, path),
                lambda spec, path, other: editing.duplicate(spec, path),
                lambda spec, path, other: editing.move(spec, path, other),
                lambda spec, path, other: editing.wrap(spec, path, rng.randint(1, 3)),
                lambda spec, path, other: editing.unwrap(spec, path),
                lambda spec, path, other: editing.open_block(spec, path),
                lambda spec, path, other: editing.rename(spec, path, rng.choice("abc")),
            ]
            try:
                spec = rng.choice(edits)(spec, path, other)
                done += 1
            except ExplorerError as error:
                refusals.add(str(error)[-1])
            if len(spec.parts) > 30:
                spec = net()
            assert read(write(spec)) == spec
        assert done >= 800
        assert refusals == {"."}


class TestHistory:
    def test_steps_are_undone_and_redone_in_their_order(self):
        steps = [net(*(part("relu"),) * count) for count in range(4)]
        history = History(steps[0])
        for step in steps[1:]:
            history = history.done(step)
        back = history.undone().undone()
        assert back.now == steps[1]
        assert back.redone().now == steps[2]
        assert back.redone().redone() == history == history.redone()
        assert back.undone().undone().undone().now == steps[0]

    def test_a_new_step_forgets_what_was_undone_and_no_change_is_no_step(self):
        history = History(net()).done(net(part("relu"))).undone()
        assert history.done(net()) == history
        other = history.done(net(part("gelu")))
        assert (other.after, other.redone()) == ((), other)

    def test_it_keeps_so_many_steps(self):
        history = History(net())
        for count in range(editing.MAX_STEPS + 50):
            history = history.done(NetworkSpec(f"Net {count}", (3, 8, 8)))
        assert len(history.before) == editing.MAX_STEPS


# Text ------------------------------------------------------------------------------------------------

_GOOD: dict[str, Any] = {
    "format": "cnn-explorer-network",
    "version": 1,
    "name": "Net",
    "input": [3, 8, 8],
    "parts": [{"kind": "conv", "kernel_size": [3, 5]}],
}


class TestText:
    def test_500_random_networks_come_back_from_json_and_from_a_link(self):
        rng = random.Random(10)
        for _ in range(500):
            spec = draw_spec(rng)
            assert read(write(spec)) == spec
            assert read(json.dumps(json.loads(write(spec)))) == spec
            assert from_link(to_link(spec)) == spec

    def test_names_of_all_scripts_come_back(self):
        spec = NetworkSpec('Ñandú "网络" \\ 🐈', (3, 8, 8), (part("relu", name="a_1"),))
        assert read(write(spec)) == from_link(to_link(spec)) == spec

    def test_json_is_the_same_for_the_same_network_with_settings_in_order(self):
        one = net(Part("conv", {"stride": 2, "bias": False, "out_channels": 8}))
        other = net(Part("conv", {"out_channels": 8, "bias": False, "stride": (2, 2)}))
        assert write(one) == write(other)
        assert '{"kind": "conv", "bias": false, "out_channels": 8, "stride": 2}' in write(one)

    def test_a_deep_classic_fits_into_a_link(self):
        stages = (
            part(
                "sequence",
                part("residual_bottleneck", width=64 * 2**stage, out_channels=256 * 2**stage),
                times=9,
            )
            for stage in range(4)
        )
        assert len(to_link(net(part("conv"), *stages, part("linear")))) < 400

    def test_what_is_too_large_for_a_link_is_refused(self):
        rng = random.Random(11)
        parts = [
            part("conv", out_channels=rng.randint(1, 10**6), kernel_size=rng.randint(1, 999))
            for _ in range(1000)
        ]
        with pytest.raises(
            ModelError, match=r"^The network takes [\d,]+ characters; a link has 8,000 at most"
        ):
            to_link(net(*parts))

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"format": "onnx"}, "The text is not a network: it has no `format` “cnn-explorer-network”."),
            ({"version": 2}, "The network is of version 2; version 1 is read here."),
            ({"version": True}, "The network is of version True; version 1 is read here."),
            ({"version": 1.0}, "The network is of version 1.0; version 1 is read here."),
            ({"more": 1}, "A network has no `more`; it has a name, an input and parts."),
            ({"name": 5}, "The network's name is 5: a text is meant."),
            ({"name": "a\u202eb"}, "“a·b” is no name for a network"),
            ({"input": "3x8x8"}, "The network's input is '3x8x8': channels, rows and columns are meant."),
            ({"input": [3, 8, True]}, "The input has True columns"),
            ({"input": [3, 8, 8, 8]}, "An input has channels, rows and columns, not (3, 8, 8, 8)."),
            ({"parts": None}, "The parts are nothing: a list is meant."),
            ({"parts": {"kind": "conv"}}, "The parts are {'kind': 'conv'}: a list is meant."),
            ({"parts": ["conv"]}, "A part is 'conv': its kind and settings are meant."),
            ({"parts": [{}]}, "The kind and the name of a part are texts, not nothing and ''."),
            (
                {"parts": [{"kind": ["conv"]}]},
                "The kind and the name of a part are texts, not ['conv'] and ''.",
            ),
            ({"parts": [{"kind": "conv", "name": 3}]}, "The kind and the name of a part are texts"),
            ({"parts": [{"kind": "eval"}]}, "There is no part “eval”; there are conv"),
            ({"parts": [{"kind": "conv", "weights": 1}]}, "“Convolution” has no setting `weights`; it has"),
            ({"parts": [{"kind": "conv", "bias": 0}]}, "`bias` is 0: true or false is meant."),
            ({"parts": [{"kind": "conv", "stride": True}]}, "`stride` is True: a whole number"),
            ({"parts": [{"kind": "conv", "stride": {"a": 1}}]}, "`stride` is {'a': 1}: a whole number"),
            (
                {"parts": [{"kind": "conv", "inside": [{"kind": "relu"}]}]},
                "“Convolution” has no parts inside.",
            ),
            ({"parts": [{"kind": "sequence", "inside": 1}]}, "The parts are 1: a list is meant."),
            ({"parts": [{"kind": "sequence", "times": 10**4000}]}, "`times` is 1000"),
        ],
    )
    def test_hostile_json_gets_one_sentence(self, change: dict[str, Any], sentence: str):
        with pytest.raises(ModelError, match=f"^{re.escape(sentence)}") as refusal:
            read(json.dumps({**_GOOD, **change}))
        assert len(str(refusal.value)) < 700

    def test_the_good_text_that_the_hostile_ones_differ_from_is_read(self):
        assert read(json.dumps(_GOOD)) == NetworkSpec("Net", (3, 8, 8), (part("conv", kernel_size=(3, 5)),))

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("", "The text is not JSON"),
            ("{", "The text is not JSON"),
            ("[]", "The text is not a network"),
            ("null", "The text is not a network"),
            ('{"a": NaN}', "NaN is not a number that can be used."),
            ('{"a": -Infinity}', "-Infinity is not a number that can be used."),
            ('{"name": "a", "name": "b"}', "`name` stands twice in one place."),
            ("[" * 100_000, "The text is nested 100000 deep; 8 levels of parts are the most."),
            ('{"a":' * 30 + "1" + "}" * 30, "The text is nested 30 deep"),
            ("9" * 5000, "The text is not JSON"),
            ("x" * (MAX_TEXT + 1), "The text is 200,001 characters long; 200,000 are the most."),
            ("\ud800", "The text is not JSON"),
        ],
    )
    def test_text_that_is_no_network_gets_one_sentence(self, text: str, sentence: str):
        with pytest.raises(ModelError, match=f"^{re.escape(sentence)}"):
            read(text)

    def test_an_infinite_number_in_other_words_is_refused(self):
        with pytest.raises(ModelError, match=r"^`p` is inf: a number from 0 to 1 is meant\.$"):
            read(
                json.dumps({**_GOOD, "parts": [{"kind": "dropout", "p": 0}]}).replace('"p": 0', '"p": 1e999')
            )

    def test_brackets_within_names_do_not_count_as_depth(self):
        spec = NetworkSpec("[" * 60, (3, 8, 8))
        assert read(write(spec)) == from_link(to_link(spec)) == spec

    def test_a_network_cut_or_changed_anywhere_is_read_or_refused_with_a_sentence(self):
        rng = random.Random(12)
        text = write(draw_spec(rng))
        link = to_link(draw_spec(rng))
        told = set()
        for _ in range(600):
            at = rng.randrange(len(text))
            told |= self.said(
                read,
                text[:at] + rng.choice(["", '"', "{", "]", "-", "9", "e9", "true", "\\"]) + text[at + 1 :],
            )
            at = rng.randrange(len(link))
            told |= self.said(from_link, link[:at])
            told |= self.said(from_link, link[:at] + rng.choice("Aa0_-") + link[at + 1 :])
        assert {sentence[-1] for sentence in told} == {"."}
        assert len(told) > 50

    @staticmethod
    def said(reader: Any, text: str) -> set[str]:
        """What the reader says against the text, if anything."""
        try:
            reader(text)
        except ModelError as error:
            return {str(error)}
        return set()

    @pytest.mark.parametrize(
        ("link", "sentence"),
        [
            ("", "The link is no network"),
            ("1é", "The link is no network: letters, digits, - and _ are meant."),
            ("2eJw", "The link's network is of version “2”; version 1 is read here."),
            ("1", "The link's network is cut off"),
            ("1A", "The link's network is damaged"),
            ("1AAAA", "The link's network is damaged"),
            ("1" + "A" * MAX_LINK, "The link is 8,001 characters long; 8,000 are the most."),
        ],
    )
    def test_links_that_are_none_get_one_sentence(self, link: str, sentence: str):
        with pytest.raises(ModelError, match=f"^{re.escape(sentence)}"):
            from_link(link)

    def test_a_link_that_unpacks_to_very_much_is_refused_before_it_does(self):
        with pytest.raises(ModelError, match=r"^The link unpacks to more than 200,000 characters\.$"):
            from_link(self.packed(b" " * 5_000_000))
        with pytest.raises(ModelError, match=r"^The link is nested 10000 deep"):
            from_link(self.packed(b"[" * 10_000))
        with pytest.raises(ModelError, match=r"^The link's network is not a name, an input and parts\.$"):
            from_link(self.packed(b"{}"))

    def test_a_link_of_which_the_end_is_missing_is_told_from_one_that_is_damaged(self):
        whole = zlib.compress(b"[]" * 400)
        with pytest.raises(
            ModelError, match=r"^The link's network is cut off: only a part of it was copied\.$"
        ):
            from_link("1" + base64.urlsafe_b64encode(whole[:-5]).decode().rstrip("="))
        with pytest.raises(
            ModelError, match=r"^The link's network is damaged, or only a part of it was copied\.$"
        ):
            from_link("1" + base64.urlsafe_b64encode(whole[:-4] + b"abcd").decode().rstrip("="))

    @staticmethod
    def packed(raw: bytes) -> str:
        return "1" + base64.urlsafe_b64encode(zlib.compress(raw)).decode().rstrip("=")
