"""What a text keeps that is passed on, and what it loses: a word stays only where it is known to be nobody's."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baileys_tools.watching.rules.unnamed import CUSTOMARY, Unnamed, words_of

WORDS = words_of(
    [
        "The session folder of a company is full: look at its creds.json. See `backup.path`, pre-key and shop 1001."
    ]
)
NAMES = {"bakery": "c1", "shop": "c2", "7": "c3", "/srv/my bots": "<sessions>", "berta": "<host>"}


def hidden(text: str) -> str:
    return Unnamed(WORDS | {"sessions", "host"}, frozenset({"creds-lost"}), NAMES).text(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The session folder is full", None),
        ("creds-lost", None),
        ("see backup.path: creds.json, pre-key-17.json", None),
        ("at 2026-11-29 22:43 of 2026-11-29T22:43:01Z", None),
        ("company bakery is full", "company c1 is full"),
        ("company_bakery, auth_bakery", "company_c1, auth_c1"),
        ("company shop: a shop", "company c2: a c2"),
        ("company 7 is full: 7 of 70", "company c3 is full: 7 of 70"),
        ("/srv/my bots/company_bakery/creds.json", "<sessions>/company_c1/creds.json"),
        ("look at /home/erna/session", "look at ~/session"),
        ("/srv/company/full/session", "/srv/x1/x2/session"),
        ("of Erna and Erna", "of x1 and x1"),
        ("4917012345678@s.whatsapp.net", "x1"),
        ("+49 170 123 45 67", "x1"),
        ("0170/1234567", "x1"),
        ("session-4917012345678.0.json", "session-x1.json"),
        ("https://shop.company.full/session", "https://x1/..."),
        ("http://127.0.0.1:3000/creds", "http://127.0.0.1:3000/..."),
        ("of ***bakery, ***@full and company_***-full", "of ***, *** and ***"),
        ("at 10.0.0.7", "at x1"),
        ("shop.company", "x1"),
        ("full-session-look", None),
        ("full-session-canary", "x1"),
        ("cOmPaNy", "x1"),
        ("folder\x1b[2J\n\u202e", "folder?[x1??"),
    ],
)
def test_what_stays(text: str, expected: str | None) -> None:
    found = hidden(text)
    assert re.sub(r"x\d+", "x", found) == re.sub(r"x\d+", "x", text if expected is None else expected)


@given(st.text(max_size=200))
@example("backup.path")
def test_no_word_stays_that_is_not_known(text: str) -> None:
    found = hidden(text)
    assert all(" " <= one <= "~" for one in found)
    known = (
        WORDS
        | words_of(CUSTOMARY)
        | words_of(["http https sftp s3 localhost sessions state repository settings host user"])
    )
    parts = {part for word in known for part in word.split(".")}
    for word in re.findall(r"[A-Za-z]{3,}", found):
        assert word.lower() in parts, (text, found)


@given(
    st.integers(min_value=10**6, max_value=10**18), st.sampled_from(["", "+", "company ", "/srv/", "full@"])
)
def test_no_long_number_stays(number: int, before: str) -> None:
    assert str(number) not in hidden(f"{before}{number} is full")


def test_a_word_is_called_the_same_each_time() -> None:
    hides = Unnamed(WORDS, frozenset(), {})
    assert hides.text("Erna, Emil, Erna") == "x1, x2, x1"
    assert hides.text("Emil") == "x2"
