"""Networks of attention: ViT, Swin and MaxViT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

from explorer.networks.classics.entry import SpecOf
from explorer.networks.spec import NetworkSpec, Part, part

# ViT -------------------------------------------------------------------------------------------------


def _vit(name: str, patch: int, layers: int, heads: int, width: int) -> NetworkSpec:
    norm = part("layer_norm", eps=1e-6, name="ln")
    blocks = (part("encoder_block", heads=heads) for _ in range(layers))
    parts = (
        part("conv", out_channels=width, kernel_size=patch, stride=patch, name="conv_proj"),
        part("tokens"),
        part("class_token"),
        part("positions"),
        part("dropout", p=0.0),
        part("sequence", *blocks, name="layers"),
        norm,
        part("token_pool"),
        part("linear", out_features=1000, name="head"),
    )
    return NetworkSpec(name, (3, 224, 224), parts)


# Swin ------------------------------------------------------------------------------------------------


def _swin(
    name: str, width: int, blocks: Sequence[int], heads: int, window: int, side: int, version: str = "1"
) -> NetworkSpec:
    stem = part("conv", out_channels=width, kernel_size=4, stride=4), part("layer_norm")
    features = [part("sequence", *stem)]
    for stage, count in enumerate(blocks):
        if stage:
            features.append(part("patch_merging", version=version))
        stage_blocks = (
            part(
                "swin_block",
                heads=heads * 2**stage,
                window=window,
                shifted=index % 2 == 1,
                version=version,
            )
            for index in range(count)
        )
        features.append(part("sequence", *stage_blocks))
    parts = (
        part("sequence", *features, name="features"),
        part("layer_norm", name="norm"),
        part("adaptive_average_pool", output_size=1, name="avgpool"),
        part("flatten"),
        part("linear", out_features=1000, name="head"),
    )
    return NetworkSpec(name, (3, side, side), parts)


# MaxViT ----------------------------------------------------------------------------------------------


def _maxvit(name: str, stem: int, widths: Sequence[int], blocks: Sequence[int]) -> NetworkSpec:
    def stage(width: int, count: int) -> Part:
        strides = (2 if index == 0 else 1 for index in range(count))
        return part("sequence", *(part("maxvit_block", out_channels=width, stride=each) for each in strides))

    first = (
        part("conv", out_channels=stem, stride=2, padding=1, bias=False),
        part("batch_norm", eps=1e-3),
        part("gelu"),
        part("conv", out_channels=stem, padding=1),
    )
    parts = (
        part("sequence", *first, name="stem"),
        part("sequence", *map(stage, widths, blocks), name="blocks"),
        part(
            "sequence",
            part("adaptive_average_pool", output_size=1),
            part("flatten"),
            part("layer_norm"),
            part("linear", out_features=widths[-1]),
            part("tanh"),
            part("linear", out_features=1000, bias=False),
            name="classifier",
        ),
    )
    return NetworkSpec(name, (3, 224, 224), parts)


# As torchvision has them -----------------------------------------------------------------------------

_SWIN: Final = (("T", 96, (2, 2, 6, 2), 3), ("S", 96, (2, 2, 18, 2), 3), ("B", 128, (2, 2, 18, 2), 4))

SPECS: Final[Mapping[str, SpecOf]] = MappingProxyType(
    {
        # table 1 of the paper: layers, heads, width
        **{
            f"vit_{size.lower()}_{patch}": partial(_vit, f"ViT-{size}/{patch}", patch, *settings)
            for size, patch, settings in (
                ("B", 32, (12, 12, 768)),
                ("B", 16, (12, 12, 768)),
                ("L", 32, (24, 16, 1024)),
                ("L", 16, (24, 16, 1024)),
                ("H", 14, (32, 16, 1280)),
            )
        },
        **{
            f"swin_{size.lower()}": partial(_swin, f"Swin-{size}", width, blocks, heads, 7, 224)
            for size, width, blocks, heads in _SWIN
        },
        **{
            f"swin_v2_{size.lower()}": partial(_swin, f"Swin V2-{size}", width, blocks, heads, 8, 256, "2")
            for size, width, blocks, heads in _SWIN
        },
        "maxvit_t": partial(_maxvit, "MaxViT-T", 64, (64, 128, 256, 512), (2, 2, 5, 2)),
    }
)
"""torchvision's networks of parts, by torchvision's names."""
