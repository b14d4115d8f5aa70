"""Choices live in the address: it speaks first, follows what is chosen, and speaks again on Back and Forward."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from explorer.ui import link

    link.begin("page")
    st.text(link.read("picture", "cat"))
    for name in ("bird", "coffee"):
        st.button(name, on_click=link.choose, args=("picture", name))
    st.button("nothing")
    link.write()


@pytest.fixture
def at() -> AppTest:
    return AppTest.from_function(page).run()


def shown(at: AppTest) -> str:
    assert not at.exception
    return str(at.text[0].value)


def test_the_address_follows_a_choice(at: AppTest):
    at.button[0].click().run()
    assert shown(at) == "bird"
    assert at.query_params == {"picture": "bird"}


def test_an_address_changed_by_the_browser_speaks_again(at: AppTest):
    at.button[0].click().run()
    del at.query_params["picture"]
    assert shown(at.run()) == "cat"


def test_a_choice_made_before_the_last_address_reached_the_browser_counts(at: AppTest):
    at.button[0].click().run()
    del at.query_params["picture"]  # what a quick hand's browser still has
    at.button[1].click().run()
    assert shown(at) == "coffee"
    assert at.query_params == {"picture": "coffee"}
    del at.query_params["picture"]
    assert shown(at.run()) == "cat", "Back works again afterwards"
