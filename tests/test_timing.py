"""Times of real forwards: with clocks of our own, cancelled, and refused where they would take too much."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from explorer.background import Background
from explorer.desk import desk
from explorer.errors import Cancelled, ModelError
from explorer.figures.memory_charts import time_chart
from explorer.networks.classics import classic
from explorer.networks.source import Source, load
from explorer.timing import (
    REST,
    LayerTime,
    Progress,
    Speed,
    Timing,
    fit,
    measure,
    with_weights,
)

NOW = [0.0]
"""What the clock of these tests says."""


def clock() -> float:
    return NOW[0]


class Slow(nn.Module):
    """Takes so many seconds of that clock for each picture."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_meta:
            NOW[0] += self.seconds * len(x)
        return x + 1


def net() -> nn.Sequential:
    return nn.Sequential(Slow(0.75), nn.Sequential(Slow(0.125), Slow(0.375)))


def last(steps: Iterator[Progress | Timing]) -> Timing:
    *_, found = steps
    assert isinstance(found, Timing)
    return found


def test_times_are_the_clocks() -> None:
    found = last(measure(net(), (2,), batches=(1, 2), passes=3, clock=clock))
    assert [(speed.batch, speed.seconds) for speed in found.speeds] == [(1, (1.25,) * 3), (2, (2.5,) * 3)]
    assert [speed.pictures_per_second for speed in found.speeds] == [0.8, 0.8]
    times = [(layer.path, layer.kind, layer.seconds) for layer in found.layers]
    assert times == [("0", "Slow", 0.75), ("1.0", "Slow", 0.125), ("1.1", "Slow", 0.375), (REST, "", 0.0)]


def test_a_layer_that_runs_twice_takes_both_and_the_rest_is_between() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = Slow(1.0)

        def forward(self, x: Tensor) -> Tensor:
            NOW[0] += 0.25
            return self.inside(self.inside(x))

    found = last(measure(Twice(), (2,), batches=(1,), passes=2, clock=clock))
    assert [(layer.path, layer.seconds) for layer in found.layers] == [("inside", 2.0), (REST, 0.25)]


def test_median_and_spread() -> None:
    speed = Speed(16, (0.5, 0.1, 0.2, 9.0, 0.2))
    assert (speed.median, speed.spread, speed.pictures_per_second) == (0.2, (0.1, 9.0), 80)


def test_slow_networks_are_timed_fewer_times() -> None:
    found = last(measure(Slow(5.0), (2,), batches=(1,), passes=7, clock=clock))
    assert len(found.speeds[0].seconds) == 3


def test_progress_goes_up_to_the_end() -> None:
    steps = list(measure(nn.Linear(2, 2), (2,), batches=(1, 2), passes=2))
    assert [step.done for step in steps if isinstance(step, Progress)] == list(range(10))
    assert {step.of for step in steps if isinstance(step, Progress)} == {9}


def test_the_slowest_come_first_and_the_rest_together() -> None:
    layers = tuple(LayerTime(str(place), "Conv2d", float(place)) for place in range(20))
    found = Timing((Speed(1, (1.0,)),), layers, "a machine").slowest(12)
    assert [layer.path for layer in found] == [*map(str, range(19, 7, -1)), "8 others"]
    assert found[-1].seconds == sum(range(8))
    assert list(time_chart(found, dark=True).data[0].x) == [1000 * layer.seconds for layer in found]


# Real networks ---------------------------------------------------------------------------------------

CODE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.dense = nn.LazyLinear(10)
        self.register_buffer("scale", torch.arange(8.0).view(1, 8, 1, 1))
    def forward(self, x):
        x = self.conv(x) * self.scale + torch.arange(x.shape[-1])
        return self.dense(x.flatten(1))
