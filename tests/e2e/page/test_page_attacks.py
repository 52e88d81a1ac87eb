"""Who means harm: another page, another name, no token, paths, names, floods. Each is refused, or harmless."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from baileys_tools.page.app import MOST_STREAMS
from tests.e2e.page.test_serve_cli import ARABIC, HOSTILE, PHONE, fleet, monitor
from tests.serving import Page, serving
from tests.support import COMMAND

pytestmark = pytest.mark.xdist_group("attacks on the page")

ADDRESSES = [
    "/",
    "/company/1001",
    "/company/1001/data.json",
    "/events",
    "/status.json",
    "/metrics",
    "/badge/1001.svg",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    place = fleet(tmp_path_factory.mktemp("attacked"))
    monitor(place)
    with serving(place, "--name", "bots.example.org") as page:
        yield page.looked()


@pytest.fixture(scope="module")
def slow(page: Page) -> list[socket.socket]:
    """Those who say nothing, half a head, or a body a byte at a time; the others are attacked with meanwhile."""
    found = [socket.create_connection(("127.0.0.1", page.port), timeout=20) for _ in range(41)]
    for one in found[1:-1:2]:
        one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    head = f"POST /enter HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {page.token}\r\n"
    found[-1].sendall(f"{head}Content-Length: 100\r\n\r\ntoken".encode())
    return found


def raw(page: Page, content: bytes, seconds: float = 15) -> bytes:
    """Say these bytes, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=seconds) as connection:
        connection.sendall(content)
        found = b""
        with suppress(ConnectionError):
            while part := connection.recv(65_536):
                found += part
        return found


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("address", ADDRESSES)
def test_without_the_token_nothing_is_told(page: Page, address: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Basic {page.token}"},
        {"Authorization": f"Bearer {page.token[:-1]}"},
        {"Cookie": f"baileys-tools-{page.port}={page.token}"},
        {"Cookie": f"baileys-tools-{page.port}=9999999999.a.{'0' * 64}"},
    ):
        answer = page.ask(address, headers=headers, by_token=False)
        assert answer.status in (401, 429), headers
        assert "1001" not in answer.text


def test_a_browser_without_a_cookie_is_shown_the_door(page: Page) -> None:
    answer = page.ask("/company/1001", headers={"Accept": "text/html"}, by_token=False)
    assert (answer.status, answer.headers["location"]) == (303, "/enter")
    assert page.ask("/enter", by_token=False).status == 200


def test_the_link_lets_one_browser_in_once(tmp_path: Path) -> None:
    with serving(fleet(tmp_path)) as page:
        answer = page.ask(page.link, by_token=False)
        assert answer.status == 200
        cookie = answer.headers["set-cookie"]
        assert re.fullmatch(
            rf"baileys-tools-{page.port}=\d+\.[0-9a-f]+\.[0-9a-f]+; HttpOnly; Max-Age=2592000; Path=/; SameSite=strict",
            cookie,
        )
        assert page.token not in cookie
        own = {"Cookie": cookie.partition(";")[0]}
        page.until(lambda: page.ask("/status.json", headers=own, by_token=False).status == 200)
        assert page.ask(page.link, by_token=False).status == 401
        assert "set-cookie" not in page.ask(page.link, by_token=False).headers
        secure = page.ask(
            "/enter",
            method="POST",
            body=f"token={page.token}",
            headers={"Origin": page.url, "X-Forwarded-Proto": "https"},
            by_token=False,
        )
        assert secure.status == 303
        assert "Secure" in secure.headers["set-cookie"]


def test_who_guesses_is_slowed_and_who_knows_is_not(tmp_path: Path) -> None:
    with serving(fleet(tmp_path)) as page:
        page.looked()
        wrong = [
            page.ask("/", headers={"Authorization": "Bearer x"}, by_token=False).status for _ in range(15)
        ]
        assert 401 in wrong
        assert wrong[-1] == 429
        assert page.ask("/").status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "",
        "127.0.0.1@evil.example",
        "bots.example.org.evil",
    ],
)
def test_a_name_that_is_not_ours_is_refused(page: Page, host: str) -> None:
    for address in (*ADDRESSES, "/healthz", "/enter", "/web/live.js"):
        answer = page.ask(address, headers={"Host": host})
        assert answer.status in (400, 421)
        assert "1001" not in answer.text
    assert page.ask("/healthz", headers={"Host": f"bots.example.org:{page.port}"}).status == 200


