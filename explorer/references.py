"""The papers behind the networks and the methods: who, when, what, and where to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Paper:
    """One work to cite.

    Attributes:
        key: the name that code uses, first author and year: "he2016".
        authors: short, as in running text: "He et al.".
        year: of the publication that is usually cited (a preprint may be a year older).
        title: in full.
        url: the free text, arXiv where it is there.

    >>> PAPERS["he2016"].citation
    'He et al. 2016'
    """

    key: str
    authors: str
    year: int
    title: str
    url: str

    def __post_init__(self) -> None:
        if not self.key.endswith(str(self.year)):
            raise ValueError(f"The key {self.key!r} of a paper ends in its year, {self.year}.")
        if not self.url.startswith("https://"):
            raise ValueError(f"The address of {self.key} is {self.url!r}: it begins with https://.")

    @property
    def citation(self) -> str:
        """Authors and year, as in running text."""
        return f"{self.authors} {self.year}"


def _arxiv(key: str, authors: str, year: int, number: str, title: str) -> Paper:
    return Paper(key, authors, year, title, f"https://arxiv.org/abs/{number}")


_NETWORKS = (
    Paper(
        "rumelhart1986",
        "Rumelhart et al.",
        1986,
        "Learning Representations by Back-Propagating Errors",
        "https://doi.org/10.1038/323533a0",
    ),
    Paper(
        "lecun1998",
        "LeCun et al.",
        1998,
        "Gradient-Based Learning Applied to Document Recognition",
        "https://doi.org/10.1109/5.726791",
    ),
    Paper(
        "krizhevsky2012",
        "Krizhevsky et al.",
        2012,
        "ImageNet Classification with Deep Convolutional Neural Networks",
        "https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks",
    ),
    _arxiv(
        "krizhevsky2014",
        "Krizhevsky",
        2014,
        "1404.5997",
        "One Weird Trick for Parallelizing Convolutional Neural Networks",
    ),
    _arxiv("lin2014", "Lin et al.", 2014, "1312.4400", "Network in Network"),
    _arxiv(
        "simonyan2015",
        "Simonyan & Zisserman",
        2015,
        "1409.1556",
        "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    ),
    _arxiv("szegedy2015", "Szegedy et al.", 2015, "1409.4842", "Going Deeper with Convolutions"),
    _arxiv(
        "szegedy2016",
        "Szegedy et al.",
        2016,
        "1512.00567",
        "Rethinking the Inception Architecture for Computer Vision",
    ),
    _arxiv("he2016", "He et al.", 2016, "1512.03385", "Deep Residual Learning for Image Recognition"),
    _arxiv(
        "iandola2016",
        "Iandola et al.",
        2016,
        "1602.07360",
        "SqueezeNet: AlexNet-Level Accuracy with 50x Fewer Parameters and <0.5MB Model Size",
    ),
    _arxiv("zagoruyko2016", "Zagoruyko & Komodakis", 2016, "1605.07146", "Wide Residual Networks"),
    _arxiv("huang2017", "Huang et al.", 2017, "1608.06993", "Densely Connected Convolutional Networks"),
    _arxiv(
        "xie2017",
        "Xie et al.",
        2017,
        "1611.05431",
        "Aggregated Residual Transformations for Deep Neural Networks",
    ),
    _arxiv(
        "howard2017",
        "Howard et al.",
        2017,
        "1704.04861",
        "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
    ),
    _arxiv(
        "sandler2018",
        "Sandler et al.",
        2018,
        "1801.04381",
        "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
    ),
    _arxiv(
        "ma2018",
        "Ma et al.",
        2018,
        "1807.11164",
        "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design",
    ),
    _arxiv(
        "tanchen2019",
        "Tan et al.",
        2019,
        "1807.11626",
        "MnasNet: Platform-Aware Neural Architecture Search for Mobile",
    ),
    _arxiv("howard2019", "Howard et al.", 2019, "1905.02244", "Searching for MobileNetV3"),
    _arxiv(
        "tan2019",
        "Tan & Le",
        2019,
        "1905.11946",
        "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
    ),
    Paper(
        "liu2020",
        "Liu",
        2020,
        "Higher Accuracy on Vision Models with EfficientNet-Lite",
        "https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html",
    ),
    _arxiv("radosavovic2020", "Radosavovic et al.", 2020, "2003.13678", "Designing Network Design Spaces"),
    _arxiv(
        "dosovitskiy2021",
        "Dosovitskiy et al.",
        2021,
        "2010.11929",
        "An Image Is Worth 16x16 Words: Transformers for Image Recognition at Scale",
    ),
    _arxiv(
        "liu2021",
        "Liu et al.",
        2021,
        "2103.14030",
        "Swin Transformer: Hierarchical Vision Transformer Using Shifted Windows",
    ),
    _arxiv("tan2021", "Tan & Le", 2021, "2104.00298", "EfficientNetV2: Smaller Models and Faster Training"),
    _arxiv(
        "liuhu2022",
        "Liu et al.",
        2022,
        "2111.09883",
        "Swin Transformer V2: Scaling Up Capacity and Resolution",
    ),
    _arxiv("liu2022", "Liu et al.", 2022, "2201.03545", "A ConvNet for the 2020s"),
    _arxiv("tu2022", "Tu et al.", 2022, "2204.01697", "MaxViT: Multi-Axis Vision Transformer"),
    _arxiv(
        "singh2022",
        "Singh et al.",
        2022,
        "2201.08371",
        "Revisiting Weakly Supervised Pre-Training of Visual Perception Models",
    ),
)

_SALIENCY = (
    _arxiv(
        "simonyan2014",
        "Simonyan et al.",
        2014,
        "1312.6034",
        "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps",
    ),
    _arxiv(
        "zeiler2014",
        "Zeiler & Fergus",
        2014,
        "1311.2901",
        "Visualizing and Understanding Convolutional Networks",
    ),
    _arxiv(
        "springenberg2015",
        "Springenberg et al.",
        2015,
        "1412.6806",
        "Striving for Simplicity: The All Convolutional Net",
    ),
    _arxiv(
        "zhou2016",
        "Zhou et al.",
        2016,
        "1512.04150",
        "Learning Deep Features for Discriminative Localization",
    ),
    _arxiv(
        "selvaraju2017",
        "Selvaraju et al.",
        2017,
        "1610.02391",
        "Grad-CAM: Visual Explanations from Deep Networks via Gradient-Based Localization",
    ),
    _arxiv(
        "sundararajan2017",
        "Sundararajan et al.",
        2017,
        "1703.01365",
        "Axiomatic Attribution for Deep Networks",
    ),
    _arxiv("smilkov2017", "Smilkov et al.", 2017, "1706.03825", "SmoothGrad: Removing Noise by Adding Noise"),
    _arxiv(
        "chattopadhay2018",
        "Chattopadhay et al.",
        2018,
        "1710.11063",
        "Grad-CAM++: Improved Visual Explanations for Deep Convolutional Networks",
    ),
    _arxiv(
        "petsiuk2018",
        "Petsiuk et al.",
        2018,
        "1806.07421",
        "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    ),
    _arxiv("adebayo2018", "Adebayo et al.", 2018, "1810.03292", "Sanity Checks for Saliency Maps"),
    _arxiv(
        "draelos2020",
        "Draelos & Carin",
        2020,
        "2011.08891",
        "Use HiResCAM Instead of Grad-CAM for Faithful Explanations of Convolutional Neural Networks",
    ),
    _arxiv(
        "fu2020",
        "Fu et al.",
        2020,
        "2008.02312",
        "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs",
    ),
    _arxiv(
        "muhammad2020",
        "Muhammad & Yeasin",
        2020,
        "2008.00299",
        "Eigen-CAM: Class Activation Map Using Principal Components",
    ),
    _arxiv(
        "wang2020",
        "Wang et al.",
        2020,
        "1910.01279",
        "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks",
    ),
    Paper(
        "jiang2021",
        "Jiang et al.",
        2021,
        "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization",
        "https://doi.org/10.1109/TIP.2021.3089943",
    ),
)

_FEATURES = (
    _arxiv(
        "lenc2015",
        "Lenc & Vedaldi",
        2015,
        "1411.5908",
        "Understanding Image Representations by Measuring Their Equivariance and Equivalence",
    ),
    _arxiv("zhang2019", "Zhang", 2019, "1904.11486", "Making Convolutional Networks Shift-Invariant Again"),
    _arxiv(
        "molchanov2017",
        "Molchanov et al.",
        2017,
        "1611.06440",
        "Pruning Convolutional Neural Networks for Resource Efficient Inference",
    ),
    _arxiv(
        "kornblith2019",
        "Kornblith et al.",
        2019,
        "1905.00414",
        "Similarity of Neural Network Representations Revisited",
    ),
    _arxiv(
        "nguyen2021",
        "Nguyen et al.",
        2021,
        "2010.15327",
        "Do Wide and Deep Networks Learn the Same Things? Uncovering How Neural Network Representations Vary with "
        "Width and Depth",
    ),
    _arxiv(
        "mahendran2015",
        "Mahendran & Vedaldi",
        2015,
        "1412.0035",
        "Understanding Deep Image Representations by Inverting Them",
    ),
    Paper(
        "olah2017",
        "Olah et al.",
        2017,
        "Feature Visualization",
        "https://distill.pub/2017/feature-visualization/",
    ),
    Paper(
        "olah2018",
        "Olah et al.",
        2018,
        "The Building Blocks of Interpretability",
        "https://distill.pub/2018/building-blocks/",
    ),
)

PAPERS: Mapping[str, Paper] = MappingProxyType(
    {paper.key: paper for paper in (*_NETWORKS, *_SALIENCY, *_FEATURES)}
)
"""Every paper that the app cites, by its key."""
