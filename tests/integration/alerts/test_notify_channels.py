"""Each alert channel against real servers on loopback: what arrives, and what a hostile one can do (nothing)."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import pytest

from baileys_tools.alerts.channels.answers import LONGEST_RETRY_AFTER, MOST_TRIES, parse_retry_after
from baileys_tools.alerts.channels.delivery import ALERT_SECONDS, Channel, deliver
from baileys_tools.alerts.channels.telegram import LONGEST_TEXT
from baileys_tools.alerts.channels_of import channels_of
from baileys_tools.alerts.rules.message import Message, Sent
from baileys_tools.config import Notify, Secret
from tests.servers import (
    HOSTILE,
    Reply,
    Request,
    answering,
    drips_body,
    floods,
    free_url,
    hangs_up,
    speaking,
)

TOKEN = "123456:AAcanary0telegram0canary0telegram00"
CHAT = "-1009876543210"
WORD = "canary0in0the0address0000"
KINDS = ("webhook", "telegram", "apprise")
MESSAGE = Message(
    "critical",
    "CRITICAL on bot7",
    "CRITICAL on bot7\n\nCRITICAL company 1: <b>_x_",
    {"host": "bot7", "alerts": []},
)
PATIENCE = {"webhook": 1.5, "telegram": 1.5, "apprise": 4.0}
"""Seconds for an alert to a server that never ends; Apprise has a process to start."""
GRACE = 3.0


def channel_to(kind: str, url: str) -> Channel:
    """The channel as the settings make it, with `url` (http://host:port) at its other end."""
    if kind == "webhook":
        notify = Notify(webhook=Secret(f"{url}/hook/{WORD}"))
    elif kind == "telegram":
        notify = Notify(telegram_bot_token=Secret(TOKEN), telegram_chat_id=Secret(CHAT), telegram_api=url)
    else:
        scheme, _, place = url.partition("://")
        secure = "s" if scheme == "https" else ""
        notify = Notify(urls=(Secret(f"json{secure}://user:{WORD}@{place}/{WORD}?redirect=yes"),))
    (channel,) = channels_of(notify)
    return channel


def send(kind: str, url: str, seconds: float = ALERT_SECONDS) -> Sent:
    ((sent,),) = deliver([(channel_to(kind, url), [MESSAGE])], alert_seconds=seconds)
    assert not any(secret in sent.trouble for secret in (WORD, TOKEN, CHAT)), sent.trouble
    return sent


# --- what arrives -------------------------------------------------------------------------------------------


def test_a_webhook_gets_text_level_and_facts_as_json() -> None:
    with answering(lambda _: Reply({})) as server:
        assert send("webhook", server.url) == Sent()
    (asked,) = server.requests
    assert (asked.method, asked.path, asked.headers["content-type"]) == (
        "POST",
        f"/hook/{WORD}",
        "application/json",
    )
    assert asked.json == {
        "text": MESSAGE.text,
        "level": "critical",
        "title": MESSAGE.title,
        "host": "bot7",
        "alerts": [],
    }


def test_a_user_in_the_address_goes_as_a_header() -> None:
    with answering(lambda _: Reply({})) as server:
        (channel,) = channels_of(Notify(webhook=Secret(server.url.replace("://", "://me:p%40ss@") + "/x")))
        assert channel.send(MESSAGE, 5) == Sent()
    assert server.requests[0].headers["authorization"] == "Basic bWU6cEBzcw=="
    assert "@" not in server.requests[0].headers["host"]


def test_telegram_gets_plain_text_without_a_preview() -> None:
    with answering(lambda _: Reply({"ok": True})) as server:
        assert send("telegram", server.url) == Sent()
    (asked,) = server.requests
    assert asked.path == f"/bot{TOKEN}/sendMessage"
    assert asked.json == {
        "chat_id": CHAT,
        "text": MESSAGE.text,
        "link_preview_options": {"is_disabled": True},
        "disable_notification": False,
    }


def test_what_is_over_does_not_ring_on_telegram() -> None:
    with answering(lambda _: Reply({"ok": True})) as server:
        channel_to("telegram", server.url).send(MESSAGE._replace(level="ok"), 5)
    assert server.requests[0].json["disable_notification"] is True


@pytest.mark.parametrize("text", ["x" * 5_000, "\N{PARTY POPPER}" * 3_000, "a\N{PARTY POPPER}" * 3_000])
def test_no_text_is_longer_than_telegram_takes(text: str) -> None:
    with answering(lambda _: Reply({"ok": True})) as server:
        channel_to("telegram", server.url).send(MESSAGE._replace(text=text), 5)
    sent = server.requests[0].json["text"]
    assert LONGEST_TEXT - 10 < len(sent.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    assert sent.endswith("\n...")


def test_apprise_gets_title_body_and_type() -> None:
    with answering(lambda _: Reply({})) as server:
        assert send("apprise", server.url) == Sent()
    (asked,) = server.requests
    assert asked.path == f"/{WORD}"
    assert (asked.json["title"], asked.json["message"], asked.json["type"]) == (
        MESSAGE.title,
        "CRITICAL company 1: <b>_x_",
        "failure",
    )


def test_apprise_leaves_nothing_in_the_users_folders(own_home: Path) -> None:
    with answering(lambda _: Reply({})) as server:
        send("apprise", server.url)
    assert [*own_home.rglob("*")] == []


def test_an_address_that_apprise_does_not_know_is_said_without_it() -> None:
    (channel,) = channels_of(Notify(urls=(Secret(f"nosuch://{WORD}"),)))
    assert channel.name == "apprise 1 (nosuch)"
    assert channel.send(MESSAGE, 10).trouble == "Apprise does not know such an address"


# --- what goes wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("talk", [*HOSTILE, floods], ids=lambda talk: talk.__name__)
def test_a_hostile_server_ends_in_words_within_the_deadline(
    kind: str, talk: Callable[[socket.socket, threading.Event], None]
) -> None:
    started = time.monotonic()
    with speaking(talk) as url:
        sent = send(kind, url, PATIENCE[kind])
    assert time.monotonic() - started < PATIENCE[kind] + GRACE
    # What says 200 has taken the message: what follows is not waited for.
    is_taken = talk in (floods, drips_body, hangs_up) and kind != "apprise"
    assert bool(sent.trouble) != is_taken


@pytest.mark.parametrize("kind", ["webhook", "telegram"])
def test_an_answer_that_says_yes_and_never_ends_is_a_yes_at_once(kind: str) -> None:
    def keeps_open(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        over.wait(20)

    started = time.monotonic()
    with speaking(keeps_open) as url:
        sent = send(kind, url, PATIENCE[kind])
    assert not sent.trouble
    assert time.monotonic() - started < PATIENCE[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_drip_of_a_byte_a_second_is_no_way_around_the_deadline(kind: str) -> None:
    def drips(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(1):
            connection.sendall(b"a")

    started = time.monotonic()
    with speaking(drips) as url:
        assert send(kind, url, PATIENCE[kind]).trouble
    assert time.monotonic() - started < PATIENCE[kind] + GRACE


@pytest.mark.parametrize("kind", KINDS)
def test_a_gzip_bomb_is_not_unpacked(kind: str) -> None:
    bomb = gzip.compress(bytes(1 << 20), 9) * 1_000  # 1 MB that unpacks to 1 GB

    def answer(_: Request) -> Reply:
        return Reply(bomb, 200, {"Content-Encoding": "gzip"})

    started = time.monotonic()
    with answering(answer) as server:
        sent = send(kind, server.url, 15)
    assert time.monotonic() - started < 15 + GRACE
    assert bool(sent.trouble) == (kind == "apprise"), sent


REDIRECTS = [(kind, status) for status in (301, 302, 307, 308) for kind in KINDS]


@pytest.mark.parametrize(
    ("kind", "status"),
    # Apprise is a process of its own: one that keeps the method and one that does not.
    [
        pytest.param(*one, marks=pytest.mark.faults if one in (("apprise", 302), ("apprise", 307)) else ())
        for one in REDIRECTS
    ],
)
def test_no_redirect_is_followed(kind: str, status: int) -> None:
    with (
        answering(lambda _: Reply("stolen")) as thief,
        answering(lambda _: Reply({}, status, {"Location": f"{thief.url}/x"})) as server,
    ):
        sent = send(kind, server.url)
    assert thief.requests == []
    assert (
        sent.trouble == f"answered with a redirect ({status}), which is not followed: give the final address"
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [401, 404, 500])
def test_an_error_is_told_in_words(kind: str, status: int) -> None:
    body = {"ok": False, "error_code": status, "description": "No such\x1b[2J chat for " + TOKEN}
    with answering(lambda _: Reply(body, status)) as server:
        sent = send(kind, server.url)
    assert str(status) in sent.trouble
    assert sent.trouble.isprintable()
    assert not sent.is_refused


@pytest.mark.parametrize("kind", ["webhook", "telegram"])
def test_a_message_that_is_refused_is_told_from_a_channel_that_is_down(kind: str) -> None:
    with answering(lambda _: Reply({"description": "message text is empty"}, 400)) as server:
        assert send(kind, server.url).is_refused


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_listens_is_told_in_words(kind: str) -> None:
    assert send(kind, free_url()).trouble


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_nobody_vouches_for_is_not_taken(kind: str, tmp_path: Path) -> None:
    with with_own_certificate(tmp_path) as (url, seen):
        assert send(kind, url).trouble
    assert seen == []


@pytest.mark.parametrize("kind", ["webhook", "telegram"])
def test_whom_to_trust_is_what_the_operator_named(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list in SSL_CERT_FILE, alone: what it leaves out is not trusted for standing in another list."""
    from baileys_tools.frame.http import _trusted

    with with_own_certificate(tmp_path) as (url, seen):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        _trusted.cache_clear()
        try:
            assert send(kind, url) == Sent()
            assert len(_trusted(True).get_ca_certs()) == 1
        finally:
            _trusted.cache_clear()
    assert len(seen) == 1


# --- when the other side is busy ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("kind", ["webhook", "telegram"])
def test_a_short_pause_is_waited_for(kind: str, status: int) -> None:
    asked: list[float] = []

    def answer(_: Request) -> Reply:
        asked.append(time.monotonic())
        return Reply({}, status, {"Retry-After": "1"}) if len(asked) == 1 else Reply({"ok": True})

    with answering(answer) as server:
        assert send(kind, server.url, 5) == Sent()
    assert asked[1] - asked[0] >= 1


@pytest.mark.parametrize(
    ("kind", "pause"),
    [
        ("webhook", "0"),
        ("telegram", format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)),
        ("apprise", "0"),
    ],
)
def test_a_server_that_stays_busy_is_asked_five_times_a_second_apart(kind: str, pause: str) -> None:
    asked: list[float] = []

    def answer(_: Request) -> Reply:
        asked.append(time.monotonic())
        return Reply({"parameters": {"retry_after": 0}}, 429, {"Retry-After": pause})

    with answering(answer) as server:
        sent = send(kind, server.url)
    assert "429" in sent.trouble or kind == "apprise"
    assert 1 <= len(asked) <= MOST_TRIES
    assert all(later - earlier >= 0.99 for earlier, later in pairwise(asked))
    assert sent.retry_after is not None
    assert sent.retry_after >= timedelta(seconds=1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_pause_is_left_to_a_later_run(kind: str) -> None:
    started = time.monotonic()
    with answering(lambda _: Reply({}, 429, {"Retry-After": "1800"})) as server:
        sent = send(kind, server.url)
    assert time.monotonic() - started < ALERT_SECONDS + GRACE
    assert len(server.requests) == 1
    assert sent.retry_after == timedelta(minutes=30)
    assert not sent.is_refused


def test_telegram_says_the_pause_in_its_answer_too() -> None:
    said = {"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 700}}
    with answering(lambda _: Reply(said, 429)) as server:
        assert send("telegram", server.url) == Sent(
            "answered 429: Too Many Requests", False, timedelta(seconds=700)
        )


NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("120", timedelta(minutes=2)),
        (" 0 ", timedelta(seconds=1)),
        ("999999999", LONGEST_RETRY_AFTER),
        (format_datetime(NOW + timedelta(minutes=3), usegmt=True), timedelta(minutes=3)),
        (format_datetime(NOW - timedelta(days=3), usegmt=True), timedelta(seconds=1)),
        (format_datetime(NOW + timedelta(days=400), usegmt=True), LONGEST_RETRY_AFTER),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("\u0661", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(text: str, pause: timedelta | None) -> None:
    assert parse_retry_after(text, NOW) == pause


# --- several channels ---------------------------------------------------------------------------------------


def test_channels_do_not_wait_for_each_other_and_the_run_ends_in_time() -> None:
    began = time.monotonic()
    arrived: list[float] = []

    def quick(message: Message, seconds: float) -> Sent:
        arrived.append(time.monotonic() - began)
        return Sent()

    def stuck(message: Message, seconds: float) -> Sent:
        threading.Event().wait(60)
        return Sent()

    def broken(message: Message, seconds: float) -> Sent:
        raise RuntimeError(WORD)

    work = [
        (Channel("stuck", stuck), [MESSAGE]),
        (Channel("quick", quick), [MESSAGE, MESSAGE]),
        (Channel("broken", broken), [MESSAGE, MESSAGE]),
        (Channel("idle", quick), []),
    ]
    results = deliver(work, alert_seconds=0.2, run_seconds=0.4)
    assert time.monotonic() - began < 2
    assert results == [[Sent("no answer in time")], [Sent(), Sent()], [Sent("failed (RuntimeError)")], []]
    assert max(arrived) < 1


def test_a_channel_that_fails_is_not_tried_with_the_next_message_but_after_a_refusal_it_is() -> None:
    def failing(message: Message, seconds: float) -> Sent:
        return Sent("down")

    def choosy(message: Message, seconds: float) -> Sent:
        return Sent("no", is_refused=True) if message is MESSAGE else Sent()

    other = MESSAGE._replace(level="ok")
    work = [(Channel("a", failing), [MESSAGE, other]), (Channel("b", choosy), [MESSAGE, other])]
    assert deliver(work) == [[Sent("down")], [Sent("no", is_refused=True), Sent()]]


# --- proxies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_alerts_leave_by_the_proxy_of_the_environment(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda _: Reply({"ok": True})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://me:s%40cret@"))
        assert send(kind, "http://alerts.invalid:80") == Sent()
    (asked,) = proxy.requests
    assert asked.path.startswith("http://alerts.invalid")
    assert asked.headers["proxy-authorization"] == "Basic bWU6c0BjcmV0"


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda _: Reply({})) as server, answering(lambda _: Reply({}, 502)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert send("webhook", server.url) == Sent()
    assert proxy.requests == []


def test_a_proxy_that_refuses_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda _: Reply({}, 407)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        trouble = send("webhook", "https://alerts.invalid").trouble
    assert trouble in ("the proxy did not let the request through", "answered 501")
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    assert (
        send("webhook", "https://alerts.invalid").trouble
        == "the proxy that the environment names is not an HTTP proxy"
    )


@contextmanager
def with_own_certificate(folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    """A TLS server whose certificate it signed itself; yield its URL and what requests it could read."""
    import subprocess

    from tests.support import require_tool

    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [require_tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    seen: list[bytes] = []

    def talk(connection: socket.socket, over: threading.Event) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                seen.append(secure.recv(65_536))
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                # A socket that closes on what it has not read breaks the connection, and the answer with it.
                while secure.recv(65_536):
                    pass
        except ssl.SSLError:
            pass

    with speaking(talk) as url:
        yield url.replace("http://", "https://"), seen


def test_json_of_a_message_is_plain_ascii() -> None:
    """Some receivers guess at encodings."""
    with answering(lambda _: Reply({})) as server:
        channel_to("webhook", server.url).send(MESSAGE._replace(text="caf\u00e9 \U0001f389"), 5)
    assert server.requests[0].body.isascii()
    assert json.loads(server.requests[0].body)["text"] == "caf\u00e9 \U0001f389"


def test_the_drip_catches_a_careless_client() -> None:
    """One whose time limit is for each read: else a green run above would mean nothing."""
    import httpx

    done = threading.Event()

    def post(url: str) -> None:
        with pytest.raises(httpx.HTTPError):
            httpx.post(url, json={}, timeout=0.5)
        done.set()

    with speaking(drips_body) as url:
        threading.Thread(target=post, args=(url,), daemon=True).start()
        assert not done.wait(1.5 + GRACE)
