"""What memory a network needs in use and in training, and the largest batch that fits a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Final

import streamlit as st
import torch

from explorer.altered_training import blocks
from explorer.desk import desk
from explorer.errors import ModelError
from explorer.figures.memory_charts import memory_chart
from explorer.images import plain
from explorer.memory import (
    CONTEXT,
    DTYPES,
    TITLES,
    Fits,
    Line,
    Memory,
    Setting,
    measured,
    rule_of_thumb,
)
from explorer.networks.source import Network
from explorer.profiling import NetworkProfile
from explorer.quantities import si
from explorer.ui import cache, controls, link

USUAL_BATCH: Final = 32
MOST: Final = 65_536

_PLACES: Final[Mapping[str, tuple[str, bool | None]]] = {
    "own": ("as written", None),
    "yes": ("in place", True),
    "no": ("beside their input", False),
}
_KEPT: Final = {"all": "everything", "second": "every second block", "each": "no block's inside"}


def memory(network: Network, found: NetworkProfile) -> None:
    """Settings, what memory is made of at three moments, what fits, and the courses' rule beside it."""
    if found.failure:
        st.info(plain(f"Memory is that of a network that runs. {found.failure.sentence}"))
        return
    setting = _setting(network)
    with st.spinner("Running a training step without numbers …", show_time=False):
        needs = cache.needs(network.source, network.input_shape, setting)
    st.html(f'<div class="figures">{"".join(_figures(needs))}</div>')
    dark = st.context.theme.type == "dark"
    st.plotly_chart(
        memory_chart(needs.stages, dark), key="memory chart", theme=None, config={"displayModeBar": False}
    )
    if needs.why:
        st.warning(plain(needs.why), icon=":material/info:")
    with st.spinner("Looking for the largest batches …", show_time=False):
        fits, why = _fits(network, setting)
    st.html(_products(needs, fits))
    _compare(network, setting, needs)
    _largest(fits, why, needs)
    _rule(found, setting, needs)
    _on_this_gpu(network, setting, needs)
    st.caption(
        "Measured on a copy of the network that has shapes and no numbers, in a second training step, with the sum of "
        "the outputs as loss. Left out, since they hang on the device: scratch space of cuDNN's kernels, what the "
        "allocator rounds up and keeps in reserve, the driver's context. MB = 10⁶ bytes."
    )


# Settings ---------------------------------------------------------------------------------------------


def _setting(network: Network) -> Setting:
    first, second, third = st.columns(3)
    with first:
        batch = _batch()
    with second:
        dtype = controls.choice(
            "net_dtype", "Numbers", {str(key): words for key, words in DTYPES.items()}, "the type of number"
        )
    with third:
        optimiser = controls.choice("net_optimiser", "Optimiser", TITLES, "the optimiser", usual="adam")
    parts = blocks(network.module)
    first, second = st.columns((1, 1.15))
    with first:
        words = {key: text for key, (text, _) in _PLACES.items()}
        place = controls.choice("net_relu", "ReLUs write", words, "the place", buttons=True)
    with second:
        kept = "all"
        if parts:
            kept = controls.choice(
                "net_checkpoint", "Kept for the backward", _KEPT, "the checkpointing", buttons=True
            )
    chosen = {"all": (), "each": parts, "second": parts[::2]}[kept]
    return Setting(batch, dtype, optimiser, _PLACES[place][1], chosen)  # type: ignore[arg-type]


def _batch() -> int:
    batch, key = link.read_number("net_batch", USUAL_BATCH, 1, MOST), "net batch control"
    st.session_state[key] = batch
    st.number_input(
        "Pictures in a batch",
        1,
        MOST,
        key=key,
        on_change=lambda: link.choose("net_batch", str(st.session_state[key])),
    )
    return batch


# What it comes to -------------------------------------------------------------------------------------


def _figures(needs: Memory) -> list[str]:
    batch = needs.setting.batch
    pictures = "one picture" if batch == 1 else f"{batch:,} pictures"
    figures = [(f"in use, {pictures}", needs.inference_peak)]
    if needs.training:
        figures += [
            (f"in training, {pictures}", needs.training_peak),
            ("of it kept for the backward", needs.saved),
        ]
    return [
        f'<div title="{size:,} bytes"><b>{si(size, "B")}</b><span>{escape(words)}</span></div>'
        for words, size in figures
    ]


