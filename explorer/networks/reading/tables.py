"""Everything of torch that code may name.  What stands in no table cannot be reached."""

from __future__ import annotations

import inspect
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from explorer.dry_run import WithoutMemory
from explorer.networks.reading.values import Lazy, lazy, words


def _named(owner: Any, prefix: str, names: str) -> dict[str, Any]:
    """Those of the names that this version of torch has."""
    return {prefix + name: getattr(owner, name) for name in names.split() if hasattr(owner, name)}


LAYERS: Final[Mapping[str, type[nn.Module]]] = {
    **_named(
        nn,
        "torch.nn.",
        "Sequential ModuleList ModuleDict Identity Flatten Unflatten Linear Bilinear Embedding "
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d "
        "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d LPPool1d LPPool2d FractionalMaxPool2d "
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d "
        "AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d "
        "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm LayerNorm GroupNorm RMSNorm "
        "InstanceNorm1d InstanceNorm2d InstanceNorm3d LocalResponseNorm CrossMapLRN2d "
        "ReLU ReLU6 LeakyReLU PReLU RReLU ELU SELU CELU GELU SiLU Mish GLU Hardswish Hardsigmoid Hardtanh "
        "Hardshrink Softshrink Tanhshrink LogSigmoid Sigmoid Tanh Softmax LogSoftmax Softmax2d Softmin Softplus "
        "Softsign Threshold "
        "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout "
        "Upsample UpsamplingNearest2d UpsamplingBilinear2d PixelShuffle PixelUnshuffle ChannelShuffle Fold Unfold "
        "ZeroPad1d ZeroPad2d ZeroPad3d ConstantPad1d ConstantPad2d ConstantPad3d ReflectionPad1d ReflectionPad2d "
        "ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d CircularPad1d CircularPad2d "
        "MultiheadAttention TransformerEncoderLayer TransformerEncoder TransformerDecoderLayer "
        "RNN LSTM GRU CosineSimilarity",
    ),
    **{
        f"torch.nn.Lazy{target.__name__}": lazy(target)
        for target in (
            *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
            *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
            *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
        )
    },
    "torch.nn.LazyLinear": lazy(nn.Linear, -1),
    **_named(torchvision.ops, "torchvision.ops.", "StochasticDepth SqueezeExcitation Permute MLP"),
}
"""Layers by their full names."""

BASES: Final[Mapping[str, type[nn.Module]]] = {
    "torch.nn.Module": nn.Module,
    "d2l.Module": nn.Module,
    "d2l.Classifier": nn.Module,
    **{path: layer for path, layer in LAYERS.items() if not issubclass(layer, Lazy)},
}
"""What a class may extend."""

CONTAINERS: Final = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
"""Layers that are given layers."""

# one word for all of them: no function here looks at values, reads or writes files, or calls what it is given
_BOTH: Final = (
    "relu sigmoid tanh softmax log_softmax flatten cat concat concatenate stack chunk split unbind tensor_split "
    "permute transpose swapaxes movedim reshape squeeze unsqueeze narrow flip roll rot90 add sub subtract "
    "mul multiply div "
    "divide true_divide matmul bmm mm baddbmm addmm einsum mean sum prod amax amin max min argmax std var norm "
    "maximum minimum abs sqrt rsqrt exp log pow square clamp clip neg sign sin cos erf floor ceil round where "
    "zeros_like ones_like rand_like randn_like empty_like full_like broadcast_to tile repeat_interleave outer "
    "dropout layer_norm group_norm batch_norm instance_norm bilinear conv1d conv2d conv3d "
    "conv_transpose1d conv_transpose2d conv_transpose3d logsumexp cumsum triu tril masked_fill "
    "relu_ selu celu prelu rrelu pixel_shuffle pixel_unshuffle cosine_similarity hardshrink channel_shuffle "
    "adaptive_avg_pool1d avg_pool1d max_pool1d max_pool2d max_pool3d meshgrid hypot reciprocal lerp "
    "log1p expm1 softplus_ index_select gather isnan fmod remainder eq ne lt le gt ge logical_not diagonal "
)
_FUNCTIONAL: Final = (
    "relu relu6 leaky_relu elu selu celu gelu silu mish glu hardswish hardsigmoid hardtanh sigmoid tanh softmax "
    "softmin log_softmax softplus softsign logsigmoid threshold prelu rrelu relu_ "
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear bilinear embedding "
    "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d lp_pool2d "
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d "
    "dropout dropout1d dropout2d dropout3d alpha_dropout interpolate upsample pad normalize unfold fold "
    "batch_norm layer_norm group_norm instance_norm local_response_norm rms_norm pixel_shuffle pixel_unshuffle "
    "channel_shuffle grid_sample affine_grid cosine_similarity one_hot scaled_dot_product_attention"
)
FACTORIES: Final[Mapping[str, Callable[..., Any]]] = _named(
    torch, "torch.", "zeros ones rand randn empty full arange tensor eye randint"
)
"""Functions that make a tensor: on the meta device, without values."""

FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    **_named(torch, "torch.", _BOTH),
    **_named(torch.special, "torch.special.", "expit"),
    **_named(torch.linalg, "torch.linalg.", "norm vector_norm"),
    **_named(F, "torch.nn.functional.", _FUNCTIONAL),
    **_named(torchvision.ops, "torchvision.ops.", "stochastic_depth"),
    "torch.linspace": torch.linspace,
    **{
        f"{module}.{name}": getattr(math, name)
        for module in ("math", "numpy", "torch.math")
        for name in ["floor", "ceil", "sqrt", "log", "log2", "log10", "exp", "prod"]
    },
    **_named(math, "math.", "pow gcd trunc log1p cos sin isqrt"),
    "numpy.cumsum": lambda numbers: [sum(numbers[: index + 1]) for index in range(len(numbers))],
}
"""Functions of tensors and numbers by their full names."""

CONSTANTS: Final[Mapping[str, Any]] = {
    **_named(
        torch, "torch.", "float float16 half bfloat16 float32 float64 double long int int64 int32 uint8 bool"
    ),
    "math.pi": math.pi,
    "math.inf": math.inf,
    "math.e": math.e,
    "numpy.pi": math.pi,
    "torch.pi": math.pi,
    "torch.inf": math.inf,
}

METHODS: Final[Mapping[str, Callable[..., Any]]] = _named(
    Tensor,
    "",
    _BOTH + "view view_as reshape_as expand expand_as repeat contiguous size dim numel nelement ndimension t "
    "unflatten add_ sub_ mul_ div_ clamp_ clamp_min clamp_max masked_fill masked_fill_ sigmoid_ tanh_ unfold "
    "select clone "
    "detach type_as float half double bfloat16 long int bool is_contiguous item tolist new_zeros new_ones new_full "
    "element_size stride adjoint transpose_ squeeze_ unsqueeze_ copy_",
)
"""Methods of tensors."""

TENSOR_ATTRIBUTES: Final = frozenset({"shape", "ndim", "T", "mT", "requires_grad", "dtype", "is_cuda"})

INITIALISED: Final = words(
    "zero_ fill_ normal_ uniform_ copy_ trunc_normal_ kaiming_normal_ constant_ xavier_uniform_ "
    "requires_grad_ data cpu cuda to retain_grad"
)
"""Methods and attributes that leave the shape of a tensor as it is: the tensor itself."""

PIECES: Final = frozenset({"chunk", "split", "unbind", "tensor_split"})
"""Functions that cut a tensor into as many pieces as they are told."""

SAME: Final = frozenset(
    {
        *("torch.compile", "torch.jit.script", "torch.nn.DataParallel", "torch.nn.utils.spectral_norm"),
        *("torch.nn.utils.weight_norm", "torch.nn.utils.parametrizations.weight_norm"),
        *("torch.nn.utils.parametrizations.spectral_norm", "torch.nn.parallel.DistributedDataParallel"),
        *("copy.deepcopy", "copy.copy"),
    }
)
"""Functions that give the network back that they are given, as far as its shapes go."""

QUIET: Final[Mapping[str, Callable[[], Any]]] = {
    "torch.no_grad": torch.no_grad,
    "torch.inference_mode": torch.no_grad,
    "torch.enable_grad": torch.enable_grad,
}
"""Contexts that change what is kept for the backward pass."""

