"""`restore --all`: companies whose folders are gone come back, and what stands is left alone."""

from __future__ import annotations

import json
import os
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import jsonschema
import pytest

from baileys_tools.errors import ExitCode
from baileys_tools.recovery.rules.restore_all_report import AllStatus, OneOfAll, RestoreAllReport
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, snapshot_tree

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/json/restore-all.schema.json").read_text())
KEYS = {"pre-key-29.json": timedelta(hours=5), "pre-key-30.json": timedelta(hours=5)}


class Host:
    """A root with companies and a repository beside it."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.sessions, self.repository = folder / "sessions", folder / "repository"
        for name in names:
            company_folder(self.sessions, name, keys=KEYS)
        self.env = {
            "BAILEYS_SESSIONS_PATH": str(self.sessions),
            "BAILEYS_TOOLS_BACKUP_PATH": str(self.repository),
        }
        assert not names or self("backup", "--quiet").returncode == 0

    def __call__(self, *words: str | Path) -> CompletedProcess[str]:
        return run_cli(*words, env=self.env)

    def all(self, *words: str) -> dict[str, Any]:
        """Run `restore --all --json`, check the document, and return what became of each company."""
        done = self("restore", "--all", "--json", *words)
        document = json.loads(done.stdout)
        jsonschema.Draft202012Validator(SCHEMA).validate(document)
        assert document["exit_code"] == done.returncode
        return {one["company"]: one for one in document["companies"]}

    def lose(self, *names: str) -> None:
        for name in names:
            shutil.rmtree(self.sessions / f"company_{name}")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, "1001", "1002", "1003")


def test_what_is_gone_comes_back_and_what_stands_stays_byte_for_byte(host: Host) -> None:
    creds = (host.sessions / "company_1002" / "creds.json").read_bytes()
    host.lose("1002", "1003")
    (host.sessions / "company_1003").mkdir()  # an empty one is no session
    before = snapshot_tree(host.sessions / "company_1001")
    found = host.all("--dry-run")
    assert {name: one["status"] for name, one in found.items()} == {
        "1001": "stands",
        "1002": "planned",
        "1003": "planned",
    }
    assert os.listdir(host.sessions / "company_1003") == []
    assert not (host.sessions / "company_1002").exists()
    done = host.all("--yes")
    assert {name: one["status"] for name, one in done.items()} == {
        "1001": "stands",
        "1002": "restored",
        "1003": "restored",
    }
    assert done["1002"]["files"] == found["1002"]["files"] == len(os.listdir(host.sessions / "company_1002"))
    assert (
        json.loads((host.sessions / "company_1002" / "creds.json").read_bytes())["me"]
        == json.loads(creds)["me"]
    )
    assert snapshot_tree(host.sessions / "company_1001") == before
    assert {one["status"] for one in host.all("--yes").values()} == {"stands"}, "twice is once"


def test_the_text_has_a_line_each_and_the_cost(host: Host) -> None:
    host.lose("1002", "1003")
    done = host("restore", "--all", "--yes")
    assert done.returncode == 0
    assert "1002  restored       " in done.stdout
    assert "1001  there already" in done.stdout
    assert f"3 companies in {host.repository}: 2 restored, 1 there already" in done.stdout
    assert host("restore", "--all", "--yes", "--quiet").stdout == ""


def test_one_damaged_company_stops_no_other(host: Host) -> None:
    host.lose("1001", "1002", "1003")
    for archive in (host.repository / "company_1002").glob("*.tar*"):
        archive.write_bytes(archive.read_bytes()[:-40])
    done = host.all("--yes")
    assert done["1002"]["status"] == "failed"
    assert done["1002"]["trouble"]
    assert {done[name]["status"] for name in ("1001", "1003")} == {"restored"}
    assert not (host.sessions / "company_1002").exists()
    assert host("restore", "--all", "--yes").returncode == 3


def test_a_hint_of_two_lines_is_one_text(host: Host) -> None:
    """The snapshots are of folders that still stand elsewhere."""
    host.env["BAILEYS_SESSIONS_PATH"] = str(host.sessions.with_name("elsewhere"))
    company_folder(host.sessions.with_name("elsewhere"), "1004")
    said = " ".join(host("restore", "--all", "--yes").stdout.split())
    assert "--target DIR If the bot has moved, take its old folder away" in said


def test_a_key_that_is_missing_stops_before_anything_is_made(tmp_path: Path) -> None:
    host = Host(tmp_path, "1001")
    import pyrage

    key = pyrage.x25519.Identity.generate()
    host.env["BAILEYS_TOOLS_BACKUP__RECIPIENTS"] = str(key.to_public())
    assert host("backup", "--force", "--quiet").returncode == 0
    host.lose("1001")
    refused = host("restore", "--all", "--yes")
    assert refused.returncode == 12
    assert "--identity" in refused.stderr
    assert os.listdir(host.sessions) == []
    (tmp_path / "key").write_text(f"{key}\n")
    (tmp_path / "key").chmod(0o600)
    assert host("restore", "--all", "--yes", "--identity", tmp_path / "key").returncode == 0


def test_what_is_on_the_way_to_a_folder_is_made_too(tmp_path: Path) -> None:
    host = Host(tmp_path)
    (tmp_path / "srv").mkdir(mode=0o751)
    place = tmp_path / "srv" / "shop" / "auth_info"
    company_folder(tmp_path, "x", keys=KEYS)
    place.parent.mkdir()
    (tmp_path / "company_x").rename(place)
    host.env["BAILEYS_SESSIONS_PATH"] = str(tmp_path / "srv" / "*" / "auth_info")
    assert host("backup", "--quiet").returncode == 0
    shutil.rmtree(place.parent)
    assert host("restore", "--all", "--yes").returncode == 0
    assert (place / "creds.json").is_file()
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o751
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_it_asks_once_and_nobody_where_nobody_can_answer(host: Host) -> None:
    host.lose("1001", "1002")
    refused = host("restore", "--all")
    assert refused.returncode == 13
    assert "--yes" in refused.stderr
    assert sorted(os.listdir(host.sessions)) == ["company_1003"]


@pytest.mark.parametrize(
    "words", [("--company", "1001"), ("41",), ("--target", "/tmp/x"), ("--from-bak",), ("--mode", "rollback")]
)
def test_it_goes_with_nothing_that_means_one_company(host: Host, words: tuple[str, ...]) -> None:
    refused = host("restore", "--all", "--yes", *words)
    assert refused.returncode == 2


def test_a_target_is_made_with_what_is_above_it(host: Host, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "company_1001"
    assert host("restore", "--company", "1001", "--target", target, "--dry-run").returncode == 0
    assert not (tmp_path / "a").exists()
    assert host("restore", "--company", "1001", "--target", target).returncode == 0
    assert (target / "creds.json").is_file()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((), ExitCode.NOT_FOUND),
        ((AllStatus.STANDS,), ExitCode.DONE),
        ((AllStatus.RESTORED, AllStatus.STANDS), ExitCode.DONE),
        ((AllStatus.RESTORED, AllStatus.FAILED), ExitCode.PARTLY_FAILED),
        ((AllStatus.STANDS, AllStatus.REFUSED), ExitCode.PARTLY_FAILED),
        ((AllStatus.FAILED, AllStatus.REFUSED), ExitCode.FAILED),
    ],
)
def test_the_exit_code_of_all(states: tuple[AllStatus, ...], code: ExitCode) -> None:
    companies = [OneOfAll(str(number), state) for number, state in enumerate(states)]
    assert RestoreAllReport(datetime.now(UTC), "/r", companies).exit_code is code