def _products(needs: Memory, fits: Fits | None) -> str:
    batch, growth = needs.setting.batch, fits.growth if fits else None
    held = needs.inference.total
    rows = [("Weights and buffers", needs.weights.terms, int(needs.weights.value), "always")]
    if needs.training:
        rows += [
            (
                "Gradients of the weights",
                needs.gradients.terms,
                int(needs.gradients.value),
                "from the backward on",
            ),
            (
                f"State of {TITLES[needs.setting.optimiser]}",
                needs.optimiser.terms,
                int(needs.optimiser.value),
                "from the first step on",
            ),
            (
                "Saved for the backward",
                _terms(growth.saved if growth else None, batch, needs.saved),
                needs.saved,
                "from forward to backward",
            ),
        ]
    used = (
        replace(growth.inference, fixed=growth.inference.fixed - int(needs.weights.value)) if growth else None
    )
    rows.append(("In use: picture and activations", _terms(used, batch, held), held, "at the fullest"))
    if needs.training:
        rows.append(
            (
                "Training: peak",
                _terms(growth.training if growth else None, batch, needs.training_peak),
                needs.training_peak,
                needs.fullest,
            )
        )
    lines = [
        (words, [terms, f'<span title="{size:,} bytes">{si(size, "B")}</span>', f"{size:,}", when])
        for words, terms, size, when in rows
    ]
    return _table(("", "as a product", "bytes", "exactly", "when"), lines)


def _terms(line: Line | None, batch: int, size: int) -> str:
    """A size as so many bytes for each picture, where it is that."""
    if line is None or line.at(batch) != size:
        return "held together"
    fixed = f" + {line.fixed:,}" if line.fixed > 0 else f" − {-line.fixed:,}" if line.fixed else ""
    return f"{line.per_picture:,}×{batch:,}{fixed}"


def _compare(network: Network, setting: Setting, needs: Memory) -> None:
    """What the changes save against the network as it is written."""
    if setting.in_place is None and not setting.checkpointed:
        return
    usual = cache.needs(network.source, network.input_shape, replace(setting, in_place=None, checkpointed=()))
    if not (needs.training and usual.training):
        return
    changes = []
    if setting.in_place is not None:
        changes.append("ReLUs in place" if setting.in_place else "ReLUs that write beside their input")
    if setting.checkpointed:
        blocks_kept = len(setting.checkpointed)
        changes.append(f"{blocks_kept:,} checkpointed block{'s' if blocks_kept > 1 else ''}")
    if (needs.saved, needs.training_peak) == (usual.saved, usual.training_peak):
        words = [f"**{' and '.join(changes)}** change nothing of its memory in training here."]
    else:
        words = [
            f"**With {' and '.join(changes)}** {si(needs.saved, 'B')} are kept for the backward instead of "
            f"{si(usual.saved, 'B')}, and the peak is {si(needs.training_peak, 'B')} instead of "
            f"{si(usual.training_peak, 'B')}."
        ]
    if setting.checkpointed:
        words.append(
            "What is inside a checkpointed block is computed again in the backward: a second forward."
        )
    if setting.in_place:
        words.append("In place changes the result where something else still reads what a ReLU writes over.")
    st.markdown(" ".join(words))


# What fits --------------------------------------------------------------------------------------------


def _fits(network: Network, setting: Setting) -> tuple[Fits | None, str]:
    """The largest batches, or the sentence that says why there are none."""
    try:
        return cache.fits(network.source, network.input_shape, replace(setting, batch=1)), ""
    except ModelError as error:
        return None, str(error)


def _largest(fits: Fits | None, why: str, needs: Memory) -> None:
    st.markdown("**The largest batch that fits**")
    if fits is None:
        st.info(plain(why))
        return
    lines = []
    for fit in fits.rows:
        usable = f'<span title="{fit.gpu.usable:,} bytes">{si(fit.gpu.usable, "B")}</span>'
        trained = "–" if fit.training is None else f"{fit.training:,}"
        lines.append((fit.gpu.name, [usable, trained, f"{fit.inference:,}"]))
    st.html(_table(("", "usable", "in training", "in use"), lines))
    st.caption(
        f"Usable is what torch reports as the card's capacity, less {si(CONTEXT, 'B')} for CUDA's context. cuDNN's "
        "scratch space comes on top of what is counted: leave a tenth."
    )
    _crossing(fits, needs)


