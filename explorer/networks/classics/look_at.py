"""What a lecturer would point at in the table of a classic.  Each number is counted again by the tests."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from explorer.networks.classics.sights import Sight

_PARAMETERS: Final = "share of parameters"
_MACS: Final = "share of macs"
_ACTIVATIONS: Final = "share of activations"


def _sight(sentence: str, measure: str, *paths: str) -> Sight:
    return Sight(sentence, measure, paths)


LOOK_AT: Final[Mapping[str, tuple[Sight, ...]]] = MappingProxyType(
    {
        "mlp": (
            _sight(
                "The first layer holds {99 %} of all parameters: from every pixel to every number.",
                _PARAMETERS,
                "hidden",
            ),
            _sight(
                "Flattened, a picture is {784} numbers in a row: nothing says which were neighbours.",
                "channels",
                "flatten1",
            ),
        ),
        "dense-480x640": (
            _sight(
                "One layer without any memory of edges or shapes: {921,601,000} parameters.",
                "parameters",
                "output",
            ),
            _sight(
                "Each weight is used once a picture: {921,600,000} MACs, as many as there are weights.",
                "macs",
                "output",
            ),
        ),
        "lenet5-1998": (
            _sight(
                "C5 holds {80 %} of all parameters: each of its maps reads the whole of all sixteen.",
                _PARAMETERS,
                "c5",
            ),
            _sight(
                "By its table C3 learns {1,516} numbers, fewer than if each of its maps read all six.",
                "parameters",
                "c3",
            ),
            _sight(
                "Subsampling learns a coefficient and a bias for each map: {12} numbers in S2.",
                "parameters",
                "s2",
            ),
        ),
        "lenet5": (
            _sight("C5, here a dense layer, holds {78 %} of all parameters.", _PARAMETERS, "c5"),
            _sight("The two convolutions make {86 %} of all MACs …", _MACS, "c1", "c3"),
            _sight(
                "… with {4.2 %} of the parameters: each weight is used at every place.",
                _PARAMETERS,
                "c1",
                "c3",
            ),
        ),
        "convnet": (
            _sight("The first dense layer holds {97 %} of all parameters.", _PARAMETERS, "hidden"),
            _sight("The two convolutions make {84 %} of all MACs.", _MACS, "conv1", "conv2"),
            _sight(
                "After two poolings a unit sees {12} pixels of a row: less than half of a digit’s picture.",
                "field",
                "max_pool2",
            ),
        ),
        "alexnet-2012": (
            _sight("The three dense layers hold {96 %} of all parameters …", _PARAMETERS, "classifier"),
            _sight(
                "… and make {8.1 %} of the MACs: weights and work are in different places.",
                _MACS,
                "classifier",
            ),
            _sight(
                "On its own card each half reads half of the maps: {307,456} parameters in the second layer.",
                "parameters",
                "features.4",
            ),
        ),
        "alexnet-one-tower": (
            _sight("The three dense layers hold {94 %} of all parameters.", _PARAMETERS, "classifier"),
            _sight(
                "The second convolution makes {39 %} of all MACs; in two groups it would be half of that.",
                _MACS,
                "features.3",
            ),
            _sight(
                "The first convolution has {34,944} parameters; a dense layer would need a million times as many.",
                "parameters",
                "features.0",
            ),
        ),
        "alexnet-dsci": (
            _sight(
                "Padding of one leaves maps of {5} × 5 for the dense layers; the paper’s are 6 × 6.",
                "side",
                "features.12",
            ),
            _sight("So the first dense layer holds {56 %} of all parameters.", _PARAMETERS, "classifier.0"),
            _sight("The second convolution makes {44 %} of all MACs.", _MACS, "features.3"),
        ),
        "alexnet-tutorial": (
            _sight("The second convolution, of 11 × 11 here, makes {83 %} of all MACs.", _MACS, "features.3"),
            _sight(
                "Without padding one pixel is left: the first dense layer reads {256} numbers.",
                "channels",
                "flatten1",
            ),
            _sight(
                "So it is the second dense layer that holds most parameters: {60 %}.",
                _PARAMETERS,
                "classifier.3",
            ),
        ),
        "alexnet": (
            _sight("The first dense layer holds {62 %} of all parameters.", _PARAMETERS, "classifier.1"),
            _sight("The convolutions make {92 %} of all MACs.", _MACS, "features"),
            _sight(
                "A unit of the last pooling sees {195} pixels of a row: nearly the whole picture.",
                "field",
                "features.12",
            ),
        ),
        "nin-cifar10": (
            _sight(
                "There is no dense layer: the last weights, of 1 × 1, are {1,930} parameters.",
                "parameters",
                "block3.4",
            ),
            _sight(
                "The six convolutions of 1 × 1 hold {16 %} of all parameters.", _PARAMETERS, "block?.[24]"
            ),
            _sight("The one 5 × 5 in the middle makes {53 %} of all MACs.", _MACS, "block2.0"),
        ),
        "nin-dsci": (
            _sight(
                "The last block takes the place of AlexNet’s dense layers, with {34,790} parameters for millions.",
                "parameters",
                "nin_block4",
            ),
            _sight("Convolutions of 1 × 1 hold {22 %} of all parameters.", _PARAMETERS, "nin_block?.[24]"),
            _sight("The second block makes {66 %} of all MACs.", _MACS, "nin_block2"),
        ),
        "vgg11": (
            _sight("The first dense layer holds {77 %} of all parameters.", _PARAMETERS, "classifier.0"),
            _sight("The convolutions make {98 %} of all MACs.", _MACS, "features"),
        ),
        "vgg13": (
            _sight("The first dense layer holds {77 %} of all parameters.", _PARAMETERS, "classifier.0"),
            _sight("The convolutions make {99 %} of all MACs.", _MACS, "features"),
        ),
        "vgg16": (
            _sight("The first dense layer holds {74 %} of all parameters.", _PARAMETERS, "classifier.0"),
            _sight(
                "The first two convolutions make {42 %} of all activations.", _ACTIVATIONS, "features.[02]"
            ),
            _sight(
                "A unit of the last pooling sees {212} pixels of a row: nothing but 3 × 3, and almost the picture.",
                "field",
                "features.30",
            ),
        ),
        "vgg19": (
            _sight("The first dense layer holds {72 %} of all parameters.", _PARAMETERS, "classifier.0"),
            _sight("The convolutions make {99 %} of all MACs.", _MACS, "features"),
        ),
        "vgg16-nbis": (
            _sight("The first dense layer holds {74 %} of all parameters.", _PARAMETERS, "classifier.0"),
            _sight("The convolutions make {99 %} of all MACs.", _MACS, "features"),
            _sight("A unit of the last block sees {212} pixels of a row.", "field", "features.4"),
        ),
        "vgg11-dsci": (
            _sight("The first dense layer holds {80 %} of all parameters.", _PARAMETERS, "classifier.0"),
            _sight(
                "A unit of the last block sees {150} pixels of a row: two thirds of the picture.",
                "field",
                "features.4",
            ),
        ),
        "googlenet-2014": (
            _sight(
                "The only dense layer holds {15 %} of all parameters; in VGG they are nine tenths.",
                _PARAMETERS,
                "classifier",
            ),
            _sight("Before the first inception {30 %} of all MACs are made.", _MACS, "stem"),
            _sight(
                "In the last inception a unit sees {715} pixels of a row, three times the picture.",
                "field",
                "stage5.inception5b",
            ),
        ),
        "googlenet-dsci": (
            _sight(
                "The last maps are {3} × 3: there a kernel of 5 × 5 reaches over all of them.",
                "side",
                "b5.inception5a",
            ),
            _sight("Five inceptions in the middle hold {47 %} of all parameters.", _PARAMETERS, "b4"),
        ),
        "googlenet-dsci-224": (
            _sight(
                "Five inceptions in the middle hold {47 %} of all parameters, as for smaller pictures …",
                _PARAMETERS,
                "b4",
            ),
            _sight("… but there is more than five times the work: {1,502,982,144} MACs.", "macs", ""),
        ),
        "googlenet-no-aux": (
            _sight("The only dense layer holds {15 %} of all parameters.", _PARAMETERS, "fc"),
            _sight(
                "In the last inception a unit sees {379} pixels of a row; true 5 × 5 would make it nearly twice that.",
                "field",
                "inception5b",
            ),
        ),
        "inception_v3-no-aux": (
            _sight(
                "The last two inceptions, on maps of 8 × 8, hold {47 %} of all parameters.",
                _PARAMETERS,
                "Mixed_7[bc]",
            ),
            _sight("Before the first inception {23 %} of all MACs are made.", _MACS, "Conv2d_*"),
        ),
        "resnet18": (
            _sight("The last stage holds {72 %} of all parameters …", _PARAMETERS, "layer4"),
            _sight(
                "… and makes {23 %} of the MACs, like the two before it: half the side, twice the channels.",
                _MACS,
                "layer4",
            ),
            _sight(
                "A unit of the last stage sees {435} pixels of a row, nearly twice the picture.",
                "field",
                "layer4",
            ),
        ),
        "resnet34": (
            _sight("The last stage holds {60 %} of all parameters.", _PARAMETERS, "layer4"),
            _sight("The third, of six blocks, makes {36 %} of the MACs.", _MACS, "layer3"),
        ),
        "resnet50": (
            _sight("The only dense layer holds {8.0 %} of all parameters.", _PARAMETERS, "fc"),
            _sight(
                "The sixteen 3 × 3 convolutions make {45 %} of all MACs; the rest are 1 × 1 and the first.",
                _MACS,
                "layer?.*.conv2",
            ),
            _sight(
                "{4,089,184,256} MACs: more than in the paper, since the stride has moved to the 3 × 3.",
                "macs",
                "",
            ),
        ),
        "resnet101": (
            _sight("The third stage, of 23 blocks, makes {66 %} of all MACs.", _MACS, "layer3"),
            _sight("It holds {59 %} of all parameters.", _PARAMETERS, "layer3"),
        ),
        "resnet152": (
            _sight("The third stage, of 36 blocks, makes {70 %} of all MACs.", _MACS, "layer3"),
            _sight("It holds {67 %} of all parameters.", _PARAMETERS, "layer3"),
        ),
        "resnet50-2015": (
            _sight("{3,857,973,248} MACs: the paper’s 3.8 billion “FLOPs” are multiply-adds.", "macs", ""),
            _sight(
                "A unit of the last stage sees {483} pixels of a row, more than in torchvision’s.",
                "field",
                "layer4",
            ),
        ),
        "resnet101-2015": (
            _sight("{7,570,194,432} MACs: the paper’s 7.6 billion.", "macs", ""),
            _sight("The third stage, of 23 blocks, makes {67 %} of them.", _MACS, "layer3"),
        ),
        "resnet152-2015": (
            _sight("{11,282,415,616} MACs: the paper’s 11.3 billion, fewer than VGG-16’s.", "macs", ""),
            _sight("The third stage, of 36 blocks, makes {70 %} of them.", _MACS, "layer3"),
        ),
        "wide_resnet50_2": (
            _sight(
                "The 3 × 3 convolutions hold {66 %} of all parameters: twice as wide is four times as many.",
                _PARAMETERS,
                "layer?.*.conv2",
            ),
            _sight("They make {65 %} of all MACs.", _MACS, "layer?.*.conv2"),
        ),
        "resnext50_32x4d": (
            _sight(
                "In 32 groups the 3 × 3 convolutions make {5.5 %} of all MACs; in ResNet-50 it is nearly half.",
                _MACS,
                "layer?.*.conv2",
            ),
            _sight(
                "They hold {5.7 %} of all parameters; what is saved makes the blocks twice as wide.",
                _PARAMETERS,
                "layer?.*.conv2",
            ),
        ),
        "densenet121": (
            _sight(
                "The 1 × 1 before each 3 × 3 hold {51 %} of all parameters: they read all that was made before.",
                _PARAMETERS,
                "features.*.conv1",
            ),
            _sight("The 3 × 3 hold {27 %}, for each adds only 32 channels.", _PARAMETERS, "features.*.conv2"),
            _sight(
                "The third block, of 24 layers, holds {36 %} of all parameters.",
                _PARAMETERS,
                "features.denseblock3",
            ),
        ),
        "squeezenet1_0": (
            _sight(
                "The last convolution, of 1 × 1, holds {41 %} of all parameters.", _PARAMETERS, "classifier.1"
            ),
            _sight("The first convolution makes {20 %} of all MACs.", _MACS, "features.0"),
        ),
        "mobilenet_v1": (
            _sight("The 1 × 1 convolutions make {95 %} of all MACs …", _MACS, "features.*.3"),
            _sight("… and the depthwise ones {3.1 %}.", _MACS, "features.*.0"),
            _sight("The dense layer holds {24 %} of all parameters.", _PARAMETERS, "classifier"),
        ),
        "mobilenet_v2": (
            _sight("The dense layer holds {37 %} of all parameters.", _PARAMETERS, "classifier"),
            _sight(
                "The first block that widens makes {9.7 %} of all MACs: its middle has 96 channels of 112 × 112.",
                _MACS,
                "features.2",
            ),
        ),
        "mobilenet_v3_large": (
            _sight("The two dense layers hold {46 %} of all parameters.", _PARAMETERS, "classifier"),
            _sight("Squeeze and excite holds {28 %} of all parameters …", _PARAMETERS, "features.*.fc?"),
            _sight("… and makes {0.7 %} of the MACs.", _MACS, "features.*.fc?"),
        ),
        "mobilenet_v3_small": (
            _sight("The two dense layers hold {64 %} of all parameters.", _PARAMETERS, "classifier"),
            _sight("Squeeze and excite makes {0.8 %} of all MACs.", _MACS, "features.*.fc?"),
        ),
        "efficientnet_b0": (
            _sight("The dense layer holds {24 %} of all parameters.", _PARAMETERS, "classifier"),
            _sight("Squeeze and excite holds {12 %} of all parameters …", _PARAMETERS, "features.*.fc?"),
            _sight("… and makes {0.2 %} of the MACs.", _MACS, "features.*.fc?"),
        ),
        "efficientnet_lite0": (
            _sight("The dense layer holds {28 %} of all parameters.", _PARAMETERS, "classifier"),
            _sight("The last 1 × 1 convolution makes {5.2 %} of all MACs.", _MACS, "conv_head"),
        ),
        "shufflenet_v2_x1_0": (
            _sight("The dense layer holds {45 %} of all parameters.", _PARAMETERS, "fc"),
            _sight("The last 1 × 1 convolution makes {16 %} of all MACs.", _MACS, "conv5"),
        ),
        "convnext_tiny": (
            _sight(
                "The 7 × 7 convolutions, one channel each, make {2.4 %} of all MACs …",
                _MACS,
                "features.*.block.0",
            ),
            _sight("… and the dense layers at every pixel {93 %}.", _MACS, "features.*.block.[35]"),
            _sight("The third stage, of nine blocks, makes {47 %} of all MACs.", _MACS, "features.5"),
        ),
        "vit_b_16": (
            _sight(
                "The only convolution, which cuts the patches, makes {0.7 %} of all MACs.", _MACS, "conv_proj"
            ),
            _sight(
                "The dense layers between the attentions hold {65 %} of all parameters.",
                _PARAMETERS,
                "encoder.layers.encoder_layer_*.mlp",
            ),
            _sight(
                "Attention makes {36 %} of all MACs.", _MACS, "encoder.layers.encoder_layer_*.self_attention"
            ),
        ),
        "swin_t": (
            _sight("The third stage, of six blocks, makes {47 %} of all MACs.", _MACS, "features.5"),
            _sight("The last, of two, holds {50 %} of all parameters.", _PARAMETERS, "features.7"),
        ),
        "mnasnet1_0": (
            _sight("The dense layer holds {29 %} of all parameters.", _PARAMETERS, "classifier"),
            _sight("Four blocks of 5 × 5 on small maps hold {37 %}.", _PARAMETERS, "layers.12"),
        ),
        "regnet_y_400mf": (
            _sight("The last stage holds {70 %} of all parameters …", _PARAMETERS, "trunk_output.block4"),
            _sight("… and makes {34 %} of the MACs.", _MACS, "trunk_output.block4"),
        ),
        "efficientnet_v2_s": (
            _sight("The second stage, of plain 3 × 3, makes {33 %} of all MACs …", _MACS, "features.2"),
            _sight("… with {1.4 %} of the parameters.", _PARAMETERS, "features.2"),
        ),
        "swin_v2_t": (
            _sight("The third stage, of six blocks, makes {47 %} of all MACs.", _MACS, "features.5"),
            _sight("The last, of two, holds {50 %} of all parameters.", _PARAMETERS, "features.7"),
        ),
        "maxvit_t": (
            _sight("The two convolutions of the stem make {8.7 %} of all MACs.", _MACS, "stem"),
            _sight("The last stage, of two layers, holds {57 %} of all parameters.", _PARAMETERS, "blocks.3"),
        ),
    }
)
"""Two or three sights by the key of a classic; of those that are not here `general_sights` speaks."""
