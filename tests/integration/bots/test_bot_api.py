"""Each preset against a server that answers as its program's documentation says, and against hostile ones."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baileys_tools.bots.bot_api import PRESETS, ApiError, BotApi, Endpoint, Unsupported
from baileys_tools.bots.rules.connection import Connection, ConnectionState
from tests.servers import HOSTILE, Reply, Request, answering, floods, speaking

NUMBER = "4917012345678"
QR = "2@kX3b,AbCdEf0123456789==,ZyXwVu=,Q1w2E3r4="
CONNECTED, CONNECTING = ConnectionState.CONNECTED, ConnectionState.CONNECTING
DISCONNECTED, UNKNOWN = ConnectionState.DISCONNECTED, ConnectionState.UNKNOWN


def api(preset: str, url: str, token: str = "canary", name: str = "shop", timeout: float = 3) -> BotApi:
    header, _, value = PRESETS[preset].token_header.partition(": ")
    return BotApi(url, name, PRESETS[preset].endpoints, {header: value.format(token=token)}, timeout)


class Case(NamedTuple):
    """What a program says of a company, and what that is."""

    preset: str
    answer: Any
    state: ConnectionState
    has_qr: bool | None = None
    status: int = 200


def ai_admin(connected: Any, status: str, has_qr: bool = False, success: bool = True) -> dict[str, Any]:
    user = {"id": f"{NUMBER}:3@s.whatsapp.net"} if connected else None
    return {
        "success": success,
        "status": {"connected": connected, "status": status, "user": user, "hasQR": has_qr},
    }


CASES = [
    Case("ai-admin", ai_admin(True, "connected"), CONNECTED, False),
    Case("ai-admin", ai_admin(False, "connecting"), CONNECTING, False),
    Case("ai-admin", ai_admin(False, "disconnected", has_qr=True), DISCONNECTED, True),
    Case("ai-admin", ai_admin(True, "connected", success=False), UNKNOWN, False),
    Case("ai-admin", ai_admin("true", "connected"), UNKNOWN, False),
    Case("ai-admin", ai_admin(True, "connected", has_qr=True), UNKNOWN, True),
    Case("persistent-session", {"success": True, "connected": True}, CONNECTED),
    Case("persistent-session", {"success": True, "status": "connected"}, CONNECTED),
    Case("persistent-session", {"session": {"connected": False, "hasQR": True}}, DISCONNECTED, True),
    Case("persistent-session", {"status": {"connected": False}}, DISCONNECTED),
    Case("persistent-session", {"connected": False, "status": "connected"}, DISCONNECTED),
    Case("persistent-session", {"success": True, "status": "initializing"}, CONNECTING),
    Case("persistent-session", {"success": True}, UNKNOWN),
    Case("evolution", {"instance": {"instanceName": "shop", "state": "open"}}, CONNECTED),
    Case("evolution", {"instance": {"instanceName": "shop", "state": "connecting"}}, CONNECTING),
    Case("evolution", {"instance": {"instanceName": "shop", "state": "close"}}, DISCONNECTED),
    Case("evolution", {"instance": {"instanceName": "shop"}}, UNKNOWN),
    Case("evolution", {"status": 404, "error": "Not Found"}, UNKNOWN, status=404),
    Case("waha", {"name": "shop", "status": "WORKING", "me": {"id": f"{NUMBER}@c.us"}}, CONNECTED, False),
    Case("waha", {"name": "shop", "status": "SCAN_QR_CODE", "me": None}, CONNECTING, True),
    Case("waha", {"name": "shop", "status": "STARTING"}, CONNECTING, False),
    Case("waha", {"name": "shop", "status": "STOPPED"}, DISCONNECTED, False),
    Case("waha", {"name": "shop", "status": "FAILED"}, DISCONNECTED, False),
    Case(
        "wppconnect",
        {"status": "CONNECTED", "qrcode": None, "urlcode": "", "version": "2.8"},
        CONNECTED,
        False,
    ),
    Case("wppconnect", {"status": "QRCODE", "qrcode": "data:", "urlcode": QR}, CONNECTING, True),
    Case("wppconnect", {"status": "CLOSED", "qrcode": None}, DISCONNECTED, False),
    Case("wppconnect", {"status": "error", "message": "The session is not active"}, UNKNOWN, None, 500),
    Case("baileys-api", {"status": "connected"}, CONNECTED, False),
    Case("baileys-api", {"status": "wait_for_qrcode_auth"}, CONNECTING, True),
    Case("baileys-api", {"status": "authenticated"}, CONNECTING, False),
    Case("baileys-api", {"status": "disconected"}, DISCONNECTED, False),
    Case("baileys-api", {"status": "unknown"}, UNKNOWN, False),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.preset}-{case.state}")
def test_a_status_is_what_the_program_means_by_it(case: Case) -> None:
    with answering(lambda _: Reply(case.answer, case.status)) as server:
        found = api(case.preset, server.url).connection()
    assert found.state is case.state
    if case.has_qr is not None:
        assert found.has_qr is case.has_qr
    assert bool(found.detail) is (case.state is UNKNOWN)
    assert NUMBER not in repr(found)
    if case.state is CONNECTED and case.preset in ("ai-admin", "waha"):
        assert found.user_masked == "49****78"
    (asked,) = server.requests
    assert asked.method == "GET"


PATHS = {
    "ai-admin": "/webhook/whatsapp/baileys/status/shop",
    "persistent-session": "/api/whatsapp/persistent-session",
    "evolution": "/instance/connectionState/shop",
    "waha": "/api/sessions/shop",
    "wppconnect": "/api/shop/status-session",
    "baileys-api": "/sessions/shop/status",
}
TOKENS = {
    "evolution": ("apikey", "canary"),
    "waha": ("x-api-key", "canary"),
    "baileys-api": ("x-api-key", "canary"),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_request_goes_where_the_program_listens_with_its_key(preset: str) -> None:
    with answering(lambda _: Reply({})) as server:
        api(preset, server.url + "/base").connection()
    (asked,) = server.requests
    assert asked.path == f"/base{PATHS[preset]}"
    header, value = TOKENS.get(preset, ("authorization", "Bearer canary"))
    assert asked.headers[header] == value


class Deed(NamedTuple):
    """What is asked of a program: method, path, body, and an answer that means yes and one that does not."""

    preset: str
    what: str
    request: str
    body: Any
    yes: Any
    no: Any = None


PERSISTENT = "/api/whatsapp/persistent-session"
OK, NOT_OK = {"success": True}, {"success": False, "error": "canary of the server"}
DEEDS = [
    Deed("ai-admin", "init", "POST /webhook/whatsapp/baileys/init/shop", None, OK, NOT_OK),
    Deed("ai-admin", "reconnect", "POST /webhook/whatsapp/baileys/reconnect/shop", None, OK, NOT_OK),
    Deed(
        "ai-admin",
        "send",
        "POST /webhook/whatsapp/baileys/send",
        {"companyId": "shop", "phone": NUMBER, "message": "hello"},
        OK,
        NOT_OK,
    ),
    Deed("persistent-session", "init", f"POST {PERSISTENT}", {"action": "initialize"}, OK, NOT_OK),
    Deed("persistent-session", "reconnect", f"POST {PERSISTENT}", {"action": "initialize"}, OK, NOT_OK),
    Deed(
        "persistent-session",
        "send",
        f"POST {PERSISTENT}",
        {"action": "send-test-message", "phoneNumber": NUMBER, "message": "hello"},
        OK,
        NOT_OK,
    ),
    Deed(
        "evolution",
        "reconnect",
        "GET /instance/connect/shop",
        None,
        {"pairingCode": None, "code": QR, "count": 1},
        {"error": True, "message": "canary of the server"},
    ),
    Deed("evolution", "init", "GET /instance/connect/shop", None, {"instance": {"state": "open"}}),
    Deed(
        "evolution",
        "send",
        "POST /message/sendText/shop",
        {"number": NUMBER, "text": "hello"},
        {"key": {"remoteJid": f"{NUMBER}@s.whatsapp.net", "fromMe": True, "id": "3EB0"}, "status": "PENDING"},
        {"status": 400},
    ),
    Deed("waha", "init", "POST /api/sessions/shop/start", None, {"name": "shop", "status": "STARTING"}),
    Deed(
        "waha", "reconnect", "POST /api/sessions/shop/restart", None, {"name": "shop", "status": "STARTING"}
    ),
    Deed(
        "waha",
        "send",
        "POST /api/sendText",
        {"session": "shop", "chatId": f"{NUMBER}@c.us", "text": "hello"},
        {"id": "true_4917012345678@c.us_3EB0"},
    ),
    Deed(
        "wppconnect",
        "init",
        "POST /api/shop/start-session",
        {"waitQrCode": False},
        {"status": "INITIALIZING"},
    ),
    Deed(
        "wppconnect", "reconnect", "POST /api/shop/start-session", {"waitQrCode": False}, {"status": "CLOSED"}
    ),
    Deed(
        "wppconnect",
        "send",
        "POST /api/shop/send-message",
        {"phone": NUMBER, "isGroup": False, "message": "hello"},
        {"status": "success", "response": [], "mapper": "return"},
        {"status": "Error", "message": "canary of the server"},
    ),
    Deed(
        "baileys-api", "init", "POST /sessions/add", {"sessionId": "shop"}, {"qr": "data:image/png;base64,"}
    ),
    Deed(
        "baileys-api",
        "send",
        "POST /shop/messages/send",
        {"jid": f"{NUMBER}@s.whatsapp.net", "type": "number", "message": {"text": "hello"}},
        {"key": {"remoteJid": f"{NUMBER}@s.whatsapp.net", "fromMe": True, "id": "BAE5"}},
        {"error": "JID does not exists"},
    ),
]


def _always(reply: Reply, request: Request) -> Reply:
    return reply


def do(bot: BotApi, what: str) -> None:
    if what == "send":
        bot.send(NUMBER, "hello")
    else:
        {"init": bot.init, "reconnect": bot.reconnect}[what]()


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: f"{deed.preset}-{deed.what}")
def test_what_is_asked_is_asked_as_documented(deed: Deed) -> None:
    with answering(lambda _: Reply(deed.yes, 201)) as server:
        do(api(deed.preset, server.url), deed.what)
    (asked,) = server.requests
    assert f"{asked.method} {asked.path}" == deed.request
    assert asked.json == deed.body


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: f"{deed.preset}-{deed.what}")
def test_what_was_not_done_is_an_error_that_quotes_nobody(deed: Deed) -> None:
    refusals = [Reply({"message": f"canary {NUMBER}"}, 500), Reply(b"<html>canary", 502), Reply(None, 302)]
    refusals += [Reply(deed.no)] if deed.no is not None else []
    for refusal in refusals:
        with answering(partial(_always, refusal)) as server, pytest.raises(ApiError) as refused:
            do(api(deed.preset, server.url), deed.what)
        assert "canary" not in str(refused.value)
        assert NUMBER not in str(refused.value)
        assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("preset", "answer"),
    [
        *((preset, b"<html>please log in") for preset in PRESETS),
        *((preset, {}) for preset in PRESETS),
        *((preset, {"error": "no such session", "status": "error"}) for preset in PRESETS),
        ("waha", {"id": "", "key": {"id": None}}),
        ("persistent-session", {"success": "maybe"}),
    ],
)
def test_an_answer_that_does_not_say_so_is_no_message_that_was_sent(preset: str, answer: Any) -> None:
    with answering(lambda _: Reply(answer)) as server, pytest.raises(ApiError, match="it answered 200, but"):
        api(preset, server.url).send(NUMBER, "hello")


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "true_4917012345678@c.us_3EB0"},
        {"key": {"remoteJid": f"{NUMBER}@s.whatsapp.net", "id": "3EB0"}, "status": "PENDING"},
        {"_data": {"id": {"fromMe": True, "id": "3EB0"}}},
    ],
    ids=["GOWS", "NOWEB", "WEBJS"],
)
def test_each_engine_of_waha_says_in_its_way_that_a_message_was_sent(answer: Any) -> None:
    with answering(lambda _: Reply(answer, 201)) as server:
        assert api("waha", server.url).send(NUMBER, "hello") is True


def test_no_preset_has_a_request_that_ends_a_session() -> None:
    for preset in PRESETS.values():
        text = json.dumps(preset.endpoints).lower()
        assert not any(word in text for word in ("delete", "logout", "clear", "destroy"))


@pytest.mark.parametrize(
    ("preset", "request_line", "answer", "code"),
    [
        ("ai-admin", "GET /webhook/whatsapp/baileys/qr/shop", {"qr": QR}, QR),
        ("ai-admin", "GET /webhook/whatsapp/baileys/qr/shop", {"qr": None}, ""),
        ("persistent-session", f"GET {PERSISTENT}", {"connected": False, "qrCode": QR}, QR),
        ("evolution", "GET /instance/connect/shop", {"code": QR, "base64": "data:image/png;base64,"}, QR),
        ("evolution", "GET /instance/connect/shop", {"count": 0}, ""),
        ("waha", "GET /api/shop/auth/qr?format=raw", {"value": QR}, QR),
        (
            "wppconnect",
            "GET /api/shop/status-session",
            {"status": "QRCODE", "urlcode": QR, "qrcode": "x"},
            QR,
        ),
        (
            "baileys-api",
            "POST /sessions/add",
            {"qr": "data:image/png;base64,AAAA"},
            "data:image/png;base64,AAAA",
        ),
    ],
)
def test_a_qr_code_is_found_where_the_program_puts_it(
    preset: str, request_line: str, answer: Any, code: str
) -> None:
    with answering(lambda _: Reply(answer)) as server:
        assert api(preset, server.url).qr() == code
    (asked,) = server.requests
    assert f"{asked.method} {asked.path}" == request_line


@pytest.mark.parametrize(
    ("preset", "request_line", "answer"),
    [
        ("evolution", f"GET /instance/connect/shop?number={NUMBER}", {"pairingCode": "WZYEH1YY", "code": QR}),
        ("waha", "POST /api/shop/auth/request-code", {"code": "WZYEH1YY"}),
    ],
)
def test_a_pairing_code_is_found_where_the_program_puts_it(
    preset: str, request_line: str, answer: Any
) -> None:
    with answering(lambda _: Reply(answer)) as server:
        assert api(preset, server.url).pairing_code(NUMBER) == "WZYEH1YY"
    (asked,) = server.requests
    assert f"{asked.method} {asked.path}" == request_line


def test_what_a_program_does_not_offer_is_said() -> None:
    with pytest.raises(Unsupported, match="reconnect"):
        api("baileys-api", "http://127.0.0.1:1").reconnect()


# --- whatever a company is called ---------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
@example("..")
@example(".")
@example("\udcff\udcfe")
def test_a_company_is_one_component_of_the_path(name: str) -> None:
    path = Endpoint("GET", "/s/{company}/status").path_for({"company": name})
    _, prefix, component, suffix = path.split("/")
    assert (prefix, suffix) == ("s", "status")
    assert unquote(component, errors="surrogateescape") == name
    assert component not in (".", "..")
    assert path.isascii()
    assert not set(path) & set("?# \r\n")


@pytest.mark.parametrize(
    "name", ["../../admin", "..", "a/b", "a?b=1", "a b", "a\r\nX-Evil: 1", "ü", "%2e%2e"]
)
def test_no_name_reaches_another_path(name: str) -> None:
    with answering(lambda _: Reply({})) as server:
        api("waha", server.url, name=name).connection()
    for asked in server.requests:
        assert asked.path.startswith("/api/sessions/")
        assert asked.path.count("/") == 3
        assert "x-evil" not in asked.headers


def test_a_name_that_is_no_utf8_is_an_error_where_the_body_has_it() -> None:
    with answering(lambda _: Reply({"success": True})) as server:
        with pytest.raises(ApiError, match="invalid UTF-8"):
            api("ai-admin", server.url, name="\udcff").send(NUMBER, "hello")
        api("ai-admin", server.url, name="\u00fc\U0001f40d").send(NUMBER, "\U0001f40d")
    (asked,) = server.requests
    assert asked.json["message"] == "\U0001f40d"


# --- servers that mean no good ------------------------------------------------------------------------------


@pytest.mark.parametrize("talk", [*HOSTILE, floods], ids=lambda talk: talk.__name__)
def test_of_a_hostile_server_nothing_is_known_in_time(talk: Callable[..., object]) -> None:
    with speaking(talk) as url:
        started = time.monotonic()
        found = api("ai-admin", url, timeout=0.4).connection()
        assert time.monotonic() - started < 5
    assert found.state is UNKNOWN
    assert "canary" not in found.detail


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"OK",
        b"<html>connected</html>",
        b'"connected"',
        b"true",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"success":true,"status":{"connected":1}}',
        b'{"success":1,"status":{"connected":true}}',
        b'{"success":true,"status":[{"connected":true}]}',
        b'{"status":"ok","connected":true}',
        b"\xff\xfe",
        b'{"success":true,"status":{"connected":NaN}}',
    ],
    ids=repr,
)
def test_two_hundred_without_saying_so_is_not_connected(answer: bytes) -> None:
    with answering(lambda _: Reply(answer)) as server:
        assert api("ai-admin", server.url).connection().state is UNKNOWN


def test_an_answer_beyond_the_limit_is_not_read() -> None:
    with answering(
        lambda _: Reply({"success": True, "pad": "x" * 300_000, "status": {"connected": True}})
    ) as server:
        found = api("ai-admin", server.url).connection()
    assert found == Connection(UNKNOWN, detail="its answer is longer than 262144 bytes")


def test_a_hostile_account_name_is_masked_to_letters_and_digits() -> None:
    answer = ai_admin(True, "connected")
    answer["status"]["user"] = {"id": "\x1b]0;evil\x07" + NUMBER}
    with answering(lambda _: Reply(answer)) as server:
        found = api("ai-admin", server.url).connection()
    assert found.user_masked.isprintable()
    assert NUMBER not in found.user_masked