UNREAD: Final = (
    *("torch.optim", "torch.utils", "torch.cuda", "torch.backends", "torch.device", "torch.manual_seed"),
    *(
        "torch.Generator",
        "torch.set_grad_enabled",
        "torch.autocast",
        "torch.amp",
        "torch.nn.init",
        "torch.onnx",
    ),
    *("torch.set_num_threads", "torch.save", "torch.random", "torch.profiler", "torch.autograd.profiler"),
    *(
        "torch.set_default_device",
        "torch.set_default_dtype",
        "torch.set_float32_matmul_precision",
        "torch.mps",
    ),
    *("torch.nn.utils.clip_grad_norm_", "torch.fx.wrap"),
    *("torchvision.datasets", "torchvision.transforms", "torchvision.utils", "torchvision.io"),
    *("d2l", "typing", "matplotlib", "tqdm", "torchsummary", "torchinfo", "torchviz", "logging", "warnings"),
    *("time", "random", "numpy.random", "pandas", "PIL", "sklearn", "thop", "fvcore", "ptflops", "wandb"),
    *("torchmetrics", "abc", "__future__", "torch.Tensor", "dataclasses", "collections.abc", "lightning"),
    *("pytorch_lightning", "seaborn", "builtins.print", "torch.jit", "torch.hub.set_dir", "IPython"),
)
"""Names, and all below them, that have no part in the shape of a network: calls of them do nothing."""

REASONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "builtins.open",
            "torch.load",
            "pathlib",
            "io",
            "os",
            "shutil",
            "glob",
            "pickle",
            "json",
            "tempfile",
        ),
        "{0} works with files and the system, which code here cannot reach.",
    ),
    **dict.fromkeys(
        ("builtins.eval", "builtins.exec", "builtins.compile"),
        "{0} runs text as code, which is not done here: write out what it makes.",
    ),
    **dict.fromkeys(
        (
            *(
                "builtins.__import__",
                "importlib",
                "sys",
                "ctypes",
                "subprocess",
                "socket",
                "threading",
                "requests",
            ),
            *(
                "multiprocessing",
                "builtins.globals",
                "builtins.locals",
                "builtins.vars",
                "builtins.dir",
                "inspect",
            ),
            *("builtins.breakpoint", "builtins.delattr", "builtins.memoryview", "urllib", "gc", "signal"),
        ),
        "{0} reaches outside the network and is not read.",
    ),
    "builtins.input": "input() waits for an answer, and nobody is there to give it.",
    "torch.hub": "torch.hub downloads code: name the network, as torchvision.models.resnet18().",
    "torch.ops": "torch.ops reaches torch's inside: use the functions of torch and torch.nn.functional.",
    "timm": "timm's networks are not read: torchvision.models are, and code written out.",
    "transformers": "The networks of transformers are not read: torchvision.models are, and code written out.",
}
"""Why a name, or what is below it, is refused; {0} is the name as it was written."""

FOREIGN: Final[Mapping[str, str]] = {
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "tf_keras": "Keras",
    "jax": "JAX",
    "flax": "Flax",
    "haiku": "Haiku",
    "mxnet": "MXNet",
    "paddle": "PaddlePaddle",
    "chainer": "Chainer",
    "theano": "Theano",
}
"""Other libraries of networks, by the name of their package."""

KERAS_NAMES: Final = words(
    "keras tf layers Dense Conv2D Conv1D Conv3D MaxPooling2D MaxPool2D AveragePooling2D "
    "GlobalAveragePooling2D BatchNormalization Activation Input InputLayer Model ZeroPadding2D "
    "UpSampling2D Conv2DTranspose SeparableConv2D DepthwiseConv2D"
)
"""Bare names that are Keras, where no import says so."""

