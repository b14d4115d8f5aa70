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


def page_with_a_part() -> None:
    import streamlit as st

    from explorer.ui import link

    link.begin("page")
    st.text(link.read("picture", "cat"))
    spoke = link.spoke()

    @st.fragment
    def part() -> None:
        usual = link.read("picture", "cat") + " eye"
        if st.session_state.get("eye of") != link.read("picture", "cat") and not link.spoke():
            link.forget("detail")
        st.session_state["eye of"] = link.read("picture", "cat")
        st.text(link.read("detail", usual))
        st.button("paw", on_click=link.choose, args=("detail", "paw"))
        link.write_of_part()
        st.text(str(dict(st.query_params)))

    part()
    st.text(str(spoke))
    st.button("bird", on_click=link.choose, args=("picture", "bird"))
    link.write()


@pytest.fixture
def parted() -> AppTest:
    return AppTest.from_function(page_with_a_part).run()


def test_a_part_leaves_the_address_to_the_page_that_runs(parted: AppTest):
    parted.button[1].click().run()
    assert parted.text[0].value == "bird"
    assert parted.text[2].value == "{}", "written at the end, in one step of the history"
    assert parted.query_params == {"picture": "bird"}


def test_a_part_that_runs_alone_writes_what_was_chosen_in_it(parted: AppTest):
    parted.button[0].click().run()
    assert parted.query_params == {"detail": "paw"}


def test_what_is_usual_is_not_a_choice(parted: AppTest):
    assert parted.text[1].value == "cat eye"
    parted.button[1].click().run()
    assert parted.text[1].value == "bird eye", "the usual one of the cat is not kept"


def test_what_the_address_brings_together_belongs_together(parted: AppTest):
    parted.button[0].click().run()
    parted.button[1].click().run()
    assert parted.text[1].value == "bird eye", "the paw was the cat's"
    assert parted.text[3].value == "False"
    parted.query_params["picture"], parted.query_params["detail"] = "cat", "paw"
    parted.run()
    assert parted.text[1].value == "paw"
    assert parted.text[3].value == "True"
    parted.button[1].click().run()
    assert parted.text[3].value == "False"
