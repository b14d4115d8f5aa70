"""A set of questions on paper: one page of HTML that asks nothing of any server, with or without its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final, TypeAlias

from explorer.exercises import LEVELS
from explorer.marking import Attempt, points
from explorer.questions import Kind, Question
from explorer.worked_examples import written

Attempts: TypeAlias = dict[int, Attempt]
"""What was made of the questions of a set, by their number, from 0."""


def mark(attempt: Attempt) -> str:
    """One sign: right, right on the second try, wrong, or a try left."""
    if attempt.right:
        return "✓" if attempt.points == 1 else "½"
    return "✗" if attempt.over else "↻"


def score(made: Mapping[int, Attempt]) -> float:
    """Points of all questions together."""
    return sum(attempt.points for attempt in made.values())


def sheet(
    asked: Sequence[Question],
    made: Mapping[int, Attempt],
    seed: int,
    level: int,
    address: str = "",
    key: bool = False,
) -> str:
    """A page of HTML to print.

    Args:
        asked: the questions of the set.
        made: what was made of them: answers and, of those that are over, marks; the others get room to work.
        seed, level: of the set.
        address: where to answer on screen; "" leaves it out.
        key: whether all answers follow, with their workings, on a page of their own.

    >>> from explorer.exercises import questions
    >>> page = sheet(questions(1, 1), {}, seed=1, level=1)
    >>> page.count('class="room'), "Answer key" in page
    (10, False)
    """
    items = [_item(question, made.get(number)) for number, question in enumerate(asked)]
    over = sum(attempt.over for attempt in made.values())
    return _SHEET.format(
        level=level,
        title=escape(LEVELS[level]),
        seed=seed,
        score=f"{points(score(made))} of {over} points" if over else f"____ of {len(asked)} points",
        items="\n".join(items),
        terms=" ".join(_TERMS[kind] for kind in _TERMS if any(question.kind == kind for question in asked)),
        address=f"On screen: {escape(address)}" if address else "",
        key=_key(asked, seed, level) if key else "",
    )


_TERMS: Final[Mapping[Kind, str]] = {
    "shape": "Shapes are channels × rows × columns.",
    "macs": "A MAC is a multiply-add, one product added to a sum: count those of one picture, without biases.",
    "receptive field": "The receptive field of a number is all the pixels that can change it.",
}
_ROOM: Final[Mapping[Kind, str]] = {"shape": "", "parameters": "", "macs": "", "receptive field": " tall"}


def _item(question: Question, attempt: Attempt | None) -> str:
    if attempt is None or not (attempt.answers or attempt.over):
        below = f'<div class="room{_ROOM[question.kind]}"></div><p class="line">Answer:</p>'
    else:
        below = f"<p>Answer: <b>{escape(', then '.join(map(written, attempt.answers)) or '–')}</b> {mark(attempt)}"
        if attempt.over and not attempt.right:
            below += f"; right: <b>{escape(written(question.answer))}</b>"
        below += "</p>"
    return f"<li><p>{escape(question.text)}</p>{below}</li>"


def _key(asked: Sequence[Question], seed: int, level: int) -> str:
    items = []
    for question in asked:
        lines = "".join(f"<li>{escape(line)}</li>" for line in question.plain_working)
        items.append(f"<li><p><b>{escape(written(question.answer))}</b></p><ul>{lines}</ul></li>")
    return _KEY.format(level=level, seed=seed, items="\n".join(items))


_KEY: Final = """<section class="key">
<h1>Answer key</h1>
<p>Level {level}, set {seed}</p>
<ol>
{items}
</ol>
</section>"""

_SHEET: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>What shape comes out? Level {level}, set {seed}</title>
<style>
:root {{ color-scheme: light; }}
body {{ font: 11pt/1.45 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; background: #fff;
  color: #111; }}
h1 {{ font-size: 15pt; margin: 0; }}
header p {{ display: flex; flex-wrap: wrap; justify-content: space-between; gap: .2rem 1rem; margin: .4rem 0;
  padding-bottom: .5rem; border-bottom: 1px solid; }}
ol {{ padding-left: 1.8rem; }}
li {{ break-inside: avoid; margin-bottom: .9rem; }}
li p {{ margin: .2rem 0; }}
.room {{ height: 2.6cm; }}
.room.tall {{ height: 4.2cm; }}
.line {{ border-bottom: 1px solid #999; }}
.key {{ break-before: page; margin-top: 3rem; }}
.key ul {{ margin: .1rem 0; padding-left: 1rem; font-size: 9.5pt; }}
.key li {{ margin-bottom: .5rem; overflow-wrap: anywhere; }}
.key li li {{ margin: 0; }}
.small {{ font-size: 9pt; color: #444; overflow-wrap: anywhere; }}
@page {{ margin: 18mm; }}
@media print {{ body {{ margin: 0; max-width: none; padding: 0; }} }}
</style>
</head>
<body>
<header>
<h1>What shape comes out?</h1>
<p><span>Level {level} ({title}), set {seed}</span><span>Name: ____________________</span><span>{score}</span></p>
</header>
<ol>
{items}
</ol>
<footer class="small">
<p>{terms}</p>
<p>{address}</p>
</footer>
{key}
</body>
</html>
"""
