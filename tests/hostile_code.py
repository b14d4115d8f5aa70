"""Code that is refused, each with the sentence, the line and the column that tell why."""

from __future__ import annotations

from typing import NamedTuple


class Hostile(NamedTuple):
    """What somebody pastes, and what they are told."""

    source: str
    reason: str
    line: int
    column: int


HOSTILE = [
    Hostile("nn.Conv2D(3, 4, 3)", "nn.Conv2D is not a layer that is read: did you mean nn.Conv2d?", 1, 1),
    Hostile("nn.Conv2d(3, 4", "missing “)”: this bracket was never closed.", 1, 10),
    Hostile("nn.Conv2d(3, 4))", "“)” closes nothing: one bracket too many.", 1, 16),
    Hostile("nn.Conv2d(3, 4]", "“]” does not close “(”.", 1, 15),
    Hostile("nn.Conv2d(3 4, 3)", "a comma seems to be missing here.", 1, 11),
    Hostile("nn.Linear(10**10**10, 3)", "this power is too large.", 1, 11),
    Hostile(
        "nn.Linear(2**62, 3)", "4,611,686,018,427,387,904 is larger than any axis of a tensor can be.", 1, 1
    ),
    Hostile("nn.Linear(9999999999, 3)", "9,999,999,999 is larger than any axis of a tensor can be.", 1, 1),
    Hostile(
        "nn.Linear(2**31-1, 2**31-1)", "nn.Linear: its weights have more elements than can be counted.", 1, 1
    ),
    Hostile("x = [0]*10**9", "this is repeated to a length of 1,000,000,000; at most 4,096.", 1, 5),
    Hostile('x = "a"*10**9', "this is repeated to a length of 1,000,000,000; at most 1,000.", 1, 5),
    Hostile("x = [0]*4000*4000", "this is repeated to a length of 16,000,000; at most 4,096.", 1, 5),
    Hostile(
        "x = [[0]*4096 for _ in range(4096)]",
        "the code takes more than 100,000 steps: is there a loop that does not end?",
        1,
        6,
    ),
    Hostile("x = range(10**9)", "this range is 1,000,000,000 long; at most 4,096 are gone through.", 1, 5),
    Hostile(
        "while True: pass", "the code takes more than 100,000 steps: is there a loop that does not end?", 1, 7
    ),
    Hostile(
        "for i in range(4000):\n    for j in range(4000): pass",
        "the code takes more than 100,000 steps: is there a loop that does not end?",
        2,
        5,
    ),
    Hostile(
        "def f(): return f()\nf()", "more than 30 functions call one another: does f call itself?", 1, 17
    ),
    Hostile(
        "f = lambda: f()\nf()", "more than 30 functions call one another: does lambda call itself?", 1, 13
    ),
    Hostile(
        "().__class__.__bases__[0].__subclasses__()",
        "__class__ reaches into Python itself and is not read.",
        1,
        1,
    ),
    Hostile("nn.Module.__subclasses__()", "__subclasses__ reaches into Python itself and is not read.", 1, 1),
    Hostile('__import__("os").system("ls")', "__import__ reaches outside the network and is not read.", 1, 1),
    Hostile(
        'import os\nos.system("ls")',
        "os.system works with files and the system, which code here cannot reach.",
        2,
        1,
    ),
    Hostile(
        'from os import system\nsystem("ls")',
        "os.system works with files and the system, which code here cannot reach.",
        2,
        1,
    ),
    Hostile(
        'open("/etc/passwd")', "open works with files and the system, which code here cannot reach.", 1, 1
    ),
    Hostile('eval("1+1")', "eval runs text as code, which is not done here: write out what it makes.", 1, 1),
    Hostile('exec("x=1")', "exec runs text as code, which is not done here: write out what it makes.", 1, 1),
    Hostile(
        'torch.load("x.pt")',
        "torch.load works with files and the system, which code here cannot reach.",
        1,
        1,
    ),
    Hostile(
        "torch.ops.aten.relu(1)",
        "torch.ops reaches torch's inside: use the functions of torch and torch.nn.functional.",
        1,
        1,
    ),
    Hostile(
        'torch.hub.load("a/b", "c")',
        "torch.hub downloads code: name the network, as torchvision.models.resnet18().",
        1,
        1,
    ),
    Hostile("import tensorflow as tf", "this is code of TensorFlow; only PyTorch is read.", 1, 8),
    Hostile("from keras.layers import Dense", "this is code of Keras; only PyTorch is read.", 1, 1),
    Hostile("model = keras.Sequential([Dense(3)])", "keras is code of Keras; only PyTorch is read.", 1, 9),
    Hostile('Conv2D(32, (3, 3), activation="relu")', "Conv2D is code of Keras; only PyTorch is read.", 1, 1),
    Hostile("global x", "“global” is not read: give the value as an argument.", 1, 1),
    Hostile(
        ("def f():\n    global x\n    x = 1\n    return nn.ReLU()\nf()"),
        "“global” is not read: give the value as an argument.",
        2,
        5,
    ),
    Hostile("async def f(): pass", "“async” is not read: a network does not wait.", 1, 1),
    Hostile(("def f():\n    yield 1\nf()"), "“yield” is not read: make a list.", 2, 5),
    Hostile("match 1:\n    case 1: pass", "“match” is not read: write if and elif.", 1, 1),
    Hostile("class A(nn.Module, nn.Linear): pass", "the class A extends several; one is read.", 1, 20),
    Hostile("@foo\nclass A(nn.Module): pass", "the decorator @foo is not read.", 1, 2),
    Hostile(
        ("import functools\n@functools.lru_cache\ndef f(): pass"),
        "the decorator @functools.lru_cache is not read.",
        2,
        2,
    ),
    Hostile(
        "nn.Sequential([nn.ReLU()])",
        "nn.Sequential takes layers one by one, and a list arrives: write a “*” before it.",
        1,
        1,
    ),
    Hostile(
        "nn.Sequential(nn.ReLU)",
        "number 1 of nn.Sequential is the class nn.ReLU itself: write nn.ReLU(…).",
        1,
        15,
    ),
    Hostile("nn.Sequential(nn.ReLU(), None)", "number 2 of nn.Sequential is None, and no layer.", 1, 26),
    Hostile(
        "nn.Linear(28*28/4, 10)",
        (
            "nn.Linear: in_features must be a whole number, and 196.0 arrives (“//” divides into whole "
            "numbers)."
        ),
        1,
        11,
    ),
    Hostile('nn.Linear("a", 3)', "nn.Linear: in_features must be a whole number, and a text arrives.", 1, 11),
    Hostile(
        "nn.Linear(nn.ReLU(), 3)",
        "nn.Linear: in_features is a layer (ReLU), where a number is expected.",
        1,
        11,
    ),
    Hostile("nn.Linear(3)", "nn.Linear needs out_features.", 1, 1),
    Hostile("nn.Linear(3, 4, 5, 6, 7, 8)", "nn.Linear takes 3 arguments, and 6 are given.", 1, 1),
    Hostile(
        "nn.Conv2d(3, 4, 3, filters=3)",
        "nn.Conv2d has no argument “filters”: did you mean out_channels?",
        1,
        28,
    ),
    Hostile(
        "nn.Conv2d(3, 4, 3, kernal_size=3)",
        "nn.Conv2d has no argument “kernal_size”: did you mean kernel_size?",
        1,
        32,
    ),
    Hostile("nn.Conv2d(3, 4, 3, kernel_size=3)", "nn.Conv2d is given kernel_size twice.", 1, 1),
    Hostile("nn.Conv2d(3, 4, 0)", "nn.Conv2d: kernel_size must be at least 1, and 0 arrives.", 1, 17),
    Hostile("nn.Conv2d(3, 4, 3, groups=2)", "nn.Conv2d: in_channels must be divisible by groups.", 1, 1),
    Hostile("nn.Dense(3, 4)", "nn.Dense is not a layer that is read: did you mean nn.Linear?", 1, 1),
    Hostile(
        "nn.MaxPooling2D(2)", "nn.MaxPooling2D is not a layer that is read: did you mean nn.MaxPool2d?", 1, 1
    ),
    Hostile("nn.Foo()", "nn.Foo is not a layer that is read.", 1, 1),
    Hostile("torch.foo(1)", "torch.foo is not a function that is read: did you mean torch.floor?", 1, 1),
    Hostile("F.rellu(1)", "F.rellu is not a function that is read: did you mean F.relu?", 1, 1),
    Hostile("ReLU()", "“ReLU” is not known: did you mean nn.ReLU?", 1, 1),
    Hostile("nп.Conv2d(3,4,3)", "“nп” is not known: its “п” (U+043F) is no letter of ASCII.", 1, 1),
    Hostile("netz = 1\nnett", "“nett” is not known: did you mean next?", 2, 1),
    Hostile("“a”", "“ is a typographic quote: code needs ' or \".", 1, 1),
    Hostile("nn.Conv2d(3,4,3)\u200b", "an invisible character (U+200B) stands here: delete it.", 1, 17),
    Hostile("x = 1\n  y = 2", "this line is indented further than the one before it.", 2, 2),
    Hostile("if 1:\nx = 1", "what follows the 'if' statement of line 1 must be indented.", 2, 1),
    Hostile(("if 1:\n\tx=1\n        y=2"), "tabs and spaces are mixed in the indentation.", 3, 1),
    Hostile('print "a"', "print needs brackets: print(…).", 1, 1),
    Hostile('s = "abc', "this text has no closing quote.", 1, 5),
    Hostile('s = """abc', "this text has no closing quotes.", 1, 5),
    Hostile("x = = 1", "this is not Python: invalid syntax.", 1, 5),
    Hostile("x = 1/0", "this divides by zero.", 1, 5),
    Hostile("x = 1 << 1000", "this shift is too large.", 1, 5),
    Hostile("x = f\"{'a':100000}\"", "the format “100000” is not read.", 1, 5),
    Hostile('x = "%100000d" % 1', "of the “%” formats, %d, %i and %s are read.", 1, 5),
    Hostile('x = "{:100000}".format(1)', "of the formats, {}, {0} and {name} are read.", 1, 5),
    Hostile('x = "{0.__class__}".format(1)', "of the formats, {}, {0} and {name} are read.", 1, 5),
    Hostile("x = [1,2][5]", "there is no entry 5 in a list of 2.", 1, 5),
    Hostile('x = {}["a"]', "the dictionary has no key 'a'.", 1, 5),
    Hostile("a, b = 1, 2, 3", "3 values arrive for 2 names.", 1, 1),
    Hostile("a, b = 5", "5 cannot be gone through one by one.", 1, 1),
    Hostile("x = len(5)", "5 has no length.", 1, 5),
    Hostile('x = int("abc")', "int(): invalid literal for int() with base 10: 'abc'.", 1, 5),
    Hostile('x = 1 + "a"', "1 and a text cannot be combined like this.", 1, 5),
    Hostile("x = nn.ReLU() + 1", "a layer (ReLU) and 1 cannot be combined like this.", 1, 5),
    Hostile("net = nn.Sequential(); net.append(net)", "In this network something contains itself.", 0, 0),
    Hostile(
        (
            "l = []\n"
            "l.append(l)\n"
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.l = l\n"
            "    def forward(self, x): return x"
        ),
        "In this network something contains itself.",
        0,
        0,
    ),
    Hostile(
        "x = nn.ReLU()\nfor i in range(1000): x = nn.Sequential(x)",
        "In this network layers are nested more than 30 deep.",
        0,
        0,
    ),
    Hostile(
        ("a = nn.Sequential(*[nn.ReLU()]*100)\nb = nn.Sequential(*[a]*100)\nc = nn.Sequential(*[b]*100)"),
        "Written out, the network has 1,010,101 layers; at most 5,000 are run.",
        0,
        0,
    ),
    Hostile(
        ("class A(nn.Module):\n    def __init__(self):\n        self.c = nn.ReLU()"),
        "super().__init__() must be called before self.c is set.",
        3,
        9,
    ),
    Hostile(
        ("class A(nn.Module):\n    def __init__(self):\n        pass"),
        "__init__ of A never calls super().__init__().",
        2,
        5,
    ),
    Hostile(("class A:\n    pass\nA()"), "the class A is no module: write class A(nn.Module).", 3, 1),
    Hostile(
        ("class A(nn.Module):\n    def __init__(self, n):\n        super().__init__()"),
        "The class A needs arguments: add a line that makes it, as net = A(…).",
        0,
        0,
    ),
    Hostile(
        ("class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.c = foo"),
        "“foo” is not known.",
        4,
        18,
    ),
    Hostile(
        "x = 3", "The code makes no network: no nn.Module is assigned, and no class extends nn.Module.", 0, 0
    ),
    Hostile("# nothing", "There is no code yet.", 0, 0),
    Hostile("return 3", "“return” stands outside a function.", 1, 1),
    Hostile("break", "“break” or “continue” stands outside a loop.", 0, 0),
    Hostile('raise ValueError("no")', "the code raises ValueError: no.", 1, 1),
    Hostile('assert 1 == 2, "wrong"', "the code's own check fails: wrong.", 1, 1),
    Hostile(("class A(nn.Linear):\n    pass\nA(3)"), "nn.Linear needs out_features.", 3, 1),
    Hostile(
        "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 1000)",
        "nn.TransformerEncoder: num_layers is 1,000; at most 64 are built.",
        1,
        57,
    ),
    Hostile(
        "nn.LSTM(3, 4, num_layers=100000)", "nn.LSTM: num_layers is 100,000; at most 64 are built.", 1, 26
    ),
    Hostile(
        "models.resnet17()", "resnet17 is not a network of torchvision: did you mean models.resnet18?", 1, 1
    ),
    Hostile("models.resnet18(foo=1)", "models.resnet18: foo is not read here.", 1, 1),
    Hostile(
        "from .blocks import Block\nBlock(3)", "Block comes from another file: paste its code too.", 2, 1
    ),
    Hostile(
        "import numpy as np\nnp.zeros(3)",
        "numpy.zeros is not read: of numpy nothing has a part in the shapes of a network.",
        2,
        1,
    ),
    Hostile(
        'import timm\ntimm.create_model("a")',
        "timm's networks are not read: torchvision.models are, and code written out.",
        2,
        1,
    ),
    Hostile("x = (1).__class__", "__class__ reaches into Python itself and is not read.", 1, 5),
    Hostile('getattr(nn, "__dict__")', "__dict__ reaches into Python itself and is not read.", 1, 1),
    Hostile(
        'getattr(torch, "load")("x")',
        "torch.load works with files and the system, which code here cannot reach.",
        1,
        1,
    ),
    Hostile("type(nn.ReLU()).__bases__", "__bases__ reaches into Python itself and is not read.", 1, 1),
    Hostile(
        "x = torch.zeros(2**31, 2**31, 2**31)",
        "2,147,483,648 is larger than any axis of a tensor can be.",
        1,
        5,
    ),
    Hostile(
        "x = torch.zeros(2**30, 2**30).unbind(0)",
        "a tensor of 1,073,741,824 × 1,073,741,824 elements is larger than all limits.",
        1,
        5,
    ),
    Hostile(
        "x = torch.zeros(4).item()",
        "item() asks for the values of a tensor, and the table knows shapes alone.",
        1,
        5,
    ),
    Hostile(
        "if torch.zeros(1) > 0: pass",
        "this condition depends on the values of a tensor, and the table knows shapes alone.",
        1,
        4,
    ),
    Hostile('x = b"abc"', "neither bytes nor complex numbers have a part in a network.", 1, 5),
    Hostile("x = 3j", "neither bytes nor complex numbers have a part in a network.", 1, 5),
    Hostile("x = {1, 2, 3}", "“set” is not read here.", 1, 5),
    Hostile("del x[0]", "“del” is read for names alone.", 1, 5),
    Hostile(
        'nn.Sequential(OrderedDict([("a.b", nn.ReLU())]))',
        "a layer cannot be called 'a.b': choose another name.",
        1,
        1,
    ),
    Hostile(
        'nn.Sequential(OrderedDict([("forward", nn.ReLU())]))',
        "a layer cannot be called 'forward': choose another name.",
        1,
        1,
    ),
    Hostile(
        'nn.Sequential({"a": nn.ReLU()})',
        "nn.Sequential takes no plain dictionary: write OrderedDict(…) around it.",
        1,
        1,
    ),
    Hostile("nn.Parameter(3)", "nn.Parameter needs a tensor, and 3 arrives.", 1, 1),
    Hostile(
        "nn.ModuleList(nn.ReLU(), nn.ReLU())",
        "nn.ModuleList takes one list, and 2 arguments are given: put [ ] around them.",
        1,
        1,
    ),
    Hostile(
        "nn.ModuleList([nn.ReLU])",
        "number 1 of nn.ModuleList is the class nn.ReLU itself: write nn.ReLU(…).",
        1,
        1,
    ),
    Hostile("vars()", "vars reaches outside the network and is not read.", 1, 1),
    Hostile('input("?")', "input() waits for an answer, and nobody is there to give it.", 1, 1),
    Hostile(
        "x = [i for i in range(4000) for j in range(4000)]",
        "a list is 4,097 long; at most 4,096 are kept.",
        1,
        5,
    ),
    Hostile(
        "from math import *\nfrom os import *",
        "“from os import *” is not read: name what is imported.",
        2,
        16,
    ),
    Hostile("nn.functional.__dict__", "__dict__ reaches into Python itself and is not read.", 1, 1),
    Hostile(
        'with open("x") as f: pass',
        "open works with files and the system, which code here cannot reach.",
        1,
        6,
    ),
    Hostile(
        'import pickle\npickle.loads("x")',
        "pickle.loads works with files and the system, which code here cannot reach.",
        2,
        1,
    ),
    Hostile("nn.Conv2d(3, 4, 3)(5)", "nn.Conv2d runs on a tensor, and 5 arrives.", 1, 1),
    Hostile("nn.Embedding(3, 4, _weight=1)", "nn.Embedding: 'int' object has no attribute 'shape'.", 1, 1),
    Hostile("x = (-2) ** 0.5", "complex numbers have no part in a network.", 1, 5),
    Hostile("x = 2 ** 65", "this power is too large.", 1, 5),
    Hostile("x = 9223372036854775807 + 1", "a number is larger than 2**63.", 1, 5),
    Hostile(
        ("a = [1] * 4096\nb = [a] * 4096\nc = b == [list(a)] * 4096"),
        "the code takes more than 100,000 steps: is there a loop that does not end?",
        3,
        5,
    ),
    Hostile("d = {(1, (2, 3)): 1}", "a tuple cannot be the key of a dictionary.", 1, 6),
    Hostile("d = {nn.ReLU(): 1}", "a layer (ReLU) cannot be the key of a dictionary.", 1, 6),
    Hostile("import jax.numpy as jnp", "this is code of JAX; only PyTorch is read.", 1, 8),
    Hostile("net = nn.Sequential(nn.ReLU()).to('cuda')[3]", "there is no layer 3 among 1.", 1, 7),
    Hostile(
        "net = nn.Linear(3, 4)\nnet.weight.data.foo()",
        "a tensor has no “foo” that is read: did you mean floor?",
        2,
        1,
    ),
    Hostile("net = nn.Linear(3, 4)\nnet.wait", "nn.Linear has no “wait”.", 2, 1),
    Hostile(
        "net = nn.Linear(3, 4)\nnet.in_features = 7",
        "“in_features” of nn.Linear is given when it is made, and not set later.",
        2,
        1,
    ),
    Hostile(
        "net = nn.Linear(3, 4)\nnet.__dict__['x'] = 1",
        "__dict__ reaches into Python itself and is not read.",
        2,
        1,
    ),
    Hostile("net = nn.Linear(3, 4)\nnet.extra = nn.ReLU()", "nn.Linear has no layer “extra”.", 2, 1),
    Hostile(
        ("class A(nn.Module):\n    def __getattr__(self, name):\n        return 1"),
        "the method __getattr__ is not read.",
        2,
        5,
    ),
    Hostile(
        ("class A(metaclass=type):\n    pass\nA()"),
        "the class A is no module: write class A(nn.Module).",
        3,
        1,
    ),
    Hostile("class A(dict):\n    pass", "dict is not a module that a class can extend.", 1, 9),
    Hostile("def f(a, b): return a\nf(1)", "f() needs b.", 2, 1),
    Hostile(
        "def f(a): return a\nf(1, 2)", "f() takes 1 of its arguments by position, and 2 are given.", 2, 1
    ),
    Hostile("def f(a): return a\nf(b=1)", "f() has no argument “b”.", 2, 1),
    Hostile("def f(a): return a\nf(1, a=2)", "f() is given a twice.", 2, 1),
    Hostile("print(*[1])\nf(**[1])", "“f” is not known: did you mean F?", 2, 1),
    Hostile(
        "def f(**k): return k\nf(**[1])", "“**” needs a dictionary with texts as keys, not a list.", 2, 5
    ),
    Hostile("x = [*5]", "5 cannot be gone through one by one.", 1, 6),
    Hostile("*a, *b = [1]", "two names with a “*” stand on one side.", 1, 1),
    Hostile("x = y := 3", "this is not Python: invalid syntax.", 1, 7),
    Hostile("(x := nn.ReLU())\nx.foo", "nn.ReLU has no “foo”.", 2, 1),
    Hostile("for i in 5: pass", "5 cannot be gone through one by one.", 1, 10),
    Hostile("for i in nn.ReLU(): pass", "a layer (ReLU) cannot be gone through one by one.", 1, 10),
    Hostile("with nn.ReLU(): pass", "“with a layer (ReLU)” is not read.", 1, 6),
    Hostile("super().__init__()", "super() stands outside a method of a class.", 1, 1),
    Hostile("x = -'a'", "a text has no sign.", 1, 5),
    Hostile("x = ~1.5", "this sign: bad operand type for unary ~: 'float'.", 1, 5),
    Hostile("x = 'a' % (1, 2)", "this format: not all arguments converted during string formatting.", 1, 5),
    Hostile("x = '{} {}'.format(1)", "format() needs more values than the 1 that it is given.", 1, 5),
    Hostile("x = '{a}'.format(b=1)", "format() is given no “a”.", 1, 5),
    Hostile("x = 'a'.join([1])", "join() takes a list of short texts.", 1, 5),
    Hostile("x = ['a'] * -1 + 3", "a list and 3 cannot be combined like this.", 1, 5),
    Hostile("x = sum([[1]], 3)", "3 and a list cannot be combined like this.", 1, 5),
    Hostile("x = max([])", "max(): max() arg is an empty sequence.", 1, 5),
    Hostile("x = sorted([nn.ReLU()])", "sorted() is read for numbers and texts.", 1, 5),
    Hostile("x = zip(3)", "3 cannot be gone through one by one.", 1, 5),
    Hostile("x = int([1])", "int() cannot take a list.", 1, 5),
    Hostile("x = round('a')", "round() takes numbers.", 1, 5),
    Hostile("x = isinstance(1, foo)", "“foo” is not known.", 1, 19),
    Hostile("x = isinstance(1, 2)", "isinstance() does not know 2.", 1, 5),
    Hostile("x = list(range(1, 10, 0))", "range(): range() arg 3 must not be zero.", 1, 10),
    Hostile("x = range(1.5)", "range() takes one to three whole numbers, not 1.5.", 1, 5),
    Hostile("x = 'abc'.encode()", "a text has no “encode” that is read.", 1, 5),
    Hostile("x = [].sort()", "a list has no “sort” that is read.", 1, 5),
    Hostile("x = [1].index(2)", "index(): 2 is not in list.", 1, 5),
    Hostile("x = [].pop()", "pop(): pop from empty list.", 1, 5),
    Hostile("x = (1, 2).foo", "a tuple has no “foo” that is read.", 1, 5),
    Hostile(
        "nn.Conv2d(3, 4, 3, padding='sane')",
        "nn.Conv2d: padding is “sane”; the words for it are “same” and “valid”.",
        1,
        28,
    ),
    Hostile(
        "nn.Conv2d(3, 4, 3, device='cuda', dtype=torch.float16)",
        "nn.Conv2d: dtype is not read here; the table counts for any.",
        1,
        1,
    ),
    Hostile(
        "nn.Conv2d(3, True, 3)", "nn.Conv2d: out_channels must be a whole number, and True arrives.", 1, 14
    ),
    Hostile("nn.Conv2d(-3, 4, 3)", "nn.Conv2d: in_channels must be at least 1, and -3 arrives.", 1, 11),
    Hostile("nn.BatchNorm2d()", "nn.BatchNorm2d needs num_features.", 1, 1),
    Hostile(
        "nn.Dropout(1.5)", "nn.Dropout: dropout probability has to be between 0 and 1, but got 1.5.", 1, 1
    ),
    Hostile("nn.Flatten(1, 2, 3)", "nn.Flatten takes 2 arguments, and 3 are given.", 1, 1),
    Hostile(
        "nn.GroupNorm(3, 8)", "nn.GroupNorm: num_channels (8) must be divisible by num_groups (3).", 1, 1
    ),
    Hostile(
        "nn.MultiheadAttention(7, 2)",
        "nn.MultiheadAttention: embed_dim must be divisible by num_heads.",
        1,
        1,
    ),
    Hostile("nn.Upsample(scale_factor=foo)", "“foo” is not known.", 1, 26),
    Hostile("nn.ModuleDict([1])", "nn.ModuleDict takes a dictionary, and a list arrives.", 1, 1),
    Hostile("nn.ModuleDict({'a': 3})", "“a” of nn.ModuleDict is 3, and no layer.", 1, 1),
    Hostile(
        "nn.Conv2d(torch.zeros(1), 3, 3)",
        "nn.Conv2d: in_channels is a tensor, where a number is expected.",
        1,
        11,
    ),
    Hostile(
        "nn.Conv2d(print, 3, 3)", "nn.Conv2d: in_channels must be a whole number, and print arrives.", 1, 11
    ),
    Hostile("nn.Linear(in_features=3, out=4)", "nn.Linear has no argument “out”.", 1, 30),
    Hostile("nn.Linear([3], 4)", "nn.Linear: in_features must be a whole number, and a list arrives.", 1, 11),
    Hostile("nn.Linear(None, 4)", "nn.Linear: in_features must be a whole number, and None arrives.", 1, 11),
    Hostile(
        "nn.Sequential(nn.ReLU(), [nn.ReLU()])",
        "nn.Sequential takes layers one by one, and a list arrives: write a “*” before it.",
        1,
        1,
    ),
    Hostile(
        "def block(): return nn.ReLU()\nnn.Sequential(block)",
        "number 1 of nn.Sequential is the function block: write block(…).",
        2,
        15,
    ),
    Hostile(
        "class B(nn.Module): pass\nnn.Sequential(B)",
        "number 1 of nn.Sequential is the class B itself: write B(…).",
        2,
        15,
    ),
    Hostile("nn.Sequential(layers=3)", "nn.Sequential has no argument “layers”.", 1, 1),
    Hostile("nn.Sequential(nn.ReLU())(x)", "“x” is not known.", 1, 26),
    Hostile(
        "nn.ModuleList([nn.ReLU()])(torch.zeros(1))",
        "nn.ModuleList cannot be called: go through it with “for”.",
        1,
        1,
    ),
    Hostile("nn.ReLU()()", "nn.ReLU runs on a tensor, and nothing arrives.", 1, 1),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.forward = 3"
        ),
        "self.forward is set; write def forward(self, x) in the class.",
        4,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self.modules = nn.ReLU()"
        ),
        "a layer cannot be called 'modules': choose another name.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self.__x = 3"
        ),
        "__x belongs to Python.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self._kept = nn.ReLU()"
        ),
        "a layer cannot be called '_kept': choose another name.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self.add_module('a.b', nn.ReLU())"
        ),
        "a layer cannot be called 'a.b': choose another name.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self.add_module('a', 3)"
        ),
        "number 2 of add_module() is 3, and no layer.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self.register_buffer('a', 3)"
        ),
        "register_buffer() takes a tensor, and 3 arrives.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self.register_parameter('a', torch.zeros(1))"
        ),
        "register_parameter() takes an nn.Parameter.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self.x = self.y"
        ),
        "self of A has no “y”.",
        5,
        18,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self.c.foo()"
        ),
        "nn.Conv2d has no “foo”.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        self.c.forward.__globals__"
        ),
        "__globals__ reaches into Python itself and is not read.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        super().foo()"
        ),
        "the class above has no “foo”.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "        A.x = 3"
        ),
        "“x” of the class A cannot be set.",
        5,
        9,
    ),
    Hostile(
        (
            "class A(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.c = nn.Conv2d(3, 4, 3)\n"
            "\n"
            "    @A.foo\n"
            "    def f(self): pass"
        ),
        "“A” is not known.",
        6,
        6,
    ),
    Hostile(
        ("class A(nn.Module):\n    def __init__(self):\n        super().__init__(3)"),
        "super().__init__() of nn.Module takes no arguments.",
        3,
        9,
    ),
    Hostile(
        ("class A(nn.Conv2d):\n    def __init__(self):\n        super().__init__(3, 4)"),
        "nn.Conv2d needs kernel_size.",
        3,
        9,
    ),
    Hostile(
        "m = nn.Sequential(nn.ReLU())\nfor _ in range(40): m = nn.Sequential(m, copy.deepcopy(m))",
        "“copy” is not known.",
        2,
        42,
    ),
    Hostile(
        ("import copy\nm = nn.ReLU()\nfor _ in range(40): m = nn.Sequential(m, copy.deepcopy(m))"),
        "more than 2,000 layers are built.",
        3,
        42,
    ),
    Hostile(
        "nn.TransformerEncoder(nn.ReLU(), 2)", "nn.TransformerEncoder: encoder_layer is a layer (ReLU).", 1, 1
    ),
    Hostile("[nn.ReLU() for _ in range(2001)]", "more than 2,000 layers are built.", 1, 2),
    Hostile("models.resnet18('DEFAULT', 3)", "models.resnet18: name the arguments, as num_classes=10.", 1, 1),
    Hostile("models.resnet18(num_classes=0)", "models.resnet18: num_classes is 0.", 1, 1),
    Hostile(
        "[models.resnet18() for _ in range(9)]",
        "the code takes more than 100,000 steps: is there a loop that does not end?",
        1,
        2,
    ),
    Hostile("torch.zeros(1).numpy()", "a tensor has no “numpy” that is read.", 1, 1),
    Hostile("torch.zeros([1] * 70)", "70 numbers are given; at most 64 are read here.", 1, 1),
    Hostile("torch.zeros(*[1] * 17)", "a tensor has 17 axes; at most 16 are read.", 1, 1),
    Hostile("torch.linspace(0, 1, 10**6)", "torch.linspace is read for up to 5,000 numbers.", 1, 1),
    Hostile("torch.cat([torch.zeros(1)], out=3)", "torch.cat: out is not read here.", 1, 1),
    Hostile("torch.zeros(3)[1.5]", "a tensor is not indexed by 1.5.", 1, 1),
    Hostile("x = torch.zeros(3)\nx[nn.ReLU()] = 1", "a tensor is not indexed by a layer (ReLU).", 2, 1),
    Hostile(
        "torch.zeros(2, 3)[torch.zeros(2, 3) > 0]",
        "what this mask selects depends on values, and the table knows shapes alone.",
        1,
        1,
    ),
    Hostile("float(torch.zeros(1))", "float() takes numbers.", 1, 1),
    Hostile(
        "int(torch.zeros(1))",
        "int() asks for the values of a tensor, and the table knows shapes alone.",
        1,
        1,
    ),
    Hostile("torch.zeros(4096, 3).unbind(0)", "unbind makes 4,096 pieces; at most 1,024 are kept.", 1, 1),
    Hostile("a, b = torch.zeros(3, 2)", "3 values arrive for 2 names.", 1, 1),
    Hostile("torch.utils.cpp_extension.load(name='x')\nx = y", "“y” is not known.", 2, 5),
    Hostile("torch.nn.parameter.Buffer(3)", "nn.Buffer is not a layer that is read.", 1, 1),
    Hostile("builtins.open('x')", "“builtins” is not known.", 1, 1),
    Hostile(
        "nn.functional.relu.__globals__", "__globals__ reaches into Python itself and is not read.", 1, 1
    ),
    Hostile(
        "d2l.foo.bar.__class__.x()\nnn.Foo()", "__class__ reaches into Python itself and is not read.", 1, 1
    ),
    Hostile(("a = 1\n\n\tb = 2"), "this line is indented further than the one before it.", 3, 1),
    Hostile("x = 'a\nb'", "this text has no closing quote.", 1, 5),
    Hostile("x = 1__0", "this is not Python: invalid decimal literal.", 1, 6),
    Hostile(
        "0777",
        (
            "this is not Python: leading zeros in decimal integer literals are not permitted; use an 0o"
            " prefix for octal integers."
        ),
        1,
        1,
    ),
    Hostile("x = 1 if 2", "this is not Python: expected 'else' after 'if' expression.", 1, 5),
    Hostile("else: pass", "this is not Python: invalid syntax.", 1, 1),
    Hostile("def f(x=): pass", "this is not Python: expected default value expression.", 1, 8),
    Hostile("f(a=1, 2)", "an argument without a name stands after one with a name.", 1, 9),
    Hostile("x = [1, 2", "missing “]”: this bracket was never closed.", 1, 5),
    Hostile("x = {1: 2", "missing “}”: this bracket was never closed.", 1, 5),
    Hostile("x = (1]\n)", "“]” does not close “(”.", 1, 7),
    Hostile("class A\n    pass", "a “:” is missing here.", 1, 8),
    Hostile("import", "this is not Python: invalid syntax.", 1, 7),
    Hostile("from x import", "this is not Python: invalid syntax.", 1, 14),
    Hostile("x = `1`", "` is a typographic quote: code needs ' or \".", 1, 5),
    Hostile("x = ‘a’", "‘ is a typographic quote: code needs ' or \".", 1, 5),
    Hostile("x = $1", "this is not Python: invalid syntax.", 1, 5),
    Hostile("x = a?", "this is not Python: invalid syntax.", 1, 6),
    Hostile("\x00", "A null byte stands here: this is not a text file.", 1, 1),
    Hostile("x = '\ud800'", "Half a character (U+D800) stands here: save the file as UTF-8.", 1, 6),
    Hostile("\u200b", "an invisible character (U+200B) stands here: delete it.", 1, 1),
    Hostile("(" * 100 + ")" * 100, "more than 60 brackets stand inside one another.", 1, 61),
    Hostile("x = " + "[" * 61 + "]" * 61, "more than 60 brackets stand inside one another.", 1, 65),
    Hostile("x = " + "-" * 100 + "1", "more than 60 expressions stand inside one another.", 1, 64),
    Hostile("x = a" + ".b" * 100, "more than 60 expressions stand inside one another.", 1, 5),
    Hostile("x" * 100_001, "The code is 100,001 characters long; at most 100,000 are read.", 0, 0),
    Hostile("x = " + "9" * 5000, "a number has more than 4,300 digits.", 1, 1),
    Hostile("x = 0x" + "f" * 2000, "a number is larger than 2**63.", 1, 5),
    Hostile(
        "-" * 90_000 + "1",
        "The code is nested too deeply: at most 60 expressions inside one another.",
        0,
        0,
    ),
    Hostile(
        "x = " + "lambda: " * 5000 + "1",
        "The code is nested too deeply: at most 60 expressions inside one another.",
        0,
        0,
    ),
    Hostile(
        "if 1: pass\n" + "elif 1: pass\n" * 100, "more than 60 expressions stand inside one another.", 61, 1
    ),
]
"""Mistakes of learners, what is not PyTorch, what reaches outside, and what takes all time or memory."""

