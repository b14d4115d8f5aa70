"""Network in Network, GoogLeNet and Inception v3: small networks in the place of single layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from explorer.networks.classics.entry import Classic, SpecOf
from explorer.networks.spec import NetworkSpec, Part, part

NIN_IDEA: Final = (
    "1 × 1 convolutions work at every pixel, and means of whole maps take the place of dense layers."
)
IDEA: Final = "Several kernel sizes side by side, made cheap by 1 × 1 convolutions in front of them."

# 1 × 1 | before 3 × 3, 3 × 3 | before 5 × 5, 5 × 5 | after the pooling: table 1 of the paper
_WIDTHS: Final = MappingProxyType(
    {
        "3a": (64, 96, 128, 16, 32, 32),
        "3b": (128, 128, 192, 32, 96, 64),
        "4a": (192, 96, 208, 16, 48, 64),
        "4b": (160, 112, 224, 24, 64, 64),
        "4c": (128, 128, 256, 24, 64, 64),
        "4d": (112, 144, 288, 32, 64, 64),
        "4e": (256, 160, 320, 32, 128, 128),
        "5a": (256, 160, 320, 32, 128, 128),
        "5b": (384, 192, 384, 48, 128, 128),
    }
)


def classics() -> Iterator[Classic]:
    """NiN twice, GoogLeNet as published and as a course types it; torchvision's two are in the zoo."""
    nin = partial(Classic, family="NiN", year=2013, paper="lin2014", idea=NIN_IDEA)
    yield nin(
        "nin-cifar10",
        "NiN, CIFAR-10",
        note="As its authors released it for CIFAR-10.",
        input_shape=(3, 32, 32),
        spec_of=_nin_cifar10,
    )
    yield nin(
        "nin-dsci",
        "NiN, DSCI",
        note="DSCI’s, after “Dive into Deep Learning”: AlexNet’s kernels, grey pictures, 10 classes.",
        input_shape=(1, 224, 224),
        spec_of=_nin_dsci,
    )
    google = partial(Classic, family="GoogLeNet", year=2014, paper="szegedy2015", idea=IDEA)
    yield google(
        "googlenet-2014",
        "GoogLeNet, as published",
        note="With local response normalisation, a true 5 × 5 and biases; without batch norm, which came a year "
        "later, and without the two auxiliary heads that training used.",
        input_shape=(3, 224, 224),
        spec_of=_googlenet_2014,
    )
    for key, title, side in (
        ("googlenet-dsci", "GoogLeNet, DSCI", 96),
        ("googlenet-dsci-224", "GoogLeNet, DSCI, 224 pixels", 224),
    ):
        yield google(
            key,
            title,
            note="DSCI’s, after “Dive into Deep Learning”: no normalisation, no auxiliary heads, grey pictures of "
            f"{side} × {side}, 10 classes.",
            input_shape=(1, side, side),
            spec_of=partial(_googlenet_dsci, title, side),
        )


# Network in Network ----------------------------------------------------------------------------------


