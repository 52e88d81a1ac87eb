"""Who may talk to the page: names, origins, cookies, buckets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baileys_tools.page.rules.access import (
    COOKIE_SECONDS,
    Bucket,
    Listening,
    address_of,
    badge_key,
    bearer_of,
    cookie_holds,
    cookie_value,
    is_same_origin,
    knows_host,
)

TOKEN = "t" * 43


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8787", Listening("127.0.0.1", 8787)),
        ("localhost:1", Listening("localhost", 1)),
        ("[::1]:8787", Listening("::1", 8787)),
        (":8787", Listening("0.0.0.0", 8787)),
        ("0.0.0.0:0", Listening("0.0.0.0", 0)),
    ],
)
def test_an_address_is_understood(text: str, address: Listening) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8787",
        "127.0.0.1",
        "bots.example.org:80",
        "127.0.0.1:65536",
        "1.2.3.4:-1",
        "1.2.3:5",
        "[::1:5",
        "a b:1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|address"):
        address_of(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        (":1", False),
        ("10.0.0.1:1", False),
        ("[::]:1", False),
    ],
)
def test_loopback_is_what_only_this_host_reaches(text: str, loopback: bool) -> None:
    assert address_of(text).is_loopback is loopback


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8787", True),
        ("127.0.0.1", True),
        ("localhost:8787", True),
        ("LOCALHOST", True),
        ("[::1]:8787", True),
        ("192.168.1.5:8787", True),
        ("bots.example.org", True),
        ("Bots.Example.org:443", True),
        ("bots.example.org.", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1:8787@evil.example", False),
        ("evil.example:8787", False),
        ("127.0.0.1:8787 ", False),
        ("127.0.0.1:8787, evil.example", False),
        ("0x7f.1", False),
        ("2130706433", False),
        ("", False),
        ("[evil.example]", False),
        ("bots.example.org\r\nX: y", False),
    ],
)
def test_only_addresses_and_our_names_are_ours(host: str, known: bool) -> None:
    assert knows_host(host, ["bots.example.org"]) is known


@pytest.mark.parametrize(
    ("origin", "site", "by_cookie", "same"),
    [
        ("http://127.0.0.1:8787", "same-origin", True, True),
        ("https://127.0.0.1:8787", "same-origin", True, True),  # TLS ends in front
        ("http://127.0.0.1:8787", None, True, True),
        (None, "same-origin", True, False),
        (None, None, True, False),
        (None, None, False, True),  # a script with the token
        ("null", None, True, False),
        ("null", None, False, False),
        ("127.0.0.1:8787", None, True, False),
        ("http://127.0.0.1:9999", None, True, False),
        ("http://evil.example", None, True, False),
        ("http://evil.example", "cross-site", False, False),
        ("http://127.0.0.1:8787", "cross-site", True, False),
        ("http://127.0.0.1:8787", "same-site", True, False),
        ("http://127.0.0.1:8787.evil.example", None, True, False),
        ("http://127.0.0.1:8787/", None, True, False),
        ("http://http://127.0.0.1:8787", None, True, False),
    ],
)
def test_only_a_page_of_ours_may_post(
    origin: str | None, site: str | None, by_cookie: bool, same: bool
) -> None:
    assert is_same_origin(origin, site, "127.0.0.1:8787", by_cookie=by_cookie) is same


def test_a_cookie_holds_for_its_time_and_its_token() -> None:
    value = cookie_value(TOKEN, 1_000, "abcd")
    assert cookie_holds(TOKEN, value, 1_000)
    assert cookie_holds(TOKEN, value, 999 + COOKIE_SECONDS)
    assert not cookie_holds(TOKEN, value, 1_000 + COOKIE_SECONDS)
    assert not cookie_holds("x" * 43, value, 1_000)
    later = f"{9_999_999_999}.{value.partition('.')[2]}"
    assert not cookie_holds(TOKEN, later, 1_000), "a time that somebody else wrote"


@settings(max_examples=40)
@given(st.text(max_size=200))
def test_no_text_is_a_cookie_by_itself(text: str) -> None:
    assert not cookie_holds(TOKEN, text, 0)
    assert isinstance(knows_host(text, ["a"]), bool)
    assert isinstance(bearer_of(text), str)


def test_a_badges_key_opens_that_badge_alone() -> None:
    assert badge_key(TOKEN, "1001") != badge_key(TOKEN, "1002") != badge_key("x" * 43, "1002")
    assert TOKEN not in badge_key(TOKEN, "1001")


def test_a_bucket_gives_what_it_has_and_fills_again() -> None:
    bucket = Bucket(3, 0.5)
    assert [bucket.takes(0) for _ in range(5)] == [True, True, True, False, False]
    assert not bucket.takes(1.9)
    assert bucket.takes(2.1)
    assert not bucket.takes(2.1)
    assert not bucket.takes(1.0), "a clock that went back gives nothing"
    assert [bucket.takes(1_000) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", ""), ("", ""), ("abc", "")],
)
def test_a_bearer_is_read(header: str, token: str) -> None:
    assert bearer_of(header) == token
