"""Where attention's heads look: held to attention written out by hand, and to torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from explorer.activations import Probe
from explorer.errors import LayerError
from explorer.figures.sights import Sight
from explorer.figures.signed import signed_picture
from explorer.figures.tokens import gaze_picture, pair_picture
from explorer.heads import attended, gaze
from explorer.images import Photo, sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput, card
from explorer.receptive_field import ReceptiveField
from explorer.recording import Recorder
from explorer.tray import search, strongest
from explorer.unit_facts import Peaks
from tests.test_unit_facts import plain_peaks


class Looking(nn.Module):
    """Tokens of 4 × 4 pixels, with a class token or without, that look at each other twice by the same weights."""

    def __init__(self, class_token: bool):
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, 4)
        self.start = nn.Parameter(torch.randn(1, 1, 12)) if class_token else None
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.between = nn.LayerNorm(12)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        if self.start is not None:
            x = torch.cat([self.start.expand(len(x), -1, -1), x], 1)
        for _ in range(2):
            x = self.between(x + self.attention(x, x, x, need_weights=False)[0])
        scores: torch.Tensor = self.head(x.mean(1))
        return scores


def by_hand(network: Looking, x: torch.Tensor) -> list[list[torch.Tensor]]:
    """For each run and head the attention of every token (row) to every token (column): softmax(q·k / √d)."""
    tokens = network.patches(x)[0].reshape(12, -1).T
    if network.start is not None:
        tokens = torch.cat([network.start[0], tokens])
    weights, biases = network.attention.in_proj_weight, network.attention.in_proj_bias
    runs = []
    for _ in range(2):
        heads, made = [], []
        for head in range(3):
            q, k, v = (
                tokens @ weights[first : first + 4].T + biases[first : first + 4]
                for first in (4 * head, 12 + 4 * head, 24 + 4 * head)
            )
            scores = torch.exp(torch.einsum("ic,jc->ij", q, k) / 2)
            heads.append(scores / scores.sum(1, keepdim=True))
            made.append(heads[-1] @ v)
        tokens = network.between(tokens + network.attention.out_proj(torch.cat(made, 1)))
        runs.append(heads)
    return runs


@pytest.mark.parametrize("class_token", [True, False])
def test_where_heads_look_most_is_what_queries_and_keys_say(class_token: bool):
    torch.manual_seed(4)
    network = Looking(class_token).eval()
    with torch.no_grad():
        network.attention.in_proj_weight.mul_(4)
        network.attention.in_proj_bias.normal_()
    x = torch.randn(1, 3, 24, 20)[:, :, :20]
    probe = Probe(Recorder(network, 20), 20)
    with torch.no_grad():
        expected = by_hand(network, x)
    for call, key in enumerate(("attention@heads", "attention@heads~2")):
        found = attended(probe, x, key)
        for head in range(3):
            matrix = expected[call][head]
            to_patches = matrix[0, 1:] if class_token else matrix.mean(0)
            peaks = plain_peaks(to_patches.reshape(5, 5).numpy())
            assert [cell for _, cell in found.of(head)] == [cell for _, cell in peaks]
            assert [v for v, _ in found.of(head)] == pytest.approx([v for v, _ in peaks], rel=1e-5)
            pairs = found.pairs(head)
            assert len(pairs) == len(peaks)
            for pair, (_, (row, column)) in zip(pairs, peaks, strict=True):
                if class_token:
                    assert pair is None
                    continue
                assert pair is not None
                (down, across), share = pair
                looking = matrix[:, 5 * row + column]
                assert 5 * down + across == int(looking.argmax())
                assert share == pytest.approx(float(looking.max()), rel=1e-5)


def test_what_heads_look_at_leaves_the_network_as_it_was():
    network = Looking(class_token=False).eval()
    probe = Probe(Recorder(network, 20), 20)
    x = torch.randn(1, 3, 20, 20)
    before = probe.logits(x)
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()]
    attended(probe, x, "attention@heads")
    assert hooks == [
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()
    ]
    assert torch.equal(probe.logits(x), before)
    with pytest.raises(LayerError, match="between is no attention: it has maps"):
        attended(probe, x, "between")


def test_the_strongest_of_a_tray_for_a_head_carry_the_token_that_looks():
    torch.manual_seed(1)
    network = Looking(class_token=False).eval()
    probe = Probe(Recorder(network, 20), 20)
    wide = NetworkInput(card(DEFAULT_MODEL), sample_photo("cat")).tensor()

    class Fed:
        def __init__(self, name: str, x: torch.Tensor):
            self.photo, self._x = Photo(name, np.full((1, 1, 3), len(name), np.uint8)), x

        def tensor(self) -> torch.Tensor:
            return self._x

    fed = [Fed("left", wide[:, :, :20, :20]), Fed("middle", wide[:, :, 100:120, 100:120])]
    found = list(search(probe, "attention@heads", fed))[-1]  # type: ignore[arg-type]
    spots = strongest(found, 1, 5)
    assert [spot.value for spot in spots] == sorted((spot.value for spot in spots), reverse=True)
    for spot in spots:
        one = next(each for each in fed if each.photo.digest == spot.digest)
        with torch.no_grad():
            matrix = by_hand(network, one.tensor())[0][1]
        key = 5 * spot.cell[0] + spot.cell[1]
        assert spot.value == pytest.approx(float(matrix.mean(0)[key]), rel=1e-5)
        assert spot.query is not None
        (down, across), share = spot.query
        assert share == pytest.approx(float(matrix[5 * down + across, key]), rel=1e-5)
        assert share == pytest.approx(float(matrix[:, key].max()), rel=1e-5)


def test_a_pair_is_drawn_with_both_tokens_pixels_and_their_places():
    picture = np.random.default_rng(3).integers(0, 255, (62, 62, 3)).astype(np.uint8)
    query, key = (Sight(box, box) for box in (((0, 30), (31, 61)), ((31, 61), (0, 30))))
    drawn = pair_picture(picture, query, key, side=256)
    assert np.array_equal(drawn[:124:4, :124:4, :3], picture[:31, 31:])
    assert np.array_equal(drawn[:124:4, 132::4, :3], picture[31:, :31])
    assert (drawn[:124, :124, 3] == 255).all()
    assert (drawn[:, 124:132, 3][:124] == 0).all()
    # below, in the middle, the picture twice as large: the key's frame begins above its first row, 62 pixels down
    assert drawn[132 + 62 - 1, 66 + 30].tolist() == [11, 110, 153, 255]
    assert {tuple(pixel) for pixel in drawn[132 : 132 + 56, 66 + 62 - 2].tolist()} == {
        (0, 0, 0, 255),
        (255, 255, 255, 255),
    }


def test_peaks_whose_tokens_stand_elsewhere_are_refused():
    values, cells = np.ones((2, 3), np.float32), np.zeros((2, 3, 2), np.int32)
    with pytest.raises(LayerError, match=r"\(2, 2, 2\) tokens do not look at \(2, 3, 2\) places"):
        Peaks(values, cells, cells[:, :2], values)
    with pytest.raises(LayerError, match="do not look"):
        Peaks(values, cells, cells)


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("token", [(0, 0), (2, 4), (4, 3)])
def test_what_a_token_looks_at_is_its_row_of_torchs_own_weights(class_token: bool, token: tuple[int, int]):
    torch.manual_seed(8)
    network = Looking(class_token).eval()
    with torch.no_grad():
        network.attention.in_proj_weight.mul_(4)
    x = torch.randn(1, 3, 20, 20)
    given: list[torch.Tensor] = []
    network.attention.register_forward_hook(lambda module, args, output: given.append(args[0].clone()))
    with torch.no_grad():
        network(x)
    probe = Probe(Recorder(network, 20), 20)
    for tokens, key in zip(given[:2], ("attention@heads", "attention@heads~2"), strict=True):
        with torch.no_grad():
            _, rows = network.attention(tokens, tokens, tokens, average_attn_weights=False)
        row = rows[0, :, int(class_token) + 5 * token[0] + token[1]].numpy()
        found = gaze(probe, x, key, token)
        assert found.shares.shape == (3, 5, 5)
        np.testing.assert_allclose(found.shares.reshape(3, 25), row[:, -25:], rtol=2e-5)
        if class_token:
            assert found.aside is not None
            np.testing.assert_allclose(found.aside, row[:, 0], rtol=2e-5)
        else:
            assert found.aside is None


def test_only_tokens_that_are_there_can_look():
    probe = Probe(Recorder(Looking(class_token=True).eval(), 20), 20)
    x = torch.randn(1, 3, 20, 20)
    for token in ((5, 0), (0, -1)):
        with pytest.raises(LayerError, match=r"has no token .*: they stand in 5 × 5 cells"):
            gaze(probe, x, "attention@heads", token)
    with pytest.raises(LayerError, match="between is no attention"):
        gaze(probe, x, "between", (0, 0))


def grey(picture: np.ndarray) -> np.ndarray:
    """As Pillow turns colours to grey, (H, W, 3)."""
    return np.repeat(np.asarray(Image.fromarray(picture).convert("L"))[..., None], 3, 2).astype(int)


def test_a_gaze_is_red_where_it_goes_and_leaves_the_rest_grey():
    picture = np.random.default_rng(2).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    shares = np.zeros((4, 4))
    shares[1, 2], shares[3, 0] = 0.6, 0.3
    drawn = gaze_picture(picture, shares, ReceptiveField((10, 10), (10, 10)), None)
    untouched = np.ones((40, 40), bool)
    for (row, column), strength in (((1, 2), 1.0), ((3, 0), 0.5)):
        part = np.s_[10 * row : 10 * row + 10, 10 * column : 10 * column + 10]
        red = signed_picture(np.array([[strength]]), 1)[0, 0]
        expected = (1 - 0.8 * strength) * grey(picture)[part] + 0.8 * strength * red
        assert np.abs(drawn[part] - expected).max() <= 2  # the greys' rounding, and that of the share
        untouched[part] = False
    assert np.abs(drawn[untouched] - grey(picture)[untouched]).max() <= 1
    assert np.array_equal(gaze_picture(picture, shares, None, None), drawn)  # tokens that tile the picture


def test_a_red_thing_in_the_picture_is_no_attention():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[5:25, 5:25] = (220, 10, 20)
    shares = np.zeros((4, 4))
    shares[3, 3] = 1
    drawn = gaze_picture(picture, shares, None, None).astype(int)
    coloured = np.ptp(drawn, axis=-1) > 0
    assert coloured[30:, 30:].all()
    assert coloured.sum() == 100


def test_cells_of_overlapping_tokens_lie_in_the_middle_of_what_they_see():
    picture = np.full((16, 16, 3), 255, np.uint8)
    shares = np.array([[0.0, 1.0], [0.0, 0.0]])
    drawn = gaze_picture(picture, shares, ReceptiveField((12, 12), (8, 8), (-2, -2)), None)
    painted = (drawn != 255).any(-1)
    assert painted[:8, 8:].all()
    assert painted.sum() == 64


def test_the_token_that_looks_is_framed_in_dashes():
    picture = np.full((64, 64, 3), 90, np.uint8)
    drawn = gaze_picture(picture, np.zeros((4, 4)), None, ((16, 31), (32, 47)))
    changed = np.argwhere((drawn != picture).any(-1))
    assert changed.min(0).tolist() == [14, 30]
    assert changed.max(0).tolist() == [33, 49]
    assert {tuple(pixel) for pixel in drawn[14:16, 30:50].reshape(-1, 3).tolist()} == {
        (0, 0, 0),
        (255, 255, 255),
    }
