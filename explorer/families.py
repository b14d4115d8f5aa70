"""torchvision's classification networks: how people call them, whose idea they are, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Networks of one idea.

    Attributes:
        name: of the family: "ResNet".
        year: when the idea was first shown.
        paper: key of `references.PAPERS`.
        members: from torchvision's name of a builder to ours for reading, the smallest first.
        note: what a reader of the paper should know about these implementations.
    """

    name: str
    year: int
    paper: str
    members: Mapping[str, str]
    note: str = ""


FAMILIES = (
    Family(
        "AlexNet",
        2012,
        "krizhevsky2012",
        {"alexnet": "AlexNet"},
        "The version of 2014, in one tower and without local response normalisation.",
    ),
    Family(
        "VGG",
        2014,
        "simonyan2015",
        {
            "vgg11": "VGG-11",
            "vgg11_bn": "VGG-11 BN",
            "vgg13": "VGG-13",
            "vgg13_bn": "VGG-13 BN",
            "vgg16": "VGG-16",
            "vgg16_bn": "VGG-16 BN",
            "vgg19": "VGG-19",
            "vgg19_bn": "VGG-19 BN",
        },
    ),
    Family(
        "GoogLeNet",
        2014,
        "szegedy2015",
        {"googlenet": "GoogLeNet"},
        "The branch that the paper draws as 5×5 has a 3×3 kernel in these weights.",
    ),
    Family("Inception", 2015, "szegedy2016", {"inception_v3": "Inception v3"}),
    Family(
        "ResNet",
        2015,
        "he2016",
        {
            "resnet18": "ResNet-18",
            "resnet34": "ResNet-34",
            "resnet50": "ResNet-50",
            "resnet101": "ResNet-101",
            "resnet152": "ResNet-152",
        },
        "From 50 layers on the 3×3 kernel of a bottleneck has the stride, not the first 1×1 (“v1.5”).",
    ),
    Family(
        "SqueezeNet",
        2016,
        "iandola2016",
        {"squeezenet1_0": "SqueezeNet 1.0", "squeezenet1_1": "SqueezeNet 1.1"},
    ),
    Family(
        "Wide ResNet",
        2016,
        "zagoruyko2016",
        {"wide_resnet50_2": "Wide ResNet-50-2", "wide_resnet101_2": "Wide ResNet-101-2"},
    ),
    Family(
        "DenseNet",
        2016,
        "huang2017",
        {
            "densenet121": "DenseNet-121",
            "densenet169": "DenseNet-169",
            "densenet201": "DenseNet-201",
            "densenet161": "DenseNet-161",
        },
    ),
    Family(
        "ResNeXt",
        2016,
        "xie2017",
        {
            "resnext50_32x4d": "ResNeXt-50 32×4d",
            "resnext101_32x8d": "ResNeXt-101 32×8d",
            "resnext101_64x4d": "ResNeXt-101 64×4d",
        },
    ),
    Family("MobileNetV2", 2018, "sandler2018", {"mobilenet_v2": "MobileNetV2"}),
    Family(
        "ShuffleNet V2",
        2018,
        "ma2018",
        {
            "shufflenet_v2_x0_5": "ShuffleNet V2 ×0.5",
            "shufflenet_v2_x1_0": "ShuffleNet V2 ×1.0",
            "shufflenet_v2_x1_5": "ShuffleNet V2 ×1.5",
            "shufflenet_v2_x2_0": "ShuffleNet V2 ×2.0",
        },
    ),
    Family(
        "MnasNet",
        2018,
        "tanchen2019",
        {
            "mnasnet0_5": "MnasNet 0.5",
            "mnasnet0_75": "MnasNet 0.75",
            "mnasnet1_0": "MnasNet 1.0",
            "mnasnet1_3": "MnasNet 1.3",
        },
    ),
    Family(
        "MobileNetV3",
        2019,
        "howard2019",
        {"mobilenet_v3_small": "MobileNetV3 small", "mobilenet_v3_large": "MobileNetV3 large"},
    ),
    Family("EfficientNet", 2019, "tan2019", {f"efficientnet_b{n}": f"EfficientNet-B{n}" for n in range(8)}),
    Family(
        "RegNet",
        2020,
        "radosavovic2020",
        {
            f"regnet_{kind}_{size}": f"RegNet{kind.upper()}-{label}"
            for kind in "xy"
            for size, label in (
                ("400mf", "400MF"),
                ("800mf", "800MF"),
                ("1_6gf", "1.6GF"),
                ("3_2gf", "3.2GF"),
                ("8gf", "8GF"),
                ("16gf", "16GF"),
                ("32gf", "32GF"),
                ("128gf", "128GF"),
            )
            if (kind, size) != ("x", "128gf")
        },
    ),
    Family(
        "ViT",
        2020,
        "dosovitskiy2021",
        {
            "vit_b_32": "ViT-B/32",
            "vit_b_16": "ViT-B/16",
            "vit_l_32": "ViT-L/32",
            "vit_l_16": "ViT-L/16",
            "vit_h_14": "ViT-H/14",
        },
    ),
    Family("Swin", 2021, "liu2021", {"swin_t": "Swin-T", "swin_s": "Swin-S", "swin_b": "Swin-B"}),
    Family(
        "EfficientNetV2",
        2021,
        "tan2021",
        {
            "efficientnet_v2_s": "EfficientNetV2-S",
            "efficientnet_v2_m": "EfficientNetV2-M",
            "efficientnet_v2_l": "EfficientNetV2-L",
        },
    ),
    Family(
        "Swin V2",
        2021,
        "liuhu2022",
        {"swin_v2_t": "Swin V2-T", "swin_v2_s": "Swin V2-S", "swin_v2_b": "Swin V2-B"},
    ),
    Family(
        "ConvNeXt",
        2022,
        "liu2022",
        {
            "convnext_tiny": "ConvNeXt-Tiny",
            "convnext_small": "ConvNeXt-Small",
            "convnext_base": "ConvNeXt-Base",
            "convnext_large": "ConvNeXt-Large",
        },
    ),
    Family("MaxViT", 2022, "tu2022", {"maxvit_t": "MaxViT-T"}),
)
