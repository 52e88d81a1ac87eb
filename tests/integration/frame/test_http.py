"""One request, against servers that mean well and servers that do not."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from baileys_tools.frame.http import Answer, HttpError, send, send_all
from baileys_tools.frame.http import Request as Asked
from baileys_tools.masking import masked_number
from tests.servers import HOSTILE, Reply, Request, answering, drips_body, floods, free_url, hangs, speaking

SECRET = "canary-of-a-token"
Talk = Callable[[socket.socket, threading.Event], object]


def request(method: str, url: str, **how: Any) -> Answer:
    return send(Asked(method, url, **how))


def test_an_answer_comes_with_its_status_and_body() -> None:
    def answer(asked: Request) -> Reply:
        return Reply({"you said": asked.json}, 201, {"Retry-After": "7"})

    with answering(answer) as server:
        said = request("POST", f"{server.url}/a%2Fb?x=1", headers={"X-Api-Key": SECRET}, body=b'"hello"')
    assert (said.status, said.is_success, said.body, said.cut) == (201, True, b'{"you said": "hello"}', False)
    assert said.headers["retry-after"] == "7"
    (asked,) = server.requests
    assert (asked.method, asked.path, asked.headers["x-api-key"]) == ("POST", "/a%2Fb?x=1", SECRET)


def test_a_redirect_is_not_followed() -> None:
    with (
        answering(lambda _: Reply("treasure")) as other,
        answering(lambda _: Reply(None, 302, {"Location": other.url})) as server,
    ):
        assert request("GET", server.url).status == 302
    assert other.requests == []


def test_no_proxy_of_the_environment_sees_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda _: Reply("direct")) as server, answering(lambda _: Reply("proxy")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert request("GET", server.url).body == b'"direct"'
    assert proxy.requests == []


@pytest.mark.parametrize("talk", HOSTILE, ids=lambda talk: talk.__name__)
def test_a_hostile_server_ends_in_an_error_within_the_deadline(talk: Talk) -> None:
    with speaking(talk) as url:
        started = time.monotonic()
        with pytest.raises(HttpError):
            request("GET", f"{url}/{SECRET}", headers={"X-Api-Key": SECRET}, deadline=0.4)
        assert time.monotonic() - started < 5, "they would go on for twenty"


def test_a_request_that_nobody_takes_ends_as_well() -> None:
    """The send buffers fill up, and from then on each write waits."""
    with speaking(lambda _, over: over.wait(20)) as url:
        started = time.monotonic()
        with pytest.raises(HttpError):
            request("POST", url, body=bytes(64 << 20), deadline=0.5)
        assert time.monotonic() - started < 5


def test_of_a_flood_only_the_limit_is_read() -> None:
    with speaking(floods) as url:
        said = request("GET", url, limit=100_000)
    assert (len(said.body), said.cut) == (100_000, True)


def test_a_deadline_that_each_read_keeps_is_what_httpx_would_miss() -> None:
    """The harness proves itself: the usual client sits there for longer than it was told."""
    import httpx

    with speaking(drips_body) as url:
        started = time.monotonic()
        taken = 0
        with httpx.stream("GET", url, timeout=0.4) as response:
            for _ in response.iter_raw():
                taken = time.monotonic() - started > 1.2
                if taken:
                    break
    assert taken


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://no-such-host.invalid/", "cannot be found"),
        ("ftp://127.0.0.1/", "neither http"),
        ("http://127.0.0.1:port/", "cannot be sent"),
    ],
)
def test_what_cannot_be_reached_is_said_in_words(url: str, says: str) -> None:
    with pytest.raises(HttpError, match=says):
        request("GET", url, deadline=5)


def test_a_port_where_nothing_listens_is_refused() -> None:
    with pytest.raises(HttpError, match="nothing listens"):
        request("GET", free_url())


def test_plain_http_on_an_https_address_is_an_error() -> None:
    with answering(lambda _: Reply()) as server, pytest.raises(HttpError, match="TLS"):
        request("GET", server.url.replace("http:", "https:"), deadline=3)


@pytest.mark.parametrize("talk", HOSTILE, ids=lambda talk: talk.__name__)
def test_no_error_and_no_log_tells_the_secret(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with speaking(talk) as url:
        try:
            request(
                "POST",
                f"{url}/bot{SECRET}/send",
                headers={"X-Api-Key": SECRET},
                body=SECRET.encode(),
                deadline=0.2,
            )
        except HttpError as error:
            shown = "".join(traceback.format_exception(error)) + repr(error.args)
    assert "canary" not in "".join(line for line in shown.splitlines() if "request(" not in line)
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("4917012345678", "49****78"),
        ("+49 170 1234567", "49****67"),
        ("919585510685:17@s.whatsapp.net", "91****85"),
        ("12345", "****"),
        ("", "****"),
        ("1203630@g.us\x1b[2J", "12****30"),
    ],
)
def test_a_number_is_masked(number: str, shown: str) -> None:
    assert masked_number(number) == shown


# --- several, and what stays outside --------------------------------------------------------------------------


def test_several_are_asked_side_by_side_and_answered_in_their_order() -> None:
    at_once, most = [0], [0]
    count = threading.Lock()

    def answer(asked: Request) -> Reply:
        with count:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.1)
        with count:
            at_once[0] -= 1
        return Reply(asked.path)

    with answering(answer) as server, speaking(hangs) as url:
        requests = [Asked("GET", f"{server.url}/{number}") for number in range(12)]
        requests[5] = Asked("GET", url, deadline=0.3)
        said = send_all(requests, within=5, at_a_time=4)
    assert most[0] == 4
    assert str(said.pop(5)) == "no answer within 0.3 s"
    assert [one.body for one in said if isinstance(one, Answer)] == [
        f'"/{number}"'.encode() for number in range(12) if number != 5
    ]


def test_what_one_server_has_the_client_remember_is_not_for_the_next() -> None:
    with answering(lambda _: Reply(None, 200, {"Set-Cookie": "a=b; Path=/"})) as server:
        send_all([Asked("GET", server.url)] * 3, within=5)
    assert [asked.headers.get("cookie") for asked in server.requests] == [None] * 3


WAITS = """
import socket, sys, time
from baileys_tools import ending
from baileys_tools.frame.http import HttpError, Request, send
ending.listen()
if sys.argv[2] == "no resolver":
    # As one whose name servers are away: it returns when it likes.
    socket.getaddrinfo = lambda *_, **__: time.sleep(30)
print("asking", flush=True)
try:
    send(Request("GET", sys.argv[1], deadline=float(sys.argv[3])))
except HttpError as error:
    print(error)
except ending.BrokenOff as signal:
    print(signal)
"""


def test_nobody_waits_for_a_resolver_that_hangs() -> None:
    words = [sys.executable, "-c", WAITS, "http://bot.internal/", "no resolver", "0.5"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "asking\nno answer within 0.5 s\n"
    assert done.stderr == ""


@pytest.mark.parametrize("talk", [hangs, drips_body], ids=lambda talk: talk.__name__)
def test_a_signal_ends_the_wait_for_an_answer_at_once(talk: Talk) -> None:
    taken = threading.Event()

    def take(connection: socket.socket, over: threading.Event) -> None:
        taken.set()
        talk(connection, over)

    with speaking(take) as url:
        words = [sys.executable, "-c", WAITS, url, "", "60"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert taken.wait(20)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=10)
    assert (out, err) == ("asking\nSIGTERM\n", "")
