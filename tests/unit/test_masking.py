"""Secrets are taken out of any text, whoever wrote it."""

from __future__ import annotations

import pytest

from baileys_tools.config import Secret
from baileys_tools.masking import masked, masked_address, remember_secret

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


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("https://bots.example.org/api/whatsapp/persistent-session", None),
        ("https://bots.example.org/0a1b2c3d4e/v1", "https://bots.example.org/***/v1"),
        ("https://bots.example.org/hQzJtRbLmWxKpVnY", "https://bots.example.org/***"),
        ("https://me:hunter2@bots.example.org/v1", "https://***@bots.example.org/v1"),
        ("https://me:hunter2@more@bots.example.org", "https://***@bots.example.org"),
        (
            "https://bots.example.org/v1?key=hunter2&id={company}",
            "https://bots.example.org/v1?key=***&id={company}",
        ),
        ("/instance/connectionState/{company}", None),
        ("/api/{company}/0a1b2c3d4e", "/api/{company}/***"),
        ("/x/{company}?token=hunter2", "/x/{company}?token=***"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(address: str, shown: str | None) -> None:
    assert masked_address(address) == (address if shown is None else shown)