CLASS = """class A(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 4, 3)
    def forward(self, x):
        """
"""A network whose forward is one of these lines."""

FORWARDS = {
    "while True: pass": "the code takes more than 100,000 steps",
    "return self.forward(x)": "more than 30 functions call one another",
    "return self(x)": "more than 30 functions call one another",
    "for i in range(4096): x = self.c(torch.zeros(1, 3, 8, 8)) + 1": "more than 5,000 layers and operations",
    "return x + nn.ReLU()": "a tensor and a layer (ReLU) cannot be combined.",
    "return F.relu(3)": "F.relu: relu(): argument 'input' (position 1) must be Tensor",
    "return self.d(x)": "self of A has no “d”.",
    "if x.sum() > 0: return x": "this condition depends on the values of a tensor",
    "return x.numpy()": "a tensor has no “numpy” that is read.",
    "return x[x > 0]": "what this mask selects depends on values",
    "return x.split([1] * 64 * 64, 1)": "at most",
    "for r in x.repeat(4096, 1, 1, 1): pass": "too many pieces",
    "return self.c.__dict__": "__dict__ reaches into Python itself",
    "return self.c._parameters": "nn.Conv2d has no “_parameters”.",
    "return x.roll([1] * 4096, [0] * 4096)": "4,096 numbers are given",
    "return torch.zeros([1] * 17)": "a tensor has 17 axes",
    "return torch.eye(2**31 - 1)": "is larger than all limits",
    "return torch.tensor([[[1.0] * 60] * 60] * 60)": "the code takes more than 100,000 steps",
    "a = (1,) * 4096; b = (a,) * 4096; return {(b,) * 4096: 1}": "cannot be the key of a dictionary",
    "return F.conv2d(x, self.c.weight, stride=0)": "F.conv2d: integer division or modulo by zero.",
    "return x.item()": "item() asks for the values of a tensor",
    "return torch.where(x > 0)": "torch.where asks for the values of a tensor",
    "return open('x')": "works with files and the system",
    "return __import__('os').system('ls')": "reaches outside the network",
}
"""Lines of a forward, and what whoever runs them is told."""
