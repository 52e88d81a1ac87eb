"""What is done from the page: the same commands, on record as by page, once at a time, and never lost sight of."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.page.show.rows import key_of
from tests.e2e.page.test_serve_cli import fleet, monitor
from tests.integration.faults.forked import run_cli
from tests.servers import Reply, Request, answering
from tests.serving import Page, environment, serving
from tests.support import company_folder

pytestmark = pytest.mark.xdist_group("actions of the page")

OLD = timedelta(days=30)
TWO = "1001,1002"
"""One company, whose name a command would read as those of two."""


def old_folder(place: Path, company: str = "1001") -> Path:
    keys = {f"session-49170{number}.0.json": OLD for number in range(20)}
    return company_folder(place / "sessions", company, {"pre-key-30.json": timedelta(hours=1), **keys})


def sessions_in(folder: Path) -> int:
    return sum(name.startswith("session-") for name in os.listdir(folder))


def do(page: Page, name: str, company: str | None = "1001", **more: Any) -> dict[str, Any]:
    """Have something done, and wait for its end."""
    answer = page.post("/action", {"name": name, "company": company, **more})
    assert answer.status == 202, answer.text
    number = answer.json["id"]
    return page.until(lambda: (one := page.ask(f"/action/{number}").json)["ended"] and one)  # type: ignore[no-any-return]


def test_a_cleanup_is_planned_run_undone_and_on_record(tmp_path: Path) -> None:
    folder = old_folder(tmp_path)
    monitor(tmp_path)
    with serving(tmp_path, "--allow-actions") as page:
        page.looked()
        without = page.post("/action", {"name": "cleanup", "company": "1001"})
        assert (without.status, without.json["error"]) == (
            400,
            "First look at what it would do: Plan a cleanup.",
        )
        plan = do(page, "cleanup-plan")
        assert "would" in plan["output"] or "dry run" in plan["output"].lower()
        assert sessions_in(folder) == 20
        done = do(page, "cleanup", plan=plan["id"])
        assert (done["end"], done["exit_code"]) == ("done", 0)
        assert sessions_in(folder) == 0
        (cost,) = page.data("/company/1001")["costs"]
        assert cost[1:] == [20, 20, 0, 0, 0], "files; chats and group messages late at most; so far"
        (folder / "session-491701.0.json").write_text("{}")
        page.until(lambda: page.data("/company/1001")["costs"][0][4:] == [1, 0])
        (folder / "session-491701.0.json").unlink()
        other = page.post("/action", {"name": "undo", "company": "1001", "plan": plan["id"]})
        assert other.status == 400, "a plan of another deed"
        listed = do(page, "undo-plan")
        do(page, "undo", plan=listed["id"])
        assert sessions_in(folder) == 20
        page.until(lambda: len(page.data("/company/1001")["runs"]) >= 4)
        runs = [(command, code, dry) for _, command, code, dry, _ in page.data("/company/1001")["runs"]]
        assert ("cleanup", 0, 0) in runs
        assert ("cleanup", 0, 1) in runs
    with sqlite3.connect(tmp_path / "state" / "state.sqlite3") as state:
        rows = state.execute("SELECT command, started_by FROM runs WHERE started_by <> ''").fetchall()
    assert ("cleanup", f"page {done['id']}") in rows


def test_without_leave_nothing_can_be_done(tmp_path: Path) -> None:
    monitor(fleet(tmp_path))
    with serving(tmp_path) as page:
        page.looked()
        assert page.post("/action", {"name": "check", "company": None}).status == 404
        answer = page.post("/api/whatsapp/persistent-session/1001", {"action": "clear"})
        assert (answer.status, answer.json["success"]) == (403, False)
        assert page.data()["actions"] is False


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    place = tmp_path_factory.mktemp("doing")
    old_folder(fleet(place), "1001")
    company_folder(place / "sessions", TWO)
    monitor(place)
    with serving(place, "--allow-actions") as page:
        yield page.looked()


@pytest.mark.parametrize(
    ("asked", "status", "says"),
    [
        ({"name": "rm", "company": "1001"}, 400, "There is no such action."),
        ({"name": "cleanup-plan", "company": None}, 400, "is for one company"),
        ({"name": "check", "company": "9999"}, 404, "no such company"),
        ({"name": "check", "company": "../1001"}, 404, "no such company"),
        ({"name": "check", "company": key_of(TWO)}, 400, "cannot be given to a command"),
        ({"name": "check", "company": ["1001"]}, 400, "not how"),
        ({"name": ["check"], "company": "1001"}, 400, "not how"),
        ({"name": "send-test", "company": "1001"}, 400, "Invalid or missing: to."),
        (
            {"name": "send-test", "company": "1001", "fields": {"to": "--help"}},
            400,
            "Invalid or missing: to.",
        ),
        ({"name": "send-test", "company": "1001", "fields": {"to": "1\n2"}}, 400, "Invalid or missing: to."),
        ({"name": "send-test", "company": "1001", "fields": {"to": 5}}, 400, "not how"),
        (
            {"name": "silence", "company": "1001", "fields": {"length": "x" * 300, "because": "y"}},
            400,
            "length",
        ),
        (
            {"name": "reset", "company": "1001", "fields": {"name": "1002"}, "plan": ""},
            400,
            "name that was typed",
        ),
        ({"name": "reset", "company": "1001", "fields": {"name": "1001"}, "plan": ""}, 400, "First look"),
        ({"name": "recover", "company": "1001", "plan": "nothing"}, 400, "First look"),
        ([], 400, "not a JSON object"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(page: Page, asked: Any, status: int, says: str) -> None:
    answer = page.post("/action", asked)
    assert answer.status == status, answer.text
    assert says in answer.text


def test_only_json_of_somebody_who_may_is_an_action(page: Page) -> None:
    document = json.dumps({"name": "check", "company": None})
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
    ):
        assert page.ask("/action", method="POST", body=document, headers=headers).status == 415
    own = {"Content-Type": "application/json", "Origin": page.url}
    assert page.ask("/action", method="POST", body=document, headers=own, by_token=False).status == 401
    evil = {**own, "Origin": "http://evil.example"}
    assert page.ask("/action", method="POST", body=document, headers=evil).status == 403
    assert page.ask("/action", method="GET").status == 405
    assert page.ask("/action/../../state.sqlite3").status == 404
    assert page.ask("/action/nothing/qr.png").status == 404


def test_posts_are_limited(tmp_path: Path) -> None:
    with serving(fleet(tmp_path), "--allow-actions") as page:
        found = [page.post("/action", {"name": "x", "company": None}).status for _ in range(30)]
    assert set(found[:15]) == {400}
    assert 429 in found


def test_what_is_done_twice_at_once_is_refused_the_second_time(tmp_path: Path) -> None:
    fleet(tmp_path)
    monitor(tmp_path)
    with serving(tmp_path, "--allow-actions") as page:
        page.looked()
        first = page.post("/action", {"name": "check", "company": "1001"})
        second = page.post("/action", {"name": "backup", "company": "1001"})
        elsewhere = page.post("/action", {"name": "check", "company": "1002"})
        assert [first.status, second.status, elsewhere.status] == [202, 409, 202]
        assert "Something is being done here already" in second.text
        page.until(lambda: all(one["ended"] for one in page.data()["meta"]["actions"]))
        assert page.post("/action", {"name": "check", "company": "1001"}).status == 202


SLOW = {
    "status": {"request": "GET /status", "connected": "connected == `true`"},
    "reconnect": {"request": "POST /re"},
}


def slow_bot(place: Path, url: str) -> Path:
    config = place / "config.yaml"
    config.write_text(json.dumps({"bot_api": {"url": url, **SLOW}}))
    config.chmod(0o600)
    return config


def test_a_page_that_is_killed_loses_no_action(tmp_path: Path) -> None:
    """Killed while two are at work: one goes on and ends by itself, the other is killed too."""
    fleet(tmp_path)
    monitor(tmp_path)
    connected = False

    def bot(request: Request) -> Reply:
        return Reply({"connected": connected})

    with answering(bot) as server:
        config = slow_bot(tmp_path, server.url)
        with serving(tmp_path, "--allow-actions", "--config", str(config), kill=True) as page:
            page.looked()
            ids = [
                page.post("/action", {"name": "reconnect", "company": one}).json["id"]
                for one in ("1001", "1002")
            ]
            page.until(lambda: len([one for one in server.requests if one.path == "/re"]) == 2)
        records = [
            json.loads((tmp_path / "state" / "page" / "actions" / f"{one}.json").read_text()) for one in ids
        ]
        assert [one["ended"] for one in records] == [None, None]
        os.kill(records[1]["pid"], signal.SIGKILL)
        with serving(tmp_path, "--allow-actions", "--config", str(config)) as page:
            page.looked()
            page.until(lambda: page.ask(f"/action/{ids[1]}").json["end"] == "broken off")
            first = page.ask(f"/action/{ids[0]}").json
            assert first["ended"] is None, "it goes on"
            assert page.post("/action", {"name": "check", "company": "1001"}).status == 409
            connected = True
            done = page.until(lambda: (one := page.ask(f"/action/{ids[0]}").json)["ended"] and one)
            assert (done["end"], done["exit_code"]) == ("done", 0)
            assert "1001: connected" in done["output"]


def test_an_action_killed_under_a_living_page_is_broken_off(tmp_path: Path) -> None:
    fleet(tmp_path)
    monitor(tmp_path)
    with answering(lambda request: Reply({"connected": False})) as server:
        config = slow_bot(tmp_path, server.url)
        with serving(tmp_path, "--allow-actions", "--config", str(config)) as page:
            page.looked()
            number = page.post("/action", {"name": "reconnect", "company": "1001"}).json["id"]
            page.until(lambda: server.requests)
            record = tmp_path / "state" / "page" / "actions" / f"{number}.json"
            os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
            assert page.until(lambda: page.ask(f"/action/{number}").json["end"]) == "broken off"


def test_one_begun_and_never_written_down_is_found_or_broken_off(tmp_path: Path) -> None:
    fleet(tmp_path)
    monitor(tmp_path)
    folder = tmp_path / "state" / "page" / "actions"
    folder.mkdir(parents=True, mode=0o700)
    lost = {
        "id": "aaaa", "name": "backup", "key": None, "company": None, "title": "Back up now", "started": 1,
        "pid": None, "born": None, "ended": None, "exit_code": None, "end": "",
    }  # fmt: skip
    (folder / "aaaa.json").write_text(json.dumps(lost))
    for name, content in {"bbbb": "", "cccc": "[]", "dddd": json.dumps({**lost, "id": "../x"})}.items():
        (folder / f"{name}.json").write_text(content)
    with serving(tmp_path, "--allow-actions") as page:
        page.until(lambda: page.ask("/action/aaaa").json["end"] == "broken off")
        assert page.ask("/action/bbbb").status == 404


def test_what_came_before_a_page_can_be_done_by_its_old_address(tmp_path: Path) -> None:
    sent: list[Any] = []

    def bot(request: Request) -> Reply:
        if request.method == "POST":
            sent.append(request.json)
        return Reply({"success": True, "connected": True})

    fleet(tmp_path)
    with answering(bot) as server:
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps({"bot_api": {"url": server.url, "preset": "persistent-session"}}))
        config.chmod(0o600)
        run_cli("monitor-once", "--quiet", "--config", config, env=environment(tmp_path))
        with serving(tmp_path, "--allow-actions", "--config", str(config)) as page:
            page.looked()
            path = "/api/whatsapp/persistent-session"
            assert page.ask(path).json["success"] is False, "which of several is not said"
            state = page.ask(f"{path}/1001").json
            assert (state["success"], state["connected"], state["status"]) == (True, True, "connected")
            assert page.post(f"{path}/1001", {"action": "initialize"}).json["success"] is True
            said = page.post(f"{path}/1001", {"action": "send-test-message", "phoneNumber": "4917012345678"})
            assert said.json["success"] is True
            assert "4917012345678" not in said.text
            assert sent[-1]["phoneNumber"] == "4917012345678"
            assert page.post(f"{path}/1001", {"action": "health-check"}).json["success"] is True
            assert page.post(f"{path}/1001", {"action": "logout"}).status == 400
            refused = page.post(f"{path}/1001", {"action": "clear"})
            assert refused.json["success"] is False, (
                "the bot is connected: reset refuses that, and so does this"
            )
            assert (tmp_path / "sessions" / "company_1001" / "creds.json").exists()


def test_a_clear_can_be_undone(tmp_path: Path) -> None:
    company_folder(tmp_path / "sessions", "1001", {"pre-key-30.json": OLD, "session-1.0.json": OLD})
    for file in (tmp_path / "sessions" / "company_1001").iterdir():
        os.utime(file, (time.time() - 86_400,) * 2)
    monitor(tmp_path)
    with serving(tmp_path, "--allow-actions") as page:
        page.looked()
        answer = page.post("/api/whatsapp/persistent-session", {"action": "clear"})
        assert answer.json["success"] is True, answer.text
        assert not (tmp_path / "sessions" / "company_1001" / "creds.json").exists()
    listing = run_cli("undo", "--list", "--json", env=environment(tmp_path))
    run = json.loads(listing.stdout)["companies"][0]["runs"][0]["run"]
    assert run_cli("undo", "--run", run, env=environment(tmp_path)).returncode == 0
    assert (tmp_path / "sessions" / "company_1001" / "creds.json").exists()
