"""Practice: ten questions by a seed, answered one at a time, marked, counted, and printed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import streamlit as st

from explorer.errors import ExplorerError
from explorer.exercises import LEVELS, questions
from explorer.images import plain
from explorer.layers import LayerSpec, Sizes
from explorer.marking import marked, parse_answer
from explorer.questions import Answer, Question
from explorer.ui import controls, link
from explorer.ui.components.copy_link import copy_link
from explorer.ui.show import download
from explorer.worked_examples import written

COUNT: Final = 10
LAST_SEED: Final = 9999

Answers = dict[int, Answer]
"""What was answered, by the number of the question, from 0."""

_ANSWERS, _TROUBLE = "practice answers", "trouble with an answer"


def practice(spec: LayerSpec, shape: Sizes, batch: int, dtype: str) -> None:
    """The panel."""
    st.markdown(
        "**Work it out, then press Enter.** Who opens the same link has the same ten questions; answers stay in this "
        "session."
    )
    level, seed = _set()
    asked = questions(seed, level, COUNT)
    given = _answers(seed, level)
    number = link.read_number("question", 1, 1, COUNT) - 1
    _numbers(asked, given, number)
    with st.container(border=True):
        _ask(asked[number], given, number, f"{seed} {level} {number}")
    _score(asked, given, seed, level)


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
        "Set", 1, LAST_SEED, key=key, on_change=lambda: _take(st.session_state[key]), help="The seed."
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


def _answers(seed: int, level: int) -> Answers:
    """What this session has answered of a set."""
    every: dict[tuple[int, int], Answers] = st.session_state.setdefault(_ANSWERS, {})
    return every.setdefault((seed, level), {})


def _numbers(asked: Sequence[Question], given: Answers, number: int) -> None:
    """The questions by their numbers, with their marks."""
    name = "practice question"
    st.session_state[name] = number
    st.segmented_control(
        "Question",
        range(len(asked)),
        format_func=lambda at: f"{at + 1}{_mark(asked[at], given.get(at))}",
        key=name,
        required=True,
        width="stretch",
        on_change=lambda: _go(st.session_state[name]),
    )


def _mark(question: Question, answer: Answer | None) -> str:
    return "" if answer is None else " ✓" if answer == question.answer else " ✗"


def _go(number: int) -> None:
    link.choose("question", str(number + 1) if number else "")


# One question ----------------------------------------------------------------------------------------


def _ask(question: Question, given: Answers, number: int, key: str) -> None:
    """The question, a field for the answer, and once it is answered, what it is worth and how it goes."""
    st.markdown(f"**{number + 1}.** {plain(question.text)}")
    field, following = st.columns((3, 1), vertical_alignment="bottom")
    name, answered = f"answer {key}", number in given
    if answered:
        st.session_state[name] = written(given[number])
    field.text_input(
        "Your answer",
        key=name,
        disabled=answered,
        on_change=lambda: _answer(question, given, number, st.session_state[name]),
        placeholder=_PLACEHOLDERS[question.kind] if isinstance(question.answer, tuple) else "one number",
        autocomplete="off",
    )
    left = [at for at in (*range(number + 1, COUNT), *range(number)) if at not in given]
    following.button(
        "Next",
        icon=":material/navigate_next:",
        width="stretch",
        disabled=not left,
        on_click=_go,
        args=(left[0] if left else 0,),
    )
    if trouble := st.session_state.pop(_TROUBLE, None):
        st.warning(plain(trouble), icon=":material/edit:")
    if answered:
        verdict = marked(question, given[number])
        (st.success if verdict.right else st.error)(
            plain(verdict.sentence), icon=":material/check:" if verdict.right else ":material/close:"
        )
        st.markdown("**The working**\n\n" + "\n".join(f"- {line}" for line in question.working))


_PLACEHOLDERS: Final[Mapping[str, str]] = {
    "shape": "channels × rows × columns, such as 10×28×28",
    "receptive field": "rows × columns, such as 7×5",
}


def _answer(question: Question, given: Answers, number: int, text: str) -> None:
    """Keep an answer that can be read; of another say why it cannot, and let it be mended."""
    if not text.strip():
        return
    try:
        given[number] = parse_answer(text, question)
    except ExplorerError as error:
        st.session_state[_TROUBLE] = str(error)


# The score -------------------------------------------------------------------------------------------


def score(asked: Sequence[Question], given: Answers) -> int:
    """How many answers are right."""
    return sum(asked[number].answer == answer for number, answer in given.items())


def _score(asked: Sequence[Question], given: Answers, seed: int, level: int) -> None:
    """How many are right so far; at the end, all of them on one page; and the sheet to print."""
    right = score(asked, given)
    if len(given) == len(asked):
        st.markdown(f"### {right} of {len(asked)} right")
        rows = [
            f"| {number + 1} | {plain(question.text)} | {written(given[number])} {_mark(question, given[number])} | "
            f"**{written(question.answer)}** |"
            for number, question in enumerate(asked)
        ]
        st.markdown("\n".join(["| | question | your answer | right |", "|--:|:--|--:|--:|", *rows]))
    elif given:
        st.markdown(f"**{right} of {len(given)} right**, {len(asked) - len(given)} to go.")
    with st.container(horizontal=True, vertical_alignment="center"):
        copy_link("copy practice link")
        download(
            "Sheet to print",
            lambda: sheet(asked, given, seed, level).encode(),
            f"practice-level-{level}-set-{seed}.html",
            "Opens in any browser: questions, what you answered, what is right, the score. Unanswered ones have a line "
            "to write on.",
        )
        if given:
            st.button("Begin again", icon=":material/restart_alt:", on_click=lambda: _again(given))


def _again(given: Answers) -> None:
    given.clear()
    for name in [name for name in st.session_state if str(name).startswith("answer ")]:
        del st.session_state[name]
    link.forget("question")


def sheet(asked: Sequence[Question], given: Answers, seed: int, level: int) -> str:
    """A page of HTML to print: the questions with answers, right ones and score; a line where none is given.

    >>> page = sheet(questions(1, 1), {}, seed=1, level=1)
    >>> page.count("<li>"), "right" in page
    (10, False)
    """
    items = []
    for number, question in enumerate(asked):
        answer = given.get(number)
        if answer is None:
            below = '<p class="line">Answer:</p>'
        else:
            verdict = marked(question, answer)
            below = f"<p>Answer: <b>{escape(written(answer))}</b> {_mark(question, answer).strip()}"
            if not verdict.right:
                below += f"; right: <b>{escape(written(question.answer))}</b>"
            below += "</p>"
        items.append(f"<li><p>{escape(question.text)}</p>{below}</li>")
    done = f"{score(asked, given)} of {len(asked)} right" if len(given) == len(asked) else ""
    if given and not done:
        done = f"{score(asked, given)} of {len(given)} answered right"
    return _SHEET.format(
        level=level, title=escape(LEVELS[level]), seed=seed, score=done, items="\n".join(items)
    )


_SHEET: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>What shape comes out? Level {level}, set {seed}</title>
<style>
body {{ font: 11pt/1.45 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 15pt; margin-bottom: 0; }}
header p {{ display: flex; justify-content: space-between; border-bottom: 1px solid; padding-bottom: .5rem; }}
li {{ break-inside: avoid; margin-bottom: .9rem; }}
li p {{ margin: .2rem 0; }}
.line {{ border-bottom: 1px solid #999; padding-top: .8rem; }}
@page {{ margin: 18mm; }}
@media print {{ body {{ margin: 0; max-width: none; padding: 0; }} }}
</style>
</head>
<body>
<header>
<h1>What shape comes out?</h1>
<p><span>Level {level} ({title}), set {seed}</span><span>{score}</span><span>Name: ____________________</span></p>
</header>
<ol>
{items}
</ol>
</body>
</html>
"""
