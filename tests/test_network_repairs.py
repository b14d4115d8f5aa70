"""Repairs of networks that cannot go on: what is offered, and that it helps."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch

from explorer.networks.planning import planned
from explorer.networks.repairs import MOST, repairs
from explorer.networks.spec import MAX_DEPTH, NetworkSpec, Part, part
from tests.network_zoo import draw_spec, torch_run

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")


def net(*parts: Part, shape: tuple[int, int, int] = (3, 32, 32)) -> NetworkSpec:
    return NetworkSpec("Net", shape, parts)


def labels(spec: NetworkSpec) -> list[str]:
    return [repair.label for repair in repairs(spec)]


class TestOffers:
    @pytest.mark.parametrize(
        ("spec", "first"),
        [
            (net(part("linear")), "Add a flatten before it"),
            (net(part("flatten"), part("relu"), part("max_pool")), "Remove the flatten before it"),
            (net(part("conv", groups=2)), "Make groups 1"),
            (net(part("conv", out_channels=64, groups=5), shape=(20, 8, 8)), "Make groups 4"),
            (net(part("group_norm"), shape=(24, 8, 8)), "Make groups 24"),
            (net(part("group_norm", groups=8), shape=(8, 1, 1)), "Make groups 4"),
            (net(part("conv"), shape=(3, 1, 1)), "Padding 1 instead of 0"),
            (net(part("max_pool", padding=2)), "Padding 1 instead of 2"),
            (net(part("conv", stride=2, padding="same")), "Padding 1 instead of “same”"),
            (
                net(part("conv", kernel_size=(3, 5), stride=2, padding="same")),
                "Padding 1 × 2 instead of “same”",
            ),
            (net(part("transposed", output_padding=1)), "Output padding 0"),
            (net(part("conv", padding=8, padding_mode="reflect"), shape=(3, 8, 8)), "Padding with zeros"),
            (net(part("average_pool", kernel_size=7), shape=(3, 5, 5)), "Padding 1 instead of 0"),
            (
                net(part("branches", part("sequence"), part("conv", out_channels=8, padding=1, stride=2))),
                "Add 1 × 1 convolutions that bring the branches to one shape",
            ),
            (net(part("vgg_block"), shape=(3, 1, 1)), "An input of 2 × 2 pixels"),
            (net(part("upsample", scale_factor=64), shape=(3, 4000, 4000)), "Times 6 instead of 64"),
            (net(part("branches", part("sequence"), part("relu", inplace=True))), "Not in place"),
            (net(part("branches")), "Remove “branches1”"),
            (net(part("encoder_block", heads=1)), "Make tokens of the map before it"),
            (net(part("tokens"), part("attention", heads=2)), "Heads 3 instead of 2"),
            (net(part("swin_block", heads=5), shape=(96, 8, 8)), "Heads 6 instead of 5"),
            (net(part("tokens"), part("conv")), "Remove “Tokens” before it"),
            (net(part("partition_attention"), shape=(64, 16, 16)), "Pixels a side 8 instead of 7"),
            (net(part("shuffle_unit", out_channels=24), shape=(16, 8, 8)), "Make output channels 16"),
            (net(part("regnet", out_channels=40), shape=(16, 8, 8)), "Channels a group 20 instead of 16"),
            (net(part("instance_norm"), shape=(3, 1, 1)), "An input of 2 × 2 pixels"),
        ],
    )
    def test_the_first_repair_is_the_mildest_edit_that_helps(self, spec: NetworkSpec, first: str):
        offered = labels(spec)
        if first.startswith("Times"):
            # 4,000 × 6 is too large still: the next one fits
            assert offered[0] == "Times 1 instead of 64"
        else:
            assert offered[0] == first

    def test_groups_can_be_helped_by_the_channels_too(self):
        offered = labels(net(part("conv", out_channels=30, groups=4), shape=(8, 8, 8)))
        assert offered[:4] == [
            "Make groups 2",
            "Make groups 1",
            "Make output channels 32",
            "Remove “conv1”",
        ]

    def test_a_map_that_became_too_small_is_helped_before_it_or_with_a_larger_input(self):
        offered = labels(net(*(part("max_pool"),) * 4, shape=(3, 8, 8)))
        assert "Remove “max_pool4”" in offered
        assert "An input of 16 × 16 pixels" in offered
        spec = net(part("max_pool"), part("conv", kernel_size=5), shape=(3, 8, 8))
        assert "Remove the pooling “max_pool1” before it" in labels(spec)

    def test_a_sound_network_needs_none(self):
        assert repairs(net(part("conv"), part("relu"))) == ()

    def test_a_repair_leaves_another_network_as_it_is(self):
        spec = net(part("linear"))
        repair = repairs(spec)[0]
        assert [each.kind for each in repair(spec).parts] == ["flatten", "linear"]
        other = net(part("relu"))
        assert repair(other) is other

    def test_the_projection_of_a_shortcut_gives_the_shape_of_the_body(self):
        body = part("sequence", part("conv", out_channels=128, stride=2, padding=1), part("batch_norm"))
        fixed = repairs(net(part("branches", body, part("sequence")), shape=(64, 56, 56)))[0].after
        assert planned(fixed).output_shape == (128, 28, 28)
        assert fixed.parts[0].inside[0] == body
        assert fixed.parts[0].inside[1].inside == (
            part("conv", out_channels=128, kernel_size=1, stride=2, bias=False),
        )

    def test_trouble_in_a_later_repetition_is_only_helped_by_what_holds_in_all(self):
        group = part("sequence", part("conv"), part("max_pool"), times=6)
        spec = net(group, shape=(3, 64, 64))
        for repair in repairs(spec):
            after = planned(repair.after).trouble
            assert after is None or (after.rounds, after.path) > ((0, 4), (0, 0)), repair.label

    def test_a_network_that_may_not_grow_is_offered_only_what_does_not_make_it_grow(self):
        full = net(*(part("relu"),) * 999, part("linear"))
        assert labels(full) == ["Remove “linear1”"]

    def test_a_branch_that_may_not_get_deeper_is_not_wrapped(self):
        deep = part("branches", part("relu"), part("conv", out_channels=8))
        for _ in range(MAX_DEPTH - 2):
            deep = part("sequence", deep)
        offered = labels(net(deep))
        assert "Remove branch 2" in offered
        assert "Add 1 × 1 convolutions that bring the branches to one shape" not in offered


class TestThatTheyHelp:
    def test_after_each_repair_torch_runs_the_part_that_was_in_trouble(self):
        rng, tried, offered = random.Random(7), 0, Counter()
        while tried < 150:
            spec = draw_spec(rng)
            trouble = planned(spec).trouble
            if trouble is None:
                continue
            tried += 1
            found = repairs(spec)
            assert 1 <= len(found) <= MOST
            assert len({repair.after for repair in found}) == len(found)
            assert len({repair.label for repair in found}) == len(found)
            behind = len(spec.parts) - 1 - trouble.path[0]
            for repair in found:
                offered[repair.label.split()[0]] += 1
                now = planned(repair.after).trouble
                if repair.label.startswith(
                    ("Make", "Padding", "Kernel", "Stride", "Dilation", "Output", "An ", "Not")
                ):
                    assert now is None or (now.path, now.rounds) != (trouble.path, trouble.rounds)
                if len(trouble.path) > 1:
                    continue
                # the parts behind it are as they were: counted from the end it stands where it stood
                until = repair.after.parts[: len(repair.after.parts) - behind]
                with torch.device("meta"):
                    torch_run(
                        NetworkSpec("Until", repair.after.input_shape, until),
                        torch.zeros(1, *repair.after.input_shape),
                    )
        assert min(offered[word] for word in ("Add", "Remove", "Make", "Padding", "Kernel", "An")) >= 3, (
            offered
        )
