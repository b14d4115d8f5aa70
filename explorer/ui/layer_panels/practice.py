"""Practice: ten questions by a seed, answered one at a time in two tries, marked, counted, and printed."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import streamlit as st

from explorer.errors import ExplorerError
from explorer.exercises import LEVELS, questions
from explorer.images import plain
from explorer.layers import LayerSpec, Sizes
from explorer.marking import WORTH, Attempt, form, marked, parse_answer, points
from explorer.questions import Kind, Question
from explorer.ui import controls, link
from explorer.ui.components.copy_link import copy_link
from explorer.ui.components.kept import kept
from explorer.ui.layer_panels.sheet import Attempts, mark, score, sheet
from explorer.ui.show import download
from explorer.worked_examples import written

COUNT: Final = 10
LAST_SEED: Final = 9999

_ATTEMPTS, _TROUBLE, _KNOWN = "practice answers", "trouble with an answer", "sets whose answers are known"

MEANING: Final[Mapping[Kind, str]] = {
    "shape": "Channels come first, then rows, then columns; torch's order.",
    "parameters": "Weights, and a bias for each filter unless the question says there are none.",
    "macs": "A MAC is a multiply-add: one product, added to a sum. Count those of one picture; adding biases is none.",
    "receptive field": "All the pixels that can change one number of the output.",
}
"""What is asked, in other words."""


def practice(spec: LayerSpec, shape: Sizes, batch: int, dtype: str) -> None:
    """The panel."""
    st.markdown(
        "**Work it out, then press Enter.** You have two tries at each question: right at once counts 1, on the second "
        f"try {points(WORTH[1])}; then the working is shown. Who opens the same link has the same ten questions; "
        "your answers are kept by your own browser, and by nobody else."
    )
    level, seed = _set()
    asked = questions(seed, level, COUNT)
    made = _attempts(seed, level)
    _keep(asked, made, seed, level)
    number = link.read_number("question", 1, 1, COUNT) - 1
    _numbers(asked, made, number)
    with st.container(border=True):
        _ask(made.get(number) or Attempt(asked[number]), made, number, f"{seed} {level} {number}")
    _score(asked, made, seed, level)


# Which questions -------------------------------------------------------------------------------------


def _set() -> tuple[int, int]:
    """Level and seed, from the link, and the ways to others."""
    left, middle, right = st.columns((2, 1, 1), vertical_alignment="bottom")
    with left:
        titles = {str(level): f"{level} · {title}" for level, title in LEVELS.items()}
        level = int(controls.choice("level", "Level", titles, "the level"))
    seed, key = link.read_number("seed", 1, 1, LAST_SEED), "practice seed"
    st.session_state[key] = seed
    middle.number_input(
        "Set",
        1,
        LAST_SEED,
        key=key,
        on_change=lambda: _take(st.session_state[key]),
        help=f"One of {LAST_SEED:,} sets of {_word(COUNT)} questions on each level: the same number, the same set.",
    )
    right.button(
        f"New {_word(COUNT)}",
        icon=":material/casino:",
        width="stretch",
        on_click=lambda: _take(random.randint(1, LAST_SEED)),
    )
    return level, seed


def _take(seed: int) -> None:
    link.choose("seed", str(seed))
    link.forget("question")


def _word(count: int) -> str:
    return "ten" if count == 10 else str(count)


def _attempts(seed: int, level: int) -> Attempts:
    """What this session has made of a set."""
    every: dict[tuple[int, int], Attempts] = st.session_state.setdefault(_ATTEMPTS, {})
    return every.setdefault((seed, level), {})


def _keep(asked: Sequence[Question], made: Attempts, seed: int, level: int) -> None:
    """Answers survive a reload: the visitor's browser keeps them."""
    known: set[tuple[int, int]] = st.session_state.setdefault(_KNOWN, set())

    def take(text: str) -> None:
        known.add((seed, level))
        if not made:  # what was answered here counts
            made.update(from_text(text, asked))

    if made:
        known.add((seed, level))
    kept("practice kept", f"practice {level} {seed}", as_text(made), (seed, level) in known, take)


def as_text(made: Attempts) -> str:
    """What was made of a set, to be kept; "" for nothing."""
    told = {
        number: {"answers": [written(answer) for answer in attempt.answers], "given_up": attempt.given_up}
        for number, attempt in made.items()
    }
    return json.dumps(told) if told else ""


def from_text(text: str, asked: Sequence[Question]) -> Attempts:
    """The same, taken back: what does not fit the questions is left out."""
    made: Attempts = {}
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return made
    for number, question in enumerate(asked):
        kept_one = told.get(str(number)) if isinstance(told, dict) else None
        if not isinstance(kept_one, dict) or not isinstance(kept_one.get("answers"), list):
            continue
        try:
            answers = tuple(parse_answer(str(answer), question) for answer in kept_one["answers"])
            made[number] = Attempt(question, answers, kept_one.get("given_up") is True)
        except ExplorerError:
            continue
    return made


def _numbers(asked: Sequence[Question], made: Attempts, number: int) -> None:
    """The questions by their numbers, with their marks."""
    name = "practice question"
    st.session_state[name] = number
    st.segmented_control(
        "Question",
        range(len(asked)),
        format_func=lambda at: f"{at + 1} {mark(made[at])}".rstrip() if at in made else str(at + 1),
        key=name,
        required=True,
        width="stretch",
        on_change=lambda: _go(st.session_state[name]),
    )


