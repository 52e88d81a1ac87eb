"""`reconnect`, `start-session`, `send-test` and `qr` as an operator meets them, against a bot that is there."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import segno

from tests.bot import NUMBER, QR, Bot, api_env, bot_api
from tests.integration.faults.forked import run_cli
from tests.servers import Reply, Request, answering, free_url
from tests.terminal import Screen, read_qr, read_qr_image

SCHEMAS = Path(__file__).parents[3] / "docs/json"


def document(done: Any, command: str) -> Any:
    found = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{command}.schema.json").read_text())).validate(
        found
    )
    assert found["exit_code"] == done.returncode
    assert NUMBER not in done.stdout + done.stderr
    return found


# --- reconnect and init -------------------------------------------------------------------------------------


def test_a_bot_that_comes_back_is_reconnected() -> None:
    with bot_api(Bot(connects_after=1)) as server:
        done = run_cli("reconnect", "--company", "1001", env=api_env(server))
    assert (done.returncode, done.stdout, done.stderr) == (0, "1001: connected as 49****78\n", "")


def test_one_that_does_not_is_a_failure_with_the_next_step() -> None:
    with bot_api(Bot()) as server:
        done = run_cli("reconnect", "--company", "1001", "--wait", "1s", env=api_env(server))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "not connected after 1s: it is disconnected" in done.stderr
    assert "recover --company 1001 --dry-run" in done.stderr


def test_both_in_json() -> None:
    with bot_api(Bot(connects_after=1)) as server:
        found = document(
            run_cli("reconnect", "--company", "1001", "--json", env=api_env(server)), "reconnect"
        )
        assert (found["done"], found["connection"]["user"]) == (True, "49****78")
    with bot_api(Bot(qrs=[QR])) as server:
        found = document(
            run_cli("start-session", "--company", "1001", "--json", env=api_env(server)), "start-session"
        )
        assert found["connection"]["has_qr"] is True
        assert "qr --company 1001" in found["next_step"]
        assert QR not in json.dumps(found)
    with bot_api(Bot()) as server:
        options = ("--company", "1001", "--wait", "1s", "--json")
        assert (
            document(run_cli("start-session", *options, env=api_env(server)), "start-session")["done"]
            is False
        )


@pytest.mark.parametrize("command", ["reconnect", "start-session", "qr"])
def test_where_nobody_listens_it_says_where_and_what_to_do(command: str) -> None:
    url = free_url()
    env = {"API_URL": url + "/secret-path", "BAILEYS_TOOLS_BOT_API__PRESET": "ai-admin"}
    done = run_cli(command, "--company", "1001", env=env)
    assert done.returncode == 1
    assert f"company 1001: the bot's API at {url}: connection refused: nothing listens there" in done.stderr
    assert "secret-path" not in done.stderr
    assert "bot_api in the settings" in done.stderr


def test_without_an_address_it_says_how_to_give_one() -> None:
    done = run_cli("reconnect", "--company", "1001")
    assert done.returncode == 2
    assert "API_URL=" in done.stderr


def test_what_the_program_does_not_offer_is_an_error_of_usage() -> None:
    env = {"API_URL": free_url(), "BAILEYS_TOOLS_BOT_API__PRESET": "baileys-api"}
    done = run_cli("reconnect", "--company", "1001", env=env)
    assert done.returncode == 2
    assert "bot_api.reconnect" in done.stderr


@pytest.mark.parametrize("company", ["../x", "", "a/b", "a\nb"])
def test_a_company_is_the_name_of_one_folder(company: str) -> None:
    done = run_cli("reconnect", "--company", company, env={"API_URL": free_url()})
    assert done.returncode == 2


def test_no_secret_is_told_by_any_way_out(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        'bot_api:\n  preset: ai-admin\n  token: canary-token\n  headers: "X-Canary: canary-header"\n'
    )
    with bot_api(Bot(fail=500)) as server:
        for command in (["reconnect"], ["start-session"], ["qr"], ["send-test", "--to", NUMBER]):
            done = run_cli(
                *command, "--company", "1001", "--config", config, "--json", env={"API_URL": server.url}
            )
            assert done.returncode == 1
            assert "it answered 500" in done.stderr
            assert "canary" not in done.stdout + done.stderr
            assert NUMBER not in done.stdout + done.stderr
    assert {asked.headers["authorization"] for asked in server.requests} == {"Bearer canary-token"}
    assert {asked.headers["x-canary"] for asked in server.requests} == {"canary-header"}


def test_a_company_with_a_name_and_a_place_of_its_own_is_asked_there(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    with bot_api(Bot(connected=True)) as shared, bot_api(Bot(connected=True)) as own:
        config.write_text(
            f"bot_api: {{preset: ai-admin, url: '{shared.url}'}}\n"
            f"companies: {{1002: {{bot_api: {{url: '{own.url}', name: shop b}}}}}}\n"
        )
        for company in ("1001", "1002"):
            assert run_cli("reconnect", "--company", company, "--config", config).returncode == 0
    assert {asked.path.rpartition("/")[2] for asked in shared.requests} == {"1001"}
    assert {asked.path.rpartition("/")[2] for asked in own.requests} == {"shop%20b"}


# --- send-test ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [NUMBER, "+49 (170) 1234-5678"])
def test_a_message_is_sent_and_the_number_not_shown(to: str) -> None:
    bot = Bot(connected=True)
    with bot_api(bot) as server:
        done = run_cli("send-test", "--company", "1001", "--to", to, "--message", "hi", env=api_env(server))
        assert (done.returncode, done.stdout) == (0, "1001: sent to 49****78\n"), done.stderr
        found = document(
            run_cli("send-test", "--company", "1001", "--to", to, "--json", env=api_env(server)), "send-test"
        )
    assert found["to"] == "49****78"
    sent = [body for _, body in bot.asked if body]
    assert sent[0] == {"companyId": "1001", "phone": NUMBER, "message": "hi"}
    assert "test" in sent[1]["message"]


def test_through_a_bot_that_is_not_connected_nothing_is_sent() -> None:
    bot = Bot()
    with bot_api(bot) as server:
        done = run_cli("send-test", "--company", "1001", "--to", NUMBER, env=api_env(server))
    assert done.returncode == 1
    assert "nothing was sent to 49****78: the bot is disconnected" in done.stderr
    assert not any(body for _, body in bot.asked)


@pytest.mark.parametrize("to", ["", "98765", "4917x12345678", "1" * 16, "\u0661" * 9])
def test_what_is_no_number_is_refused_without_repeating_it(to: str) -> None:
    done = run_cli("send-test", "--company", "1001", "--to", to, env={"API_URL": free_url()})
    assert done.returncode == 2
    assert not to or to not in done.stderr


@pytest.mark.parametrize(("ok", "said"), [("", "does not say that it did"), (", ok: queued", "sent to")])
def test_a_request_of_ones_own_tells_what_its_answer_says(tmp_path: Path, ok: str, said: str) -> None:
    config = tmp_path / "c.yaml"
    with answering(lambda _: Reply({"queued": True})) as server:
        config.write_text(
            f"bot_api: {{url: '{server.url}', send: {{request: POST /s, body: {{to: '{{number}}'}}{ok}}}}}\n"
        )
        command = ("send-test", "--company", "1001", "--to", NUMBER, "--config", config)
        done = run_cli(*command)
        assert document(run_cli(*command, "--json"), "send-test")["done"] is True
    assert done.returncode == 0
    assert said in done.stdout
    assert NUMBER not in done.stdout


def test_a_message_that_is_no_utf8_is_refused() -> None:
    with bot_api(Bot(connected=True)) as server:
        options = ("--company", "1001", "--to", NUMBER, "--message", os.fsdecode(b"\xff"))
        done = run_cli("send-test", *options, env=api_env(server))
    assert (done.returncode, server.requests) == (2, [])
    assert "--message is not valid UTF-8" in done.stderr


# --- qr -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}], ids=["colour", "plain"])
def test_what_a_terminal_shows_is_read_by_a_qr_reader_until_it_is_scanned(
    tmp_path: Path, env: dict[str, str]
) -> None:
    first, second = QR, QR[::-1]
    bot = Bot(qrs=[first, second])
    with bot_api(bot) as server, Screen("qr", "--company", "1001", env=api_env(server) | env) as screen:
        screen.wait_for(lambda seen: "Company 1001: scan it" in seen.text)
        assert read_qr(screen.pixels(), tmp_path) == first
        screen.wait_for(lambda _: read_qr(screen.pixels(), tmp_path) == second)
        assert screen.text.count("scan it") == 1, "the old code is gone"
        bot.scanned_at = time.monotonic()
        assert screen.exit_code() == 0
        assert "1001: connected as 49****78" in screen.text


def picture(text: str, **how: Any) -> str:
    out = io.BytesIO()
    segno.make_qr(text).save(out, kind="png", **how)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize("how", [{"scale": 4}, {"scale": 1, "border": 0}, {"scale": 3, "dark": "#128C7E"}])
def test_a_code_that_comes_as_a_picture_is_shown_as_well(tmp_path: Path, how: dict[str, Any]) -> None:
    with (
        bot_api(Bot(qrs=[picture("2@short", **how)])) as server,
        Screen("qr", "--company", "1001", env=api_env(server)) as screen,
    ):
        screen.wait_for(lambda seen: "scan it" in seen.text)
        assert read_qr(screen.pixels(), tmp_path) == "2@short"


def test_the_picture_that_is_written_is_read_as_well_and_private(tmp_path: Path) -> None:
    png = tmp_path / "qr.png"
    with bot_api(Bot(qrs=[QR])) as server:
        done = run_cli(
            "qr", "--company", "1001", "--png", png, "--timeout", "1s", "--json", env=api_env(server)
        )
    found = document(done, "qr")
    assert (found["done"], found["codes_shown"]) == (False, 1)
    assert QR not in done.stdout
    assert read_qr_image(png) == QR
    assert stat.S_IMODE(png.stat().st_mode) == 0o600
    assert [
        path.name for path in tmp_path.iterdir() if path.suffix in (".png", "") and "qr" in path.name
    ] == ["qr.png"]


def test_when_nobody_scans_it_gives_up() -> None:
    with bot_api(Bot(qrs=[QR])) as server:
        done = run_cli("qr", "--company", "1001", "--timeout", "1s", env=api_env(server))
    assert done.returncode == 1
    assert "its QR code was not scanned" in done.stderr
    assert "baileys-tools qr --company 1001 shows it anew" in done.stderr
    assert "\x1b" not in done.stdout, "not a terminal"


def test_when_there_is_no_code_it_says_how_to_get_one() -> None:
    with bot_api(Bot()) as server:
        done = run_cli("qr", "--company", "1001", "--timeout", "1s", env=api_env(server))
    assert done.returncode == 1
    assert "no QR code came within 1s" in done.stderr
    assert "start-session --company 1001" in done.stderr


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x" * 5_000, "it is too long"),
        ("2@\ud800", "it is not text"),
        ("data:image/png;base64,AAAA", "no PNG"),
        ("data:image/jpeg;base64,/9j/4AAQ", "no PNG"),
        ("iVBORw0KGgoAAAANSUhEUgAA", "damaged"),
        ("data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 40).decode(), "damaged"),
    ],
    ids=["too long", "half a character", "no png", "jpeg", "cut off", "zeroes"],
)
def test_what_is_no_code_is_an_error_in_words(code: str, says: str) -> None:
    with bot_api(Bot(qrs=[code])) as server:
        done = run_cli("qr", "--company", "1001", "--timeout", "1s", env=api_env(server))
    assert done.returncode == 1
    assert "cannot be shown" in done.stderr
    assert says in done.stderr
    assert "internal error" not in done.stderr


def test_a_pairing_code_is_shown_in_two_halves(tmp_path: Path) -> None:
    def waha(request: Request) -> Reply:
        if request.path == "/api/1001/auth/request-code":
            assert request.json == {"phoneNumber": NUMBER}
            return Reply({"code": "WZYEH1YY"}, 201)
        return Reply({"name": "1001", "status": "WORKING"})

    with answering(waha) as server:
        env = {"API_URL": server.url, "BAILEYS_TOOLS_BOT_API__PRESET": "waha"}
        done = run_cli("qr", "--company", "1001", "--pairing-code", f"+{NUMBER}", env=env)
    assert (done.returncode, done.stdout) == (0, "Type this into the phone: WZYE-H1YY\n1001: connected\n")