def _crossing(fits: Fits, needs: Memory) -> None:
    """From which batch on activations outweigh what does not grow."""
    saved, training = fits.growth.saved, fits.growth.training
    if not (saved and training and needs.training):
        return
    weights = int(needs.weights.value)
    state = weights + int(needs.gradients.value) + int(needs.optimiser.value)
    fixed = f" + {saved.fixed:,}" if saved.fixed else ""
    first, second = saved.first_above(weights), saved.first_above(state)
    sentences = [f"Saved for the backward: **{saved.per_picture:,} × batch{fixed}** bytes."]
    if first and second:
        sentences.append(
            f"That is more than the weights from a batch of **{first:,}** on, and more than weights, gradients and "
            f"optimiser's state together ({si(state, 'B')}) from **{second:,}** on: whether activations or weights "
            "dominate is a question of the batch."
        )
    if needs.setting.dtype == "mixed":
        sentences.append(
            "What does not grow with the batch is mostly the half copies of the weights that autocast makes."
        )
    sentences.append(f"Each further picture costs {si(training.per_picture, 'B')} in training.")
    st.markdown(" ".join(sentences))


# The courses' rule ------------------------------------------------------------------------------------


def _rule(found: NetworkProfile, setting: Setting, needs: Memory) -> None:
    if not needs.training:
        return
    rule = rule_of_thumb(found, setting)
    usual = setting.dtype == "float32" and setting.in_place is None and not setting.checkpointed
    st.markdown("**The rule of thumb of the courses, beside what is held**")
    state = int(needs.weights.value + needs.gradients.value + needs.optimiser.value)
    rows = [
        ("Activations, in use", rule.forward.terms, int(rule.forward.value), needs.inference.total),
        ("Activations, in training", rule.both.terms, int(rule.both.value), needs.saved),
        ("Weights, gradients, optimiser", rule.weights.terms, int(rule.weights.value), state),
        ("Training", "both together", rule.total, needs.training_peak),
    ]
    lines = [
        (words, [terms, si(theirs, "B"), si(ours, "B"), f"× {theirs / ours:.3g}" if ours else "–"])
        for words, terms, theirs, ours in rows
    ]
    st.html(_table(("", "the rule", "comes to", "held", "the rule says"), lines))
    notes = [
        "In use, a map is let go when the next has been made: two or three are held at once, not all of them; an "
        "activation that does not write in place is one of them.",
        "In training, autograd keeps what some layer's backward reads: each map once, the places of the maxima of a "
        "pooling, the masks of dropout. The gradients of maps come and go, a few at a time, so doubling is too much.",
        "The peak has more than both together where the backward or the optimiser's step makes numbers on the way, "
        "and less where activations are let go before all gradients are there.",
    ]
    if not usual:
        notes.append("The rule reckons in float32, with nothing recomputed.")
    st.markdown("\n".join(f"- {note}" for note in notes))


def _on_this_gpu(network: Network, setting: Setting, needs: Memory) -> None:
    if not torch.cuda.is_available() or not needs.training:
        return
    if st.button("Measure on this machine's GPU", icon=":material/memory:"):
        with st.spinner("Two real training steps …"):
            held, reserved = desk().run(
                measured, network.module, network.input_shape, setting, owner=cache.seat().owner
            )
        st.html(
            _table(
                ("", "bytes"),
                [
                    ("Peak as estimated", [si(needs.training_peak, "B")]),
                    ("Peak of tensors, measured", [si(held, "B")]),
                    ("Held by the allocator", [si(reserved, "B")]),
                ],
            )
        )


def _table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Cells are HTML that we made; the words before them are escaped."""
    top = "".join(f'<th scope="col">{escape(words)}</th>' for words in head)
    body = "".join(
        f'<tr><th scope="row">{escape(words)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for words, cells in rows
    )
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="plain-table" tabindex="0">{table}</div>'
