"""Secrets are taken out of any text, whoever wrote it."""

from __future__ import annotations

import pytest

from baileys_tools.config import Secret
from baileys_tools.masking import masked, remember_secret

WEBHOOK = (
    "https://user:pass-canary@hooks.example.org:8443/services/T0CANARY1/abcdefcanary0123456789?key=k3y-canary"
)


def test_a_known_secret_is_hidden_wherever_it_stands() -> None:
    Secret("canary-one-two")
    assert masked("before canary-one-two, after") == "before ***, after"


@pytest.mark.parametrize(
    "shown",
    [
        WEBHOOK,
        "/services/T0CANARY1/abcdefcanary0123456789",
        "POST /services/T0CANARY1 HTTP/1.1",
        "abcdefcanary0123456789",
        "key=k3y-canary",
        "login user:pass-canary failed",
    ],
)
def test_so_is_each_part_of_an_address_that_tells_something(shown: str) -> None:
    remember_secret(WEBHOOK)
    assert "canary" not in masked(shown).lower()


def test_ordinary_words_of_an_address_stay() -> None:
    remember_secret(WEBHOOK)
    assert masked("the services at hooks.example.org do not answer") == (
        "the services at hooks.example.org do not answer"
    )


def test_a_password_is_hidden_as_it_is_typed_and_as_it_is_meant() -> None:
    remember_secret("mailto://me:s%40canary@example.org")
    assert masked("wrong password s@canary or s%40canary") == "wrong password *** or ***"


@pytest.mark.parametrize(
    "text",
    [
        "http://proxy:hunter2@10.0.0.1:3128 refused",
        "POST https://api.telegram.org/bot123456:AAHhunter2hunter2hunter2_x/sendMessage",
        "AGE-SECRET-KEY-1HUNTER2HUNTER2",
        "Authorization: Bearer hunter2-hunter2",
        "proxy-authorization: Basic aHVudGVyMg==hunter2",
    ],
)
def test_what_looks_like_a_secret_is_one(text: str) -> None:
    assert "hunter2" not in masked(text).lower()


def test_plain_text_stays_as_it_is() -> None:
    text = "company 1001: 176 counted files (limit 175), see https://example.org/a@b and me@example.org"
    assert masked(text) == text
