"""`baileys-tools report` without a browser: curves in the terminal, what is refused, how the page is written."""

from __future__ import annotations

import json
import socket
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from tests.browser.places import PHONE, environment, fleet
from tests.e2e.cleanup.test_cleanup_cli import checked_json
from tests.integration.faults.forked import run_cli
from tests.support import write_key


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleet(tmp_path_factory.mktemp("fleet"))


def test_in_the_terminal_each_company_has_a_curve(place: Path) -> None:
    shown = run_cli("report", env=environment(place))
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[0] == f"Counted files on {socket.gethostname()} over the last 30d"
    assert max(map(len, lines)) <= 80
    (curve,) = [line for line in lines if line.startswith("1002 ")]
    assert "█" in curve
    assert "▄" in curve
    assert "151 warning" in curve
    assert "6.0 counted files a day: reaches 170 in 3 days (critical); 1 cleanup; 1" in shown.stdout
    assert PHONE not in shown.stdout


def test_as_json_it_has_what_the_page_draws(place: Path) -> None:
    done = run_cli("report", "--json", env=environment(place) | {"BAILEYS_TOOLS_NOTIFY__HOST": "vps7"})
    document = checked_json(done.stdout, "report")
    assert (done.returncode, document["host"]) == (0, "vps7")
    (one,) = [one for one in document["companies"] if one["company"] == "1002"]
    history = one["history"]
    assert len(history["counted_files"]) > 500
    assert [drop["cleanup"] for drop in history["drops"]] == [True]
    assert {"session", "pre-key", "creds"} <= history["by_kind"][0]["files"].keys()
    assert len(history["by_kind"]) > 100
    assert {span["state"] for span in history["connections"]} == {"connected", "disconnected"}
    assert history["incidents"][0]["cause"] == "logged-out"
    assert PHONE not in done.stdout
    both = run_cli("report", "--json", "--html", "-", env=environment(place))
    assert (both.returncode, both.stdout.startswith("<")) == (2, False)


def test_a_company_without_creds_is_healthy_nowhere(place: Path) -> None:
    shown = run_cli("report", env=environment(place)).stdout
    (row,) = [line for line in shown.splitlines() if line.startswith("2001 ")]
    assert "emergency" in row
    assert "healthy" not in row
    page = run_cli("report", "--html", "-", env=environment(place)).stdout
    (line,) = [line for line in page.splitlines() if line.startswith("<tr>") and ">2001</a>" in line]
    assert "healthy" not in line
    tiles = page[page.index('class="tiles"') : page.index("</ul>")]
    assert '<b>1</b><span class="level emergency">emergency</span>' in tiles
    document = json.loads(page.partition('id="report-data">')[2].partition("</script>")[0])
    assert {one["id"]: one["state"] for one in document["companies"]}["2001"] == "emergency"


def test_the_last_cleanup_shows_what_it_promised_and_what_was_paid(tmp_path: Path) -> None:
    place = fleet(tmp_path)
    folder = place / "sessions" / "company_1001"
    for name in ("session-4917000000001.0.json", "session-4917000000002.0.json"):
        write_key(folder, name, timedelta(days=20))
    assert run_cli("cleanup", "--company", "1001", "-q", env=environment(place)).returncode == 0
    (folder / "session-4917000000001.0.json").write_text("{}")
    paid = "last cleanup: 1 chat, 0 group messages late so far, of 2 and 0"
    assert paid in run_cli("report", env=environment(place)).stdout.replace("\n  ", " ")
    assert paid in run_cli("report", "--html", "-", env=environment(place)).stdout


def test_that_history_is_too_short_is_said_once(place: Path) -> None:
    shown = run_cli("report", env=environment(place)).stdout
    assert shown.count("not known yet") == 1
    table = run_cli("status", env=environment(place) | {"BAILEYS_TOOLS_STATE_DIR": str(place / "new")}).stdout
    assert table.count("not known yet") == 1
    assert "NEXT LEVEL" not in table
    assert "?" not in table


def test_a_terminal_without_such_signs_gets_plain_ones(place: Path) -> None:
    shown = run_cli(
        "report", "--company", "1002", env={**environment(place), "PYTHONIOENCODING": "ascii"}
    ).stdout
    assert shown.isascii()
    assert "@" in shown


def test_a_shorter_time_has_less_to_show(place: Path) -> None:
    shown = run_cli("report", "--company", "1002", "--since", "2d", env=environment(place)).stdout
    assert "over the last 2d" in shown
    assert "0 cleanups" in shown


def test_the_page_goes_to_standard_output_or_to_a_file_of_ones_own(place: Path, tmp_path: Path) -> None:
    printed = run_cli("report", "--html", "-", env=environment(place))
    assert printed.stdout.startswith("<!doctype html>")
    path = tmp_path / "report.html"
    for _ in range(2):
        written = run_cli("report", "--html", path, env=environment(place))
        assert (written.returncode, written.stdout) == (0, "")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_quiet_it_writes_the_page_into_the_state_folder(place: Path) -> None:
    quiet = run_cli("report", "--quiet", env=environment(place))
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert (place / "state" / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("since", ["30", "yesterday", "0", "59m", "400d"])
def test_a_time_that_cannot_be_meant_is_refused(place: Path, since: str) -> None:
    refused = run_cli("report", "--since", since, env=environment(place))
    assert refused.returncode == 2
    assert "--since" in refused.stderr


def test_a_page_that_cannot_be_written_is_said_in_one_line(place: Path, tmp_path: Path) -> None:
    refused = run_cli("report", "--html", tmp_path / "nowhere" / "report.html", env=environment(place))
    assert refused.returncode == 1
    assert "cannot write the report" in refused.stderr
    assert "Traceback" not in refused.stderr