SYNONYMS: Final[Mapping[str, str]] = {
    "Dense": "Linear",
    "FullyConnected": "Linear",
    "Conv": "Conv2d",
    "Convolution2d": "Conv2d",
    "MaxPooling2D": "MaxPool2d",
    "MaxPooling": "MaxPool2d",
    "AveragePooling2D": "AvgPool2d",
    "GlobalAveragePooling2D": "AdaptiveAvgPool2d",
    "GlobalAvgPool2d": "AdaptiveAvgPool2d",
    "BatchNormalization": "BatchNorm2d",
    "BatchNorm": "BatchNorm2d",
    "Relu": "ReLU",
    "Swish": "SiLU",
    "Conv2DTranspose": "ConvTranspose2d",
    "concatenate": "cat",
}
"""What is meant by names of other libraries."""

PREDEFINED: Final[Mapping[str, str]] = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "torchvision": "torchvision",
    "models": "torchvision.models",
    "d2l": "d2l",
    "math": "math",
    "np": "numpy",
    "OrderedDict": "collections.OrderedDict",
    "partial": "functools.partial",
}
"""Names that everybody imports the same way, known where the import was not pasted."""

BUILTINS: Final = words(
    "range len list tuple dict set enumerate zip int float bool str min max sum abs reversed round "
    "sorted any all map filter isinstance issubclass hasattr getattr setattr super print divmod pow "
    "callable eval exec open compile __import__ input globals locals vars dir type object breakpoint "
    "delattr memoryview id property staticmethod classmethod format repr iter next slice frozenset "
    "bytes bytearray chr ord hex hash Exception ValueError TypeError NotImplementedError RuntimeError "
    "AssertionError KeyError ImportError ModuleNotFoundError AttributeError IndexError NotImplemented"
)
"""Names that Python itself knows."""

STAR: Final = {
    "torch": ("torch.",),
    "torch.nn": ("torch.nn.",),
    "torch.nn.functional": ("torch.nn.functional.",),
    "math": ("math.",),
}
"""What `from … import *` brings in."""

_FROM_ELSEWHERE: Final = {
    "d2l.torch": "d2l",
    "torch.nn.modules": "torch.nn",
    "torch.nn.parameter": "torch.nn",
    "torchvision.ops.misc": "torchvision.ops",
    "torchvision.ops.stochastic_depth": "torchvision.ops",
}


def canonical(path: str) -> str:
    """The name under which something stands in the tables.

    >>> canonical("d2l.torch.Classifier"), canonical("torchvision.models.resnet.resnet18")
    ('d2l.Classifier', 'torchvision.models.resnet18')
    """
    for long, short in _FROM_ELSEWHERE.items():
        if path == long or path.startswith(long + "."):
            path = short + path[len(long) :]
    if path.startswith("torchvision.models.") and path.count(".") > 2:
        return f"torchvision.models.{path.rpartition('.')[2]}" if path.rpartition(".")[2] in MODELS else path
    return path


MODELS: Final = frozenset(torchvision.models.list_models(module=torchvision.models))
"""Networks of torchvision by their names."""

MODEL_ARGUMENTS: Final = frozenset({"num_classes", "dropout", "width_mult", "aux_logits", "transform_input"})
IGNORED_MODEL_ARGUMENTS: Final = frozenset(
    {"weights", "pretrained", "progress", "init_weights", "weights_backbone"}
)


def build_model(name: str, keywords: dict[str, Any]) -> nn.Module:
    """A network of torchvision, its weights on the meta device."""
    # These two would fill their weights with scipy's slow truncated normal.
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with WithoutMemory():
        network: nn.Module = torchvision.models.get_model(name, **options, **keywords)
    return network.to("meta")


def signature(layer: type[nn.Module]) -> inspect.Signature | None:
    """Arguments of a layer, without `self`; None where any are taken."""
    return _SIGNATURES.get(layer)


def _signature(layer: type[nn.Module]) -> inspect.Signature:
    target = getattr(layer, "target", layer)
    found = inspect.signature(target.__init__)
    skipped = 1 if target is layer else 2  # a lazy layer is not given its input size
    return found.replace(
        parameters=list(found.parameters.values())[skipped:], return_annotation=inspect.Signature.empty
    )


_SIGNATURES: Final = {
    layer: _signature(layer) for layer in LAYERS.values() if layer not in (*CONTAINERS, nn.Identity)
}

ORDERED: Final = OrderedDict