"""


def test_code_that_makes_tensors_runs() -> None:
    network = load(Source("code", CODE), (3, 8, 8))
    found = last(measure(network.module, network.input_shape, passes=2))
    assert [layer.path for layer in found.layers] == ["conv", "dense", REST]
    assert all(seconds > 0 for speed in found.speeds for seconds in speed.seconds)


@pytest.mark.parametrize("key", ["lenet5-1998", "mobilenet_v3_small", "swin_t", "shufflenet_v2_x0_5"])
def test_classics_run_with_weights_of_their_own(key: str) -> None:
    known = classic(key)
    module = known.build()
    network = with_weights(module, torch.device("cpu")).eval()
    with torch.no_grad():
        result = network(torch.randn(1, *known.input_shape))
    assert torch.isfinite(result).all()
    assert result.std() > 1e-3  # of equal numbers it may be 1e-6
    assert all(each.is_meta for each in module.parameters())
    assert [each.shape for each in network.parameters()] == [each.shape for each in module.parameters()]


def test_nothing_is_left_on_the_network() -> None:
    module = net()
    last(measure(module, (2,), batches=(1,), passes=1, clock=clock))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


# Refused ---------------------------------------------------------------------------------------------


def test_a_network_of_921_billion_weights_is_refused() -> None:
    with torch.device("meta"):
        module = nn.Linear(960_000, 960_000)
    with pytest.raises(ModelError, match=r"922 G parameters take 3\.69 TB"):
        next(measure(module, (960_000,)))


def test_batches_that_do_not_fit_are_left_out() -> None:
    module = nn.Linear(1000, 1000)  # 4,004,000 bytes, and 8,000 for each picture
    need = 4_004_000 + 8_000
    assert fit(module, (1000,), (1, 16), need) == (
        (1,),
        "A batch of 16 is left out: it needs 4.13 MB of memory.",
    )
    assert fit(module, (1000,), (1, 16), 4_004_000 + 16 * 8_000) == ((1, 16), "")
    with pytest.raises(ModelError, match="too large"):
        fit(module, (1000,), (1, 16), need - 1)


def test_work_that_cannot_be_stopped_is_refused() -> None:
    module = nn.Linear(1000, 1000)
    assert fit(module, (1000,), (1, 16), 10**9, work=10**6)[0] == (1,)
    with pytest.raises(ModelError, match="too slow"):
        fit(module, (1000,), (1,), 10**9, work=10**6 - 1)


def test_tensors_that_are_no_buffers_count() -> None:
    module = nn.Identity()
    module.table = torch.empty(10**6, device="meta")
    with pytest.raises(ModelError, match="too large"):
        fit(module, (4,), (1,), 4 * 10**6)


def test_a_network_that_does_not_run_says_why() -> None:
    with pytest.raises(ModelError, match="expects 4 numbers, but 5 arrive"):
        next(measure(nn.Linear(4, 4), (5,)))

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Any:
            if not x.is_meta:
                raise RuntimeError("no kernel\nfor this")
            return x

    with pytest.raises(ModelError, match=r"not with numbers: no kernel$"):
        last(measure(Broken(), (5,)))


@pytest.mark.parametrize("make", [lambda: Progress(3, 2, ""), lambda: Speed(1, ()), lambda: Speed(0, (1.0,))])
def test_nonsense_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="forwards"):
        make()


# At the desk -----------------------------------------------------------------------------------------


def endless(closed: threading.Event) -> Iterator[Progress | Timing]:
    try:
        while True:
            time.sleep(0.005)
            yield Progress(1, 2, "on and on")
    finally:
        closed.set()


def ended(job: Background[Progress | Timing]) -> Background[Progress | Timing]:
    job.wait(20)
    assert not job.running
    return job


def test_a_measurement_goes_on_by_itself() -> None:
    job = ended(Background(measure(nn.Linear(2, 2), (2,), passes=2), "somebody", "measurement"))
    assert job.error is None
    assert isinstance(job.latest, Timing)
    assert (
        job.steps == 1 + 3 * 3 + 1
    )  # the weights, two batches and the layers with 1 + 2 forwards, the result


def test_cancelled_it_ends_and_its_job_is_closed() -> None:
    closed = threading.Event()
    job = Background(endless(closed), "somebody", "measurement")
    time.sleep(0.05)
    assert job.running
    assert desk().run(lambda: "short jobs go between") == "short jobs go between"
    job.cancel()
    assert str(ended(job).error) == "The measurement was cancelled."
    assert isinstance(job.error, Cancelled)
    assert closed.wait(5)


def test_what_is_refused_is_the_jobs_error() -> None:
    job = ended(Background(measure(nn.Linear(4, 4), (5,)), "somebody", "measurement"))
    assert "expects 4 numbers, but 5 arrive" in str(job.error)
    assert job.latest is None


def test_weights_are_let_go_afterwards() -> None:
    def alive() -> int:
        return sum(type(each) is nn.Parameter and each.shape == (123, 77) for each in gc.get_objects())

    module = nn.Linear(77, 123)
    before = alive()
    last(measure(module, (77,), passes=1))
    gc.collect()
    assert alive() == before == 1