def test_two_hosts_are_none(page: Page) -> None:
    said = raw(page, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert said.split()[1] in (b"400", b"421")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_page_can_post_nothing(page: Page, headers: dict[str, str]) -> None:
    for by_token in (True, False):
        answer = page.ask("/enter", method="POST", body="token=x", headers=headers, by_token=by_token)
        assert answer.status == 403
    assert page.ask("/enter", method="POST", body="token=x", by_token=False).status == 403, "no origin at all"


@pytest.mark.parametrize(
    "path",
    [
        "/web/../serving.py",
        "/web/..%2fserving.py",
        "/web/%2e%2e/%2e%2e/cli/__init__.py",
        "/web//etc/passwd",
        "/web/page.css%00.js",
        "/web/fleet.html",
        "/company/..",
        "/company/../../etc/passwd",
        "/company/..%2f..%2f..%2fetc%2fpasswd",
        "/company/%00",
        "/company/%ff%fe",
        "/company/company_1001",
        pytest.param("/company/" + "a" * 5_000, id="long"),
        "/company/1001/../1002/data.json",
        "/badge/..%2f..%2ftoken.svg",
        "/token",
        "/page/token",
        "//1001",
        "/.git/config",
    ],
)
def test_a_path_is_a_name_in_a_table_and_never_a_path(page: Page, path: str) -> None:
    answer = page.ask(path)
    assert answer.status == 404
    assert page.token not in answer.text
    assert "root:" not in answer.text


def test_a_company_that_went_is_a_404(tmp_path: Path) -> None:
    place = fleet(tmp_path)
    monitor(place)
    with serving(place) as page:
        page.looked()
        assert page.ask("/company/1002").status == 200
        for file in (place / "sessions" / "company_1002").iterdir():
            file.unlink()
        (place / "sessions" / "company_1002").rmdir()
        # While its page is still known, and nothing is there to be looked at any more.
        assert page.ask("/company/1002").status == 200
        monitor(place)
        page.until(lambda: [row for row in page.data()["rows"] if row[0] == "1002" and row[2] == "gone"])
        assert page.ask("/company/1003").status == 404
        assert page.ask("/company/1002").status in (200, 404), "and nothing falls over"
        assert page.ask("/status.json").status == 200


def test_hostile_names_are_text_everywhere(page: Page) -> None:
    name = HOSTILE.replace("/", "_")
    (row,) = (one for one in page.data()["rows"] if "onerror" in one[1])
    assert row[1] == name.replace("\u202e", "\\u202e"), "it would turn round what stands beside it"
    assert row[0].startswith("~")
    for address in ("/", f"/company/{row[0]}"):
        answer = page.ask(address)
        assert answer.status == 200
        assert "<img src=x" not in answer.text
        assert "<script>alert" not in answer.text
        assert "\u202e" not in answer.text
    badge = page.ask(f"/badge/{row[0]}.svg").text
    assert "<img" not in badge
    assert "&lt;img" in badge
    metrics = page.ask("/metrics").text
    assert "\u202e" not in badge + metrics
    assert all(line.startswith(("#", "baileys_tools_")) for line in metrics.splitlines())
    assert any(one[1] == ARABIC for one in page.data()["rows"])


def test_no_number_and_no_secret_is_on_a_page(page: Page) -> None:
    keys = [row[0] for row in page.data()["rows"]]
    texts = [page.ask(address).text for address in ("/", *(f"/company/{key}" for key in keys))]
    for text in texts:
        assert PHONE not in text
        assert page.token not in text
        assert "919585510685" not in text


def test_names_cannot_split_headers_or_log_lines(page: Page) -> None:
    said = raw(
        page, b"GET /company/a%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )
    assert b"X-Evil" not in said
    said = raw(
        page,
        b"GET /enter?code=a%0d%0aSet-Cookie:%20x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    )
    assert b"Set-Cookie" not in said


def test_every_answer_keeps_a_browser_in(page: Page) -> None:
    for address in (*ADDRESSES[:3], "/enter", "/healthz", "/nothing", "/web/live.js"):
        headers = page.ask(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers
    for address in ("/", "/company/1001", "/enter"):
        text = page.ask(address).text
        assert not re.search(r"<script(?![^>]*(src=|application/json))", text), "inline code"
        plain = re.sub(r"<script type=.application/json.*?</script>", "", text, flags=re.DOTALL)
        assert not re.search(r"\son\w+=|style=", plain)
        assert not re.findall(r'(?:src|href|action)="(?!/|#|data:,)[^"]*"', text), "a request elsewhere"


def test_what_others_have_put_among_its_records_holds_nobody(tmp_path: Path) -> None:
    """The state can be a bot's: a pipe, a text without a bottom, a process whose id is a way to another pipe."""
    actions = fleet(tmp_path) / "state" / "page" / "actions"
    actions.mkdir(parents=True, mode=0o700)
    os.mkfifo(actions / "0001.json")
    os.mkfifo(actions / "stat")
    (actions / "0002.json").write_text("[" * 60_000)
    fields = ("key", "company", "title", "started", "born", "ended", "exit_code", "end")
    record = {"id": "0003", "name": "check", **dict.fromkeys(fields), "pid": f"1/../..{actions}"}
    (actions / "0003.json").write_text(json.dumps(record))
    with serving(tmp_path, "--allow-actions", kill=True) as page:
        assert page.looked().ask("/").status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"])
def test_other_methods_are_refused(page: Page, method: str) -> None:
    said = raw(page, f"{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert said.split()[1] in (b"400", b"405")


def test_huge_bodies_and_heads_are_not_read(page: Page) -> None:
    answer = page.ask(
        "/enter", method="POST", body="x" * 20_000, headers={"Origin": page.url}, by_token=False
    )
    assert answer.status == 413
    chunked = (
        b"POST /enter HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer "
        + page.token.encode()
        + b"\r\n\r\n"
        + b"ffff\r\n"
        + b"x" * 0xFFFF
        + b"\r\n0\r\n\r\n"
    )
    assert b" 413 " in raw(page, chunked)[:40]
    with suppress(ConnectionError):
        assert raw(page, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 200_000)[9:12] in (
            b"400",
            b"431",
            b"",
        )
    assert page.ask("/healthz").status == 200


def test_who_reads_nothing_costs_one_connection(page: Page) -> None:
    head = (
        f"GET /status.json HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {page.token}\r\n\r\n".encode()
    )
    deaf = []
    for _ in range(20):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
        one.connect(("127.0.0.1", page.port))
        one.sendall(head * 20)
        deaf.append(one)
    answers = [page.ask("/healthz").status for _ in range(10)]
    assert answers == [200] * 10
    for one in deaf:
        one.close()


def test_a_websocket_and_http_2_are_nothing_here(page: Page) -> None:
    said = raw(
        page,
        b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    assert said.split()[1] in (b"400", b"401", b"426")
    assert raw(page, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").split()[1:2] in ([b"400"], [b"421"], [])
    assert page.ask("/healthz").status == 200


def test_who_says_nothing_is_let_go_and_others_are_served_meanwhile(
    page: Page, slow: list[socket.socket]
) -> None:
    assert page.ask("/healthz").status == 200
    answers = []
    for one in slow:
        one.settimeout(20)
        with suppress(ConnectionError):
            answers.append(one.recv(100))
        one.close()
    *silent, body = answers
    assert set(silent) == {b""}
    assert body.startswith(b"HTTP/1.1 408 "), "a body that comes a byte at a time"


def test_a_flood_of_open_pages_is_refused_and_the_page_goes_on(page: Page) -> None:
    head = f"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {page.token}\r\n\r\n".encode()

    def follow() -> socket.socket:
        one = socket.create_connection(("127.0.0.1", page.port), timeout=20)
        one.sendall(head)
        return one

    streams = [follow() for _ in range(MOST_STREAMS + 5)]
    statuses = [one.recv(12)[9:12] for one in streams]
    assert statuses.count(b"503") == 5
    assert page.ask("/").status == 200
    for one in streams:
        one.close()

    def has_a_place() -> bool:
        with follow() as one:
            return one.recv(12)[9:12] == b"200"

    page.until(has_a_place)


def test_who_may_not_come_in_takes_nothing_from_who_may(page: Page) -> None:
    own = {"Origin": page.url}
    found = {
        page.ask("/enter", method="POST", body="token=x", headers=own, by_token=False).status
        for _ in range(40)
    }
    assert found == {401, 429}
    assert page.ask("/enter", method="POST", body=f"token={page.token}", headers=own).status == 303


def test_another_page_of_this_host_gets_nothing_by_our_cookie(tmp_path: Path) -> None:
    """Cookies know no ports, and other ports of a host are the same site."""
    with serving(fleet(tmp_path)) as page:
        assert page.ask(page.link, method="HEAD", by_token=False).status == 200
        cookie = {"Cookie": page.ask(page.link, by_token=False).headers["set-cookie"].partition(";")[0]}
        for site, mode, status in (
            ("same-origin", "cors", 200),
            ("none", "navigate", 200),
            ("same-site", "navigate", 200),
            ("same-site", "no-cors", 401),
            ("same-site", "cors", 401),
            ("cross-site", "no-cors", 401),
        ):
            headers = cookie | {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
            assert page.ask("/", headers=headers, by_token=False).status == status, (site, mode)
        other = cookie["Cookie"].replace(str(page.port), "8787")
        assert page.ask("/", headers={"Cookie": other}, by_token=False).status == 401, "of another port"


def test_no_cookie_of_another_program_keeps_somebody_out(tmp_path: Path) -> None:
    """Cookies know no ports: what any other program of this host sets is sent here too, also under our name."""
    with serving(fleet(tmp_path)) as page:
        own = page.ask(page.link, by_token=False).headers["set-cookie"].partition(";")[0]
        name = own.partition("=")[0]
        for cookies, status in (
            (f'settings={{"dark": true}}; {own}', 200),
            (f"flag; {own}", 200),
            (f"{own}; {name}=1.1.1", 200),
            (f"{name}=1.1.1; {own}", 200),
            (f'{name}="; {own}; a,b=c', 200),
            (f"{name}=; {name}", 401),
            (f"x{own}; {own[:-1]}", 401),
        ):
            assert page.ask("/", headers={"Cookie": cookies}, by_token=False).status == status, cookies


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("GET / HTTP/1.0", "421"),
        ("GET / HTTP/1.1", "400"),
        ("GET /healthz HTTP/1.1|Host: [::1]:8787", "200"),
        ("GET /healthz HTTP/1.1|Host: [::1", "421"),
        ("GET /healthz HTTP/1.1|Host: 2130706433", "421"),
        ("GET /healthz HTTP/1.1|Host: evil.example|X-Forwarded-Host: 127.0.0.1", "421"),
        ("GET /healthz HTTP/1.1|Host: evil.example|Forwarded: host=127.0.0.1", "421"),
        ("GET / HTTP/1.1|Host: 127.0.0.1|X-Forwarded-For: 127.0.0.1|X-Real-IP: 127.0.0.1", "401"),
        ("GET http://evil.example/ HTTP/1.1|Host: 127.0.0.1", "4"),
        ("POST /enter HTTP/1.1|Host: 127.0.0.1|Content-Length: 5|Content-Length: 6", "400"),
        ("POST /enter HTTP/1.1|Host: 127.0.0.1|Content-Length: -5", "400"),
        ("GET / HTTP/1.1|Host: 127.0.0.1|X-\x00: y", "400"),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"),
    ],
)
def test_odd_requests_are_answered_as_such(page: Page, lines: str, status: str) -> None:
    said = "\r\n".join([*lines.split("|"), "Connection: close", "", ""])
    assert raw(page, said.encode("latin-1"))[9:12].decode().startswith(status)


def test_more_than_there_is_room_for_at_once_write_nothing_and_keep_nobody_out(
    tmp_path: Path,
) -> None:
    """They come while the page is busy, and it has fewer handles than they would need."""
    # Where each takes a handle before another is let go, the page runs out of them, logs each, and rests a second.
    crowd: list[socket.socket] = []
    with serving(fleet(tmp_path), command=("prlimit", "--nofile=600:600", COMMAND)) as page:
        page.looked()
        for _ in range(8):
            page.process.send_signal(signal.SIGSTOP)
            for _ in range(200):
                crowd.append(socket.socket())
                crowd[-1].setblocking(False)
                with suppress(BlockingIOError):
                    crowd[-1].connect(("127.0.0.1", page.port))
            page.process.send_signal(signal.SIGCONT)
            assert page.ask("/status.json").status == 200
    for one in crowd:
        one.close()
    assert not [line for line in page.said if "accept" in line or "Traceback" in line]


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_ten_thousand_who_say_nothing_cost_nobody_else_a_second(page: Page) -> None:
    held: deque[socket.socket] = deque()
    slowest = stalled = 0.0
    for number in range(10_000):
        began = time.monotonic()
        with suppress(OSError):
            one = socket.create_connection(("127.0.0.1", page.port), timeout=5)
            stalled = max(stalled, time.monotonic() - began)
            if number % 2:
                one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            held.append(one)
        while len(held) > 700:
            held.popleft().close()
        if number % 500 == 499:
            began = time.monotonic()
            assert page.ask("/").status == 200
            slowest = max(slowest, time.monotonic() - began)
    for one in held:
        one.close()
    print(f"{slowest:.2f} s, {stalled:.2f} s")
    assert slowest < 5
    assert stalled < 1, "whoever found no place in the kernel's queue would have come again after a second"


def test_nothing_of_all_that_is_in_the_log(page: Page) -> None:
    """Logs are for the operator: whoever attacks writes no line into them, and leaves no traceback."""
    raw(page, b"nonsense\r\n\r\n")
    assert page.ask("/healthz").status == 200
    assert page.process.stderr is not None
    os.set_blocking(page.process.stderr.fileno(), False)
    with suppress(BlockingIOError):
        assert os.read(page.process.stderr.fileno(), 65_536) == b""