def _go(number: int) -> None:
    link.choose("question", str(number + 1) if number else "")


# One question ----------------------------------------------------------------------------------------


def _ask(attempt: Attempt, made: Attempts, number: int, key: str) -> None:
    """The question, a field for the answer, what the last one is worth, and when no try is left, how it goes."""
    question = attempt.question
    st.markdown(f"**{number + 1}.** {plain(question.text)}", help=MEANING[question.kind])
    name = f"answer {key}"
    if attempt.answers and (attempt.over or name not in st.session_state):
        st.session_state[name] = written(attempt.answers[-1])
    # a form: what is half typed when the hand goes elsewhere is no answer
    with st.form(f"practice {key}", border=False):
        field, check = st.columns((3, 1), vertical_alignment="bottom")
        field.text_input(
            "Your answer" if not attempt.answers or attempt.over else "Your second answer",
            key=name,
            disabled=attempt.over,
            placeholder=form(question),
            autocomplete="off",
        )
        check.form_submit_button(
            "Check",
            icon=":material/check:",
            width="stretch",
            disabled=attempt.over,
            on_click=lambda: _answer(attempt, made, number, st.session_state[name]),
        )
    if trouble := st.session_state.pop(_TROUBLE, None):
        st.warning(plain(trouble), icon=":material/edit:")
    _say(attempt)
    open_ones = [
        at for at in (*range(number + 1, COUNT), *range(number)) if at not in made or not made[at].over
    ]
    with st.container(horizontal=True):
        if not attempt.over:
            st.button(
                "Show the working",
                icon=":material/lightbulb:",
                help="It counts as not answered right.",
                on_click=lambda: made.__setitem__(number, Attempt(question, attempt.answers, given_up=True)),
            )
        st.button(
            "Next",
            icon=":material/navigate_next:",
            disabled=not open_ones,
            on_click=_go,
            args=(open_ones[0] if open_ones else 0,),
        )


def _say(attempt: Attempt) -> None:
    """What the last answer is worth; and when no try is left, how it goes."""
    question = attempt.question
    if attempt.answers:
        verdict = marked(question, attempt.answers[-1])
        if verdict.right:
            late = " On the second try: it counts ½." if len(attempt.answers) > 1 else ""
            st.success(plain(verdict.sentence + late), icon=":material/check:")
        elif attempt.over:
            st.error(plain(verdict.sentence), icon=":material/close:")
        else:
            st.warning(
                plain(f"{verdict.sentence} One more try: it counts {points(WORTH[1])}."),
                icon=":material/replay:",
            )
    if attempt.over:
        lines = "\n".join(f"- {line}" for line in question.working)
        st.markdown(f"**The answer is {written(question.answer)}.** The working:\n\n{lines}")


def _answer(attempt: Attempt, made: Attempts, number: int, text: str) -> None:
    """Keep an answer that can be read; of another say why it cannot, and let it be mended."""
    try:
        made[number] = attempt.answered(parse_answer(text, attempt.question))
    except ExplorerError as error:
        st.session_state[_TROUBLE] = str(error)


# The score -------------------------------------------------------------------------------------------


def _score(asked: Sequence[Question], made: Attempts, seed: int, level: int) -> None:
    """The points so far; at the end, all answers on one page; and the sheet to print."""
    over = sum(attempt.over for attempt in made.values())
    if over == len(asked):
        st.markdown(f"### {points(score(made))} of {len(asked)} points")
        rows = []
        for number, question in enumerate(asked):
            answers = ", then ".join(map(written, made[number].answers)) or "–"
            rows.append(
                f"| {number + 1} | {plain(question.text)} | {answers} {mark(made[number])} | "
                f"**{written(question.answer)}** |"
            )
        st.markdown("\n".join(["| | question | your answer | right |", "|--:|:--|--:|--:|", *rows]))
    elif over:
        st.markdown(f"**{points(score(made))} of {over} points**, {len(asked) - over} to go.")
    name, here = f"practice-level-{level}-set-{seed}", _address(seed, level)
    with st.container(horizontal=True, vertical_alignment="center"):
        copy_link("copy practice link")
        download(
            "Sheet to print",
            lambda: sheet(asked, made, seed, level, here).encode(),
            f"{name}.html",
            "Opens in any browser, without a network: the questions with room to work, and what you have answered so "
            "far. No answers that you do not have yet.",
        )
        download(
            "Sheet with the key",
            lambda: sheet(asked, {}, seed, level, here, key=True).encode(),
            f"{name}-with-key.html",
            "The empty sheet, and on a page of its own every answer with its working.",
        )
        if made:
            st.button("Begin again", icon=":material/restart_alt:", on_click=lambda: _again(made))


def _address(seed: int, level: int) -> str:
    """Where the same questions can be answered on screen; "" where nobody knows."""
    if not (here := st.context.url):
        return ""
    return f"{here.partition('?')[0]}?{urlencode({'about': 'practice', 'level': level, 'seed': seed})}"


def _again(made: Attempts) -> None:
    made.clear()  # the set stays known: the browser forgets it too
    for name in [name for name in st.session_state if str(name).startswith("answer ")]:
        del st.session_state[name]
    link.forget("question")
