"""`serve` as an operator has it: what it shows, how soon, and what it says when nothing is new."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.integration.faults.forked import run_cli
from tests.serving import Page, environment, serving
from tests.support import COMMAND, company_folder, scrubbed_environment

HOSTILE = '<img src=x onerror="alert(1)">\n</script><script>alert(2)\u202exet.yhtlaeh'
ARABIC = "\u0645\u062a\u062c\u0631 \u0627\u0644\u0634\u0627\u0645"
PHONE = "4917012345678"


def fleet(place: Path) -> Path:
    for company in ("1001", "1002", "-rf", "a b", ARABIC, PHONE, HOSTILE.replace("/", "_")):
        company_folder(place / "sessions", company, {"pre-key-30.json": timedelta(hours=1)})
    return place


def monitor(place: Path) -> None:
    assert run_cli("monitor-once", "--quiet", env=environment(place)).returncode in (0, 4, 5)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleet(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[Page]:
    monitor(place)
    with serving(place) as page:
        yield page.looked()


def test_the_fleet_is_in_one_answer_the_worst_first(served: Page, place: Path) -> None:
    rows = served.data()["rows"]
    assert len(rows) == 7
    status = json.loads(run_cli("status", "--json", env=environment(place)).stdout)
    assert [row[2] for row in rows] == [one["state"] for one in status["companies"]]
    assert {row[1] for row in rows} >= {"1001", "1002", ARABIC, "49****78"}


def test_status_json_is_what_status_prints(served: Page, place: Path) -> None:
    shown = served.ask("/status.json")
    printed = json.loads(run_cli("status", "--json", env=environment(place)).stdout)
    assert shown.headers["content-type"] == "application/json"
    assert [*shown.json] == [*printed]
    assert {**shown.json, "now": ""} == {**printed, "now": ""}


def test_metrics_are_those_of_the_textfile(served: Page, place: Path, tmp_path: Path) -> None:
    run_cli("monitor-once", "--quiet", "--textfile", tmp_path / "a.prom", env=environment(place))
    name = "baileys_tools_"
    written = [line.split()[0] for line in (tmp_path / "a.prom").read_text().splitlines() if name in line]
    answer = served.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    shown = [line.split()[0] for line in answer.text.splitlines() if name in line]
    # A run of another command may have come between.
    assert {one for one in shown if "last_run" not in one} == {
        one for one in written if "last_run" not in one
    }


def test_a_company_has_a_page_and_a_badge(served: Page) -> None:
    document = served.data("/company/1001")
    assert document["row"][0] == "1001"
    assert [name for name, _, _ in document["facts"]][:2] == ["Files", "creds.json"]
    names = {name for name, _, _ in document["facts"]}
    assert {"Last message in", "Last message out", "Growth", "Last cleanup", "Last good snapshot"} <= names
    # What monitor-once saw, and what is there now: the same that the report draws.
    assert document["by_kind"]["levels"] == ["healthy", "healthy"]
    assert ["pre-key", [1, 1]] in document["by_kind"]["kinds"]
    badge = served.ask(document["badge"], by_token=False)
    assert (badge.status, badge.headers["content-type"]) == (200, "image/svg+xml")
    assert "1001: " in badge.text
    assert served.ask(document["badge"].replace("1001", "1002"), by_token=False).status == 401


def test_a_change_is_there_soon_after_the_pass(tmp_path: Path) -> None:
    place = fleet(tmp_path)
    monitor(place)
    with serving(place) as page:
        page.looked()
        (place / "sessions" / "company_1001" / "creds.json").write_bytes(b"")
        monitor(place)
        assert page.until(
            lambda: [row for row in page.data()["rows"] if row[0] == "1001" and row[3] == "creds-empty"]
        )
        assert page.data()["rows"][0][0] == "1001", "the worst first"
        monitor(place)


def test_the_health_says_whether_passes_are_fresh(served: Page, tmp_path: Path) -> None:
    assert served.ask("/healthz", by_token=False).text == "ok\n"
    place = fleet(tmp_path)
    with serving(place) as page:
        page.looked()
        answer = page.ask("/healthz", by_token=False)
        assert (answer.status, answer.text) == (503, "monitor-once has never run here: nobody is alerted\n")
        assert page.data()["meta"]["late"] in answer.text
        monitor(place)
        page.until(lambda: page.ask("/healthz", by_token=False).status == 200)


def test_a_look_that_fails_is_said_and_what_was_seen_stays(tmp_path: Path) -> None:
    place = fleet(tmp_path)
    monitor(place)
    with serving(place) as page:
        page.looked()
        os.rename(place / "sessions", place / "away")
        run_cli("monitor-once", "--quiet", env=environment(place))
        page.until(lambda: page.data()["meta"]["trouble"])
        assert len(page.data()["rows"]) == 7
        answer = page.ask("/healthz", by_token=False)
        assert answer.status == 503
        assert str(place) not in answer.text, "who has no token learns no path"
        os.rename(place / "away", place / "sessions")
        monitor(place)
        page.until(lambda: not page.data()["meta"]["trouble"])


def test_a_second_page_on_one_state_is_refused(served: Page, place: Path) -> None:
    run = run_cli("serve", "--listen", "127.0.0.1:0", env=environment(place))
    assert run.returncode == 75
    assert f"another serve is at work on this state (pid {served.process.pid})" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--listen", "bots.example.org:80"], 2, "serve.listen: 'bots.example.org' is not an IP address"),
        (["--listen", "127.0.0.1"], 2, "has no port"),
        (["--listen", "192.0.2.1:8787"], 1, "cannot listen on 192.0.2.1:8787"),
    ],
)
def test_an_address_that_will_not_do_is_named(
    tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    run = run_cli("serve", *arguments, env=environment(fleet(tmp_path)))
    assert run.returncode == code
    assert says in run.stderr


def test_it_ends_at_a_signal_with_open_pages_and_is_recorded(tmp_path: Path) -> None:
    place = fleet(tmp_path)
    with serving(place) as page:
        page.looked()
        asked = Request(f"{page.url}/events", headers={"Authorization": f"Bearer {page.token}"})
        with urlopen(asked, timeout=10) as open_page:
            assert open_page.readline() == b"retry: 3000\n"
            page.process.send_signal(signal.SIGTERM)
            assert page.process.wait(10) == 143
    (record,) = (one for one in (place / "state" / "runs").iterdir() if "-serve-" in one.name)
    assert json.loads(record.read_text())["exit_code"] == 143


def test_the_token_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    place = fleet(tmp_path)
    with serving(place) as page:
        first = page.token
        assert "made just now" in "".join(page.said)
        assert first not in "".join(page.said)
    token = place / "state" / "page" / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700
    with serving(place) as page:
        assert page.token == first


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        ("short\n", 0o600, "holds no token"),
        ("", 0o600, "holds no token"),
        ("two words " * 5, 0o600, "holds no token"),
        ("t" * 43, 0o644, "can be read by everybody"),
        ("t" * 43, 0o666, ""),
    ],
)
def test_a_token_file_that_is_no_good_is_refused(tmp_path: Path, content: str, mode: int, says: str) -> None:
    place = fleet(tmp_path)
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(mode)
    run = run_cli("serve", "--listen", "127.0.0.1:0", "--token-file", file, env=environment(place))
    assert run.returncode in (1, 2)
    assert says in run.stderr
    assert content.strip() == "" or len(content) < 40 or content not in run.stderr


def test_nothing_of_it_is_imported_by_any_other_command() -> None:
    """Each command is a start that somebody waits for, or cron pays for."""
    show = (
        "import sys\nfrom baileys_tools.cli import load_commands, MODULES\n"
        "for module, commands in MODULES.items():\n"
        "    for command in commands:\n"
        "        if command != 'serve': load_commands(command)\n"
        "import importlib, pathlib, baileys_tools\n"
        "package = pathlib.Path(baileys_tools.__file__).parent\n"
        "for path in package.rglob('*.py'):\n"
        "    parts = path.relative_to(package).with_suffix('').parts\n"
        "    if parts[0] != 'page' and parts != ('cli', 'page') and parts[-1] not in (\n"
        "        '__init__', '__main__', 'apprise_child', 'sftp'):\n"
        "        importlib.import_module('.'.join(('baileys_tools', *parts)))\n"
        "print([one for one in sys.modules if one.startswith(('baileys_tools.page', 'starlette', 'uvicorn'))])"
    )
    run = subprocess.run(
        [str(Path(COMMAND).parent / "python"), "-c", show],
        env=scrubbed_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"
