"""A fleet of which some have spoilt their folders on purpose: the others are done, at no more than their share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from baileys_tools.snapshots.repository import Repository
from tests.e2e.frame.test_held_locks_cli import held
from tests.integration.poison import OLD, POISONS, poisoned
from tests.support import COMMAND, company_folder, require_root, scrubbed_environment

MOST_MEMORY_MIB = 150
UID = 4321
"""Of a bot's user who means no good."""

# By a process of its own that is small: what a child had in memory before it became another program counts for it.
MEASURE = """
import json, os, resource, subprocess, sys
if uid := int(sys.argv[1]):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
done = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, done.stdout.decode(), done.stderr.decode(), used // 1024]))
"""


class Done(NamedTuple):
    """How a command ended, and the most memory (MiB) that it or one of its workers had."""

    code: int
    out: str
    err: str
    memory: int

    @property
    def companies(self) -> dict[str, dict[str, object]]:
        """What its document says of each company."""
        return {company["company"]: company for company in json.loads(self.out)["companies"]}


class Fleet(NamedTuple):
    """Companies that are well and companies that are not."""

    root: Path
    well: list[str]
    spoilt: list[str]
    env: dict[str, str]

    def run(self, *arguments: str, uid: int = 0) -> Done:
        command = [sys.executable, "-S", "-E", "-c", MEASURE, str(uid), str(COMMAND), *arguments]
        done = subprocess.run(
            command, env=scrubbed_environment(self.env), capture_output=True, text=True, check=True, cwd="/"
        )
        return Done(*json.loads(done.stdout))


def make_fleet(place: Path, companies: int) -> Fleet:
    root = place / "sessions"
    root.mkdir(parents=True)
    spoilt = [poisoned(root, kind).name.removeprefix("company_") for kind in POISONS]
    company_folder(root, "\udcff\udcfe", {"session-491701.0.json": OLD})  # a name that is no UTF-8
    (root / "company_link").symlink_to("/etc")
    (root / "company_file").write_text("")
    well = [str(1000 + number) for number in range(companies)]
    for company in well:
        company_folder(root, company, {"session-491701.0.json": OLD, "session-491702.0.json": OLD})
    (place / "tmp").mkdir()
    config = place / "settings.yaml"
    config.write_text(
        json.dumps(
            {
                "sessions": {"path": str(root)},
                "backup": {"path": str(place / "backups")},
                "cleanup": {"snapshot_first": False},
                "locks": {"patience": "1s"},
                "state": {"dir": str(place / "state")},
                "thresholds": {"warning": 1, "critical": 2, "trigger": 3, "emergency": 180, "danger": 185},
            }
        )
    )
    config.chmod(0o600)
    env = {"BAILEYS_TOOLS_CONFIG": str(config), "TMPDIR": str(place / "tmp")}
    return Fleet(root, well, [*spoilt, "link", "file"], env)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder that is taken away again by a program that copes with what is in it: pytest's own recursion does not."""
    place = tmp_path / "fleet"
    place.mkdir()
    yield place
    subprocess.run(["chmod", "-R", "u+rwx", place], check=False)
    subprocess.run(["rm", "-rf", place], check=True)


def bear(fleet: Fleet, command: str) -> None:
    """Run a command over a fleet, and see that those who are well were done."""
    well, spoilt = set(fleet.well), set(fleet.spoilt)
    with held(fleet.root / "company_poison-times"):
        done = fleet.run(command, "--json")
    assert done.memory < MOST_MEMORY_MIB
    assert "Traceback" not in done.err
    said = done.companies
    assert well | spoilt <= said.keys()
    if command in ("cleanup", "trigger"):
        assert done.code == 3
        assert {company for company in well if said[company]["status"] != "cleaned"} == set()
        assert not any(
            path for company in well for path in (fleet.root / f"company_{company}").glob("session-*")
        )
    elif command == "backup":
        assert done.code == 3
        assert {company for company in well if said[company]["status"] != "taken"} == set()
    elif command == "monitor-once":
        # Its code is the worst finding; of those who are well there is none but how full they are.
        assert done.code == 5
        codes = {finding["code"] for company in well for finding in said[company]["findings"]}  # type: ignore[attr-defined]
        assert codes <= {"file-count", "pre-keys-gone", "snapshot-missing"}
    else:
        assert done.code in (3, 5)
        assert {said[company]["status"] for company in well} == {"unknown"}


COMMANDS = ["monitor-once", "recover", "backup", "trigger", "cleanup"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_spoilt_company_costs_no_other_one_anything(command: str, place: Path) -> None:
    bear(make_fleet(place, 30), command)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", COMMANDS)
def test_twenty_eight_spoilt_companies_among_a_thousand(command: str, place: Path) -> None:
    bear(make_fleet(place, 1_000 - len(POISONS) - 2), command)


@pytest.mark.root
@pytest.mark.parametrize("command", ["backup", "cleanup"])
def test_the_folders_of_a_user_who_means_no_good_against_root(command: str, place: Path) -> None:
    require_root()
    fleet = make_fleet(place, 4)
    for path in fleet.root.glob("company_poison-*"):
        subprocess.run(["chown", "-hR", f"{UID}:{UID}", path], check=True)
    mine = place / "secret"
    mine.write_text('"of root alone"')
    mine.chmod(0o600)
    link = fleet.root / "company_poison-names" / "session-2.0.json"
    link.symlink_to(mine)
    os.chown(link, UID, UID, follow_symlinks=False)
    before = owners_of(place / "settings.yaml", mine, *(fleet.root / f"company_{one}" for one in fleet.well))
    with held(fleet.root / "company_poison-own-key", UID) as pid:
        time.sleep(1.1)  # longer than locks.patience
        done = fleet.run(command, "--quiet")
    assert done.code == 3
    assert f"process {pid} of {UID}" in done.err
    assert mine.read_text() == '"of root alone"'
    assert not [content for content in stored(place / "backups") if b"of root alone" in content]
    assert owners_of(*before) == before
    # Whatever was made or moved in there is still that user's.
    spoilt = fleet.root.glob("company_poison-*")
    found = subprocess.run(
        ["find", *spoilt, "!", "-user", str(UID)], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


def stored(repository: Path) -> Iterator[bytes]:
    """Yield what is in the snapshots of a repository, where there is one."""
    if not repository.exists():
        return
    with Repository(str(repository)) as opened:
        for info in (info for company in opened.companies() for info in opened.snapshots(company)):
            with opened.reading(info) as reader:
                yield from (file.content for file in reader.files())


def owners_of(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    return {path: (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode) for path in paths}