def _nin_cifar10() -> NetworkSpec:
    def mlpconv(name: str, kernel_size: int, *widths: int) -> Part:
        layers: list[Part] = []
        for index, width in enumerate(widths):
            size = kernel_size if index == 0 else 1
            layers += [part("conv", out_channels=width, kernel_size=size, padding=size // 2), part("relu")]
        return part("sequence", *layers, name=name)

    parts = (
        mlpconv("block1", 5, 192, 160, 96),
        part("max_pool", kernel_size=3, ceil_mode=True),
        part("dropout"),
        mlpconv("block2", 5, 192, 192, 192),
        part("average_pool", kernel_size=3, ceil_mode=True),
        part("dropout"),
        mlpconv("block3", 3, 192, 192, 10),
        part("adaptive_average_pool", output_size=1),
        part("flatten"),
    )
    return NetworkSpec("NiN, CIFAR-10", (3, 32, 32), parts)


def _nin_dsci() -> NetworkSpec:
    pool = part("max_pool", kernel_size=3)
    parts = (
        part("nin_block", out_channels=96, kernel_size=11, stride=4),
        pool,
        part("nin_block", out_channels=256, kernel_size=5, padding=2),
        pool,
        part("nin_block", out_channels=384, padding=1),
        pool,
        part("dropout"),
        part("nin_block", out_channels=10, padding=1),
        part("adaptive_average_pool", output_size=1),
        part("flatten"),
    )
    return NetworkSpec("NiN, DSCI", (1, 224, 224), parts)


# GoogLeNet -------------------------------------------------------------------------------------------


def _inception(key: str, **settings: object) -> Part:
    one, three_reduce, three, five_reduce, five, pool = _WIDTHS[key]
    return part(
        "inception",
        name=f"inception{key}",
        one=one,
        three_reduce=three_reduce,
        three=three,
        five_reduce=five_reduce,
        five=five,
        pool=pool,
        **settings,
    )


def _conv(filters: int, kernel_size: int, stride: int = 1) -> tuple[Part, Part]:
    return (
        part("conv", out_channels=filters, kernel_size=kernel_size, stride=stride, padding=kernel_size // 2),
        part("relu"),
    )


def _googlenet_2014() -> NetworkSpec:
    # torch divides alpha by the size of the neighbourhood
    norm = part("local_response_norm", size=5, alpha=1e-4, beta=0.75, k=1.0)
    pool = part("max_pool", kernel_size=3, ceil_mode=True)
    parts = (
        part(
            "sequence", *_conv(64, 7, 2), pool, norm, *_conv(64, 1), *_conv(192, 3), norm, pool, name="stem"
        ),
        part("sequence", _inception("3a"), _inception("3b"), pool, name="stage3"),
        part("sequence", *(_inception(f"4{letter}") for letter in "abcde"), pool, name="stage4"),
        part("sequence", _inception("5a"), _inception("5b"), name="stage5"),
        part("adaptive_average_pool", output_size=1),
        part("flatten"),
        part("dropout", p=0.4),
        part("linear", name="classifier", out_features=1000),
    )
    return NetworkSpec("GoogLeNet, as published", (3, 224, 224), parts)


def _googlenet_dsci(title: str, side: int) -> NetworkSpec:
    pool = part("max_pool", kernel_size=3, padding=1)
    parts = (
        part("sequence", *_conv(64, 7, 2), pool, name="b1"),
        part("sequence", *_conv(64, 1), *_conv(192, 3), pool, name="b2"),
        part("sequence", _inception("3a"), _inception("3b"), pool, name="b3"),
        part("sequence", *(_inception(f"4{letter}") for letter in "abcde"), pool, name="b4"),
        part(
            "sequence",
            _inception("5a"),
            _inception("5b"),
            part("adaptive_average_pool", output_size=1),
            part("flatten"),
            name="b5",
        ),
        part("linear", name="classifier", out_features=10),
    )
    return NetworkSpec(title, (1, side, side), parts)


# As torchvision has it -------------------------------------------------------------------------------


def _torchvision(aux_logits: bool) -> NetworkSpec:
    def conv(name: str, filters: int, kernel_size: int, stride: int = 1) -> Part:
        return part(
            "sequence",
            part(
                "conv",
                out_channels=filters,
                kernel_size=kernel_size,
                stride=stride,
                padding=kernel_size // 2,
                bias=False,
            ),
            part("batch_norm", eps=1e-3),
            part("relu", inplace=True),
            name=name,
        )

    def pool(name: str, kernel_size: int = 3) -> Part:
        return part("max_pool", kernel_size=kernel_size, ceil_mode=True, name=name)

    def head(name: str) -> tuple[Part, ...]:
        return (part("auxiliary_head", name=name),) if aux_logits else ()

    inception = partial(_inception, five_kernel=3, batch_norm=True)
    parts = (
        conv("conv1", 64, 7, 2),
        pool("maxpool1"),
        conv("conv2", 64, 1),
        conv("conv3", 192, 3),
        pool("maxpool2"),
        inception("3a"),
        inception("3b"),
        pool("maxpool3"),
        inception("4a"),
        *head("aux1"),
        *(inception(f"4{letter}") for letter in "bcd"),
        *head("aux2"),
        inception("4e"),
        pool("maxpool4", 2),
        inception("5a"),
        inception("5b"),
        part("adaptive_average_pool", output_size=1, name="avgpool"),
        part("flatten"),
        part("dropout", p=0.2, name="dropout"),
        part("linear", out_features=1000, name="fc"),
    )
    return NetworkSpec(f"GoogLeNet{_HEADS * aux_logits}", (3, 224, 224), parts)


# Inception v3 ----------------------------------------------------------------------------------------

_HEADS: Final = ", with two auxiliary heads"
Window = int | tuple[int, int]


def _step(filters: int, kernel_size: Window = 1, stride: int = 1, same: bool = True) -> Part:
    """A convolution with norm and ReLU; `same`: padded so that with stride 1 the size stays."""
    sizes = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
    padding = tuple(size // 2 if same else 0 for size in sizes)
    return part(
        "sequence",
        part(
            "conv",
            out_channels=filters,
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            bias=False,
        ),
        part("batch_norm", eps=1e-3),
        part("relu", inplace=True),
    )


def _mixed(name: str, *branches: tuple[Part, ...]) -> Part:
    """Branches side by side."""
    inside = (each[0] if len(each) == 1 else part("sequence", *each) for each in branches)
    return part("branches", *inside, join="cat", name=name)


_AROUND: Final = part("average_pool", kernel_size=3, stride=1, padding=1)
_HALVING: Final = part("max_pool", kernel_size=3)


def _inception_a(name: str, pooled: int) -> Part:
    return _mixed(
        name,
        (_step(64),),
        (_step(48), _step(64, 5)),
        (_step(64), _step(96, 3), _step(96, 3)),
        (_AROUND, _step(pooled)),
    )


def _inception_c(name: str, inside: int) -> Part:
    return _mixed(
        name,
        (_step(192),),
        (_step(inside), _step(inside, (1, 7)), _step(192, (7, 1))),
        (
            _step(inside),
            _step(inside, (7, 1)),
            _step(inside, (1, 7)),
            _step(inside, (7, 1)),
            _step(192, (1, 7)),
        ),
        (_AROUND, _step(192)),
    )


def _inception_e(name: str) -> Part:
    across = part("branches", _step(384, (1, 3)), _step(384, (3, 1)), join="cat")
    return _mixed(
        name,
        (_step(320),),
        (_step(384), across),
        (_step(448), _step(384, 3), across),
        (_AROUND, _step(192)),
    )


def _inception_v3(aux_logits: bool) -> NetworkSpec:
    # table 1 of the paper, in torchvision's names
    stem = (
        _step(32, 3, 2, same=False),
        _step(32, 3, same=False),
        _step(64, 3),
        _HALVING,
        _step(80),
        _step(192, 3, same=False),
        _HALVING,
    )
    head = part("auxiliary_head", style="inception_v3", name="AuxLogits")
    parts = (
        part("sequence", *stem, name="stem"),
        *(_inception_a(f"Mixed_5{letter}", width) for letter, width in zip("bcd", (32, 64, 64), strict=True)),
        _mixed(
            "Mixed_6a",
            (_step(384, 3, 2, same=False),),
            (_step(64), _step(96, 3), _step(96, 3, 2, same=False)),
            (_HALVING,),
        ),
        *(
            _inception_c(f"Mixed_6{letter}", width)
            for letter, width in zip("bcde", (128, 160, 160, 192), strict=True)
        ),
        *((head,) if aux_logits else ()),
        _mixed(
            "Mixed_7a",
            (_step(192), _step(320, 3, 2, same=False)),
            (_step(192), _step(192, (1, 7)), _step(192, (7, 1)), _step(192, 3, 2, same=False)),
            (_HALVING,),
        ),
        _inception_e("Mixed_7b"),
        _inception_e("Mixed_7c"),
        part("adaptive_average_pool", output_size=1, name="avgpool"),
        part("dropout", name="dropout"),
        part("flatten"),
        part("linear", out_features=1000, name="fc"),
    )
    title = "Inception v3, with one auxiliary head" if aux_logits else "Inception v3"
    return NetworkSpec(title, (3, 299, 299), parts)


SPECS: Final[Mapping[str, SpecOf]] = MappingProxyType(
    {
        "googlenet-no-aux": partial(_torchvision, aux_logits=False),
        "googlenet": partial(_torchvision, aux_logits=True),
        "inception_v3-no-aux": partial(_inception_v3, aux_logits=False),
        "inception_v3": partial(_inception_v3, aux_logits=True),
    }
)
"""torchvision's networks of parts, by key."""
