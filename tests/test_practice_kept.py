"""Answers that a visitor's browser keeps: the same when they come back, and nothing from what is none."""

from __future__ import annotations

import json

import pytest

from explorer.exercises import LEVELS, questions
from explorer.marking import Attempt
from explorer.ui.layer_panels.practice import COUNT, as_text, from_text


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", [1, 7, 9999])
def test_answers_come_back_as_they_were(seed: int, level: int):
    asked = questions(seed, level, COUNT)
    made = {
        number: Attempt(question, (question.answer,))
        if number % 3 == 0
        else Attempt(question, (_wrong(question.answer), question.answer))
        if number % 3 == 1
        else Attempt(question, (), given_up=True)
        for number, question in enumerate(asked)
        if number != 4
    }
    back = from_text(as_text(made), asked)
    assert back == made
    assert 4 not in back
    assert [attempt.points for attempt in back.values()] == [attempt.points for attempt in made.values()]
    assert len(as_text(made)) < 2_000


def _wrong(answer: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return answer + 1 if isinstance(answer, int) else (answer[0] + 1, *answer[1:])


def test_nothing_made_is_nothing_kept():
    assert as_text({}) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[" * 5000,
        "[]",
        "3",
        '{"0": 3}',
        '{"0": {"answers": "12"}}',
        '{"0": {"answers": ["<script>"]}}',
        '{"0": {"answers": [null]}}',
        '{"77": {"answers": ["12"]}}',
        json.dumps({"0": {"answers": ["1", "2", "3"]}}),
        json.dumps({"0": {"answers": ["5", "5"]}}),
        json.dumps({"0": {"answers": ["9" * 4000]}}),
    ],
)
def test_what_is_none_is_left_out(text: str):
    asked = [question for seed in range(1, 9) for question in questions(seed, 1) if question.kind == "macs"][
        :1
    ]
    assert from_text(text, asked) == {}


def test_marks_cannot_be_written_into_what_is_kept():
    (question,) = questions(1, 1)[:1]
    told = {"0": {"answers": [], "given_up": False, "right": True, "points": 1}}
    (attempt,) = from_text(json.dumps(told), [question]).values()
    assert not attempt.right
    assert attempt.points == 0
