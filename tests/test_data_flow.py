"""What is recorded of a forward, and where its numbers came from: held to torch's own numbers."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.activations import Probe
from explorer.data_flow import DataFlow, Node, rearranged
from explorer.errors import LayerError, ModelError
from explorer.recording import Recorder
from explorer.unit_sources import PICTURE
from tests.zoo import embedded, pictures, seeded


class Rearranging(nn.Module):
    """Does something to eight maps, and classifies what comes out by its mean."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.conv = nn.Conv2d(3, 8, 3)
        self.change = change
        self.made = nn.Identity()
        self.token = nn.Parameter(torch.randn(1, 2, 6, 6))
        self.scores = nn.Linear(1, 5)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.scores(self.made(self.change(self.conv(x))).mean((1, 2, 3))[:, None])
        return scores


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "view": lambda x: x.reshape(1, 2, 4 * 6, 6),
    "permute": lambda x: x.permute(0, 3, 1, 2),
    "transpose": lambda x: x.transpose(1, 3),
    "slice": lambda x: x[:, 1::3, 2:, :-1],
    "select": lambda x: x[:, 3][:, None],
    "squeeze": lambda x: x[:, 3:4].squeeze(1).unsqueeze(1),
    "expand": lambda x: x[:, 3:4].expand(-1, 5, -1, -1),
    "split": lambda x: x.split([3, 5], 1)[1],
    "unbind": lambda x: x.unbind(1)[2][:, None],
    "roll": lambda x: x.roll((1, 2), (1, 3)),
    "flip": lambda x: x.flip(2),
    "pixel shuffle": lambda x: F.pixel_shuffle(x, 2),
    "channel shuffle": lambda x: F.channel_shuffle(x, 4),
    "pad": lambda x: F.pad(x, (1, 2, 3, 0, 1, 1)),
    "crop": lambda x: F.pad(x, (-1, 0, 0, -2)),
    "cat": lambda x: torch.cat([x[:, 5:], x, x[:, :1]], 1),
    "stack": lambda x: torch.stack([x[:, :3], x[:, 3:6]], 2).flatten(1, 2),
}


def back(node: Node) -> dict[int, tuple[Node, int]]:
    """For each element of a tensor where it was before all rearrangements: found number by number."""
    found: dict[int, tuple[Node, int]] = {}
    for number in range(node.positions.numel()):
        at, place = node, torch.tensor([number])
        while at.rearranges:
            inside = [(parent, before) for parent, before in rearranged(at, place) if int(before) >= 0]
            assert len(inside) <= 1
            if not inside:
                break
            ((at, place),) = inside
        else:
            found[number] = at, int(place)
    return found


@pytest.mark.parametrize("name", CHANGES)
def test_numbers_are_found_where_they_were(name: str):
    network = Rearranging(CHANGES[name])
    probe = Probe(Recorder(network, 8), 8)
    flow = DataFlow(probe)
    x = pictures(1, 8)
    with torch.no_grad():
        before = network.conv(x)
        after = network.change(before).reshape(-1)
    found = back(flow.made["made"])
    values = before.reshape(-1)
    assert {node for node, _ in found.values()} == {flow.made["conv"]}
    for number, value in enumerate(after.tolist()):
        if number in found:
            assert value == values[found[number][1]]
        else:
            assert name == "pad"
            assert value == 0


def test_what_came_from_weights_is_nobodys():
    network = Rearranging(lambda x: torch.cat([network.token, x], 1))
    probe = Probe(Recorder(network, 8), 8)
    node = DataFlow(probe).made["made"]
    ((_, before),) = rearranged(node, node.positions)
    assert (before[:, :2] == -1).all()
    assert before[:, 2:].reshape(-1).tolist() == list(range(8 * 36))


def test_layers_have_their_operations_weights_and_names():
    probe = Probe(Recorder(seeded("resnet18")))
    flow = DataFlow(probe)
    conv, norm, whole = (flow.made[key] for key in ("layer2.0.conv1", "layer2.0.bn1", "layer2.0"))
    assert (conv.name, norm.name, whole.name) == ("convolution", "native_batch_norm", "relu")
    assert norm.parents == [conv]
    assert [flow.bank(node) for node in (conv, norm)] == ["layer2.0.conv1", ""]
    # a sum and its ReLU belong to the block; what it is read by is the tensor after them
    assert flow.key(whole) == "layer2.0.relu~2"
    assert flow.made["layer2.1.conv1"].parents == [whole]
    assert flow.key(flow.picture) == PICTURE
    products = flow.made["fc"].products
    network = probe.recorder.network
    assert products is not None
    assert products.weight is network.fc.weight
    assert products.bias is network.fc.bias
    assert flow.owner(products.weight) == "fc"
    assert [flow.weight_name(each) for each in (network.bn1.running_mean, network.conv1.weight)] == [
        "bn1.running_mean",
        "conv1.weight",
    ]
    assert flow.owner(torch.zeros(3)) == ""


def test_what_does_not_depend_on_the_picture_is_known_as_such():
    """Swin's tables of relative positions are computed anew in each forward, from weights alone."""
    probe = Probe(Recorder(seeded("swin_t")))
    flow = DataFlow(probe)
    assert all(flow.made[layer.key].from_picture for layer in probe.layers if layer.layout != "heads")
    apart = [node for node in flow.nodes if not node.from_picture]
    assert {"index", "t"} <= {node.name for node in apart}


def test_numbers_are_those_of_plain_hooks_and_taken_before_they_are_overwritten():
    network = embedded()
    probe = Probe(Recorder(network))
    flow, x, kept = DataFlow(probe), pictures(1), list[Tensor]()
    hook = network.get_submodule(
        "blocks.1.0.bn1.drop"
    ).register_forward_hook(  # the next layer works in place
        lambda module, args, output: kept.append(output.clone())
    )
    with torch.no_grad():
        network(x)
    hook.remove()
    node = flow.made["blocks.1.0.bn1.drop"]
    wanted = {"map": (node, (0, 3)), "cell": (node, (0, 1, 2, 3)), "picture": (flow.picture, (0, 2, 5))}
    found = flow.numbers(x, "blocks.1.0", wanted)
    assert torch.equal(found["map"], kept[0][0, 3])
    assert found["cell"] == kept[0][0, 1, 2, 3]
    assert torch.equal(found["picture"], x[0, 2, 5])


def test_a_forward_that_runs_otherwise_is_refused():
    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.scores = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            made = self.conv(x.abs() if x.any() else x.relu())
            scores: Tensor = self.scores(made.mean((2, 3)))
            return scores

    probe = Probe(Recorder(Moody(), 8), 8)
    flow = DataFlow(probe)
    node = flow.made["conv"].parents[0]
    with pytest.raises(LayerError, match="conv ran differently for this picture"):
        flow.numbers(pictures(1, 8), "conv", {"read": (node, (...,))})


def test_a_flow_lets_its_probe_and_its_tensors_go():
    probe = Probe(Recorder(seeded("squeezenet1_1")))
    flow = DataFlow(probe)
    weights = {id(each) for each in [*probe.recorder.network.parameters(), *probe.recorder.network.buffers()]}
    held = {id(each) for node in flow.nodes for each in node.operands if isinstance(each, Tensor)}
    assert held <= weights
    del probe
    gc.collect()
    with pytest.raises(ModelError, match="let go"):
        _ = flow.probe
