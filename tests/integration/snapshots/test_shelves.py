"""Whose snapshots stand where: a repository of version 0.1.0 goes on, and a name takes nothing from another place."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from baileys_tools.config import Settings, load_settings
from baileys_tools.sessions.rules.snapshot import Account
from baileys_tools.snapshots.backup import run_backup
from baileys_tools.snapshots.listing import list_all
from baileys_tools.snapshots.newest import Newest, newest_snapshots
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.backup_report import BackupStatus
from baileys_tools.snapshots.rules.shelf_names import name_of, own_shelf
from baileys_tools.snapshots.shelves import shelf_at, shelf_to_fill, the_one_shelf
from baileys_tools.snapshots.verify import run_verify
from tests.old_version import NOW, lay_repository, lay_sessions
from tests.support import company_folder

HOUR = timedelta(hours=1)


def settings_for(root: Path, repository: Path) -> Settings:
    environ = {"BAILEYS_SESSIONS_PATH": str(root), "BAILEYS_TOOLS_BACKUP_PATH": str(repository)}
    return load_settings({}, environ, cwd="/", home="/", euid=1).settings


def backed_up(
    root: Path, repository: Path, hours: int = 1, *, force: bool = False
) -> dict[str, BackupStatus]:
    settings = settings_for(root, repository)
    report = run_backup(settings, str(root), str(repository), NOW + hours * HOUR, force=force)
    return {company.id: company.status for company in report.companies}


def test_a_repository_of_the_version_before_goes_on_and_no_archive_is_written_anew(tmp_path: Path) -> None:
    own, other = lay_sessions(tmp_path / "a"), lay_sessions(tmp_path / "b")
    path = lay_repository(tmp_path / "repository", own)
    before = {file: file.read_bytes() for file in path.glob("*/*.tar.zst")}
    assert backed_up(other, path) == {"1001": BackupStatus.TAKEN, "1002": BackupStatus.UNFIT}
    assert backed_up(own, path) == {"1001": BackupStatus.UNCHANGED, "1002": BackupStatus.UNFIT}
    assert {file: file.read_bytes() for file in before} == before
    found = {(one.company, one.source): len(one.snapshots) for one in list_all(str(path), (), NOW).companies}
    theirs = own_shelf("1001", f"{other}/company_1001")
    assert found == {
        ("1001", f"{own}/company_1001"): 2,
        (theirs, f"{other}/company_1001"): 1,
        ("1002", f"{own}/company_1002"): 2,
        (own_shelf("1002", f"{other}/company_1002"), f"{other}/company_1002"): 0,
        ("gone", f"{own}/company_gone"): 2,
    }
    assert [result.health.value for result in run_verify(str(path), (), NOW, every=True).results] == [
        "whole"
    ] * 7
    # What could not be backed up is said of the one whose folder it is.
    with Repository(str(path)) as repository:
        assert repository.index("1002").failure
        assert shelf_at(repository, "1002", f"{own}/company_1002").name == "1002"


def test_what_the_monitor_knows_of_the_newest_is_of_its_own_place(tmp_path: Path) -> None:
    roots = [lay_sessions(tmp_path / name) for name in "ab"]
    path = lay_repository(tmp_path / "repository", roots[0])

    def newest(root: Path, known: dict[str, Newest]) -> dict[str, Newest]:
        found, trouble = newest_snapshots(
            str(path), ["1001", "1002"], known, lambda company: f"{root}/company_{company}"
        )
        assert not trouble
        return found

    old = {folder: (path / folder).stat().st_mtime_ns for folder in os.listdir(path)}
    for folder, mtime in old.items():
        os.utime(path / folder, ns=(mtime, mtime - 10**10))
    seen = [newest(root, {}) for root in roots]
    assert [one["1001"].stored for one in seen] == [2, 0]
    assert [newest(root, known) for root, known in zip(roots, seen, strict=True)] == seen
    backed_up(roots[1], path)
    later = [newest(root, known) for root, known in zip(roots, seen, strict=True)]
    assert [one["1001"].stored for one in later] == [2, 1]
    assert later[1]["1001"].shelf == own_shelf("1001", f"{roots[1]}/company_1001")


def test_a_name_that_looks_like_the_shelf_of_another_gets_nothing_of_it(tmp_path: Path) -> None:
    first, victim = tmp_path / "first", tmp_path / "victim"
    own = own_shelf("1001", f"{victim}/company_1001")
    company_folder(first, "1001", me={"id": "447700900120:1@s.whatsapp.net"})
    company_folder(victim, "1001", me={"id": "447700900121:1@s.whatsapp.net"})
    company_folder(tmp_path / "thief", own, me={"id": "447700900122:1@s.whatsapp.net"})
    path = tmp_path / "repository"
    assert backed_up(first, path) == {"1001": BackupStatus.TAKEN}
    assert backed_up(tmp_path / "thief", path) == {own: BackupStatus.TAKEN}
    assert backed_up(victim, path) == {"1001": BackupStatus.FAILED}, "said, and not mixed"
    with Repository(str(path)) as repository:
        assert len(repository.snapshots(own)) == 1
        assert len(repository.snapshots("1001")) == 1


def test_where_nobody_says_which_of_two_is_meant_both_are_named(tmp_path: Path) -> None:
    from baileys_tools.errors import UsageError

    roots = [lay_sessions(tmp_path / name) for name in "ab"]
    path = lay_repository(tmp_path / "repository", roots[0])
    backed_up(roots[1], path)
    apart = own_shelf("1001", f"{roots[1]}/company_1001")
    with Repository(str(path)) as repository:
        with pytest.raises(UsageError) as caught:
            the_one_shelf(repository, "1001")
        assert str(roots[0]) in caught.value.hint
        assert str(roots[1]) in caught.value.hint
        assert the_one_shelf(repository, "1001", f"{roots[1]}/company_1001") == apart
        assert the_one_shelf(repository, apart) == apart
        assert the_one_shelf(repository, "gone") == "gone"
        assert repository.sources(["1001", apart, "gone"]) == {
            "1001": f"{roots[0]}/company_1001",
            apart: f"{roots[1]}/company_1001",
        }


def test_a_shelf_of_a_place_that_is_gone_goes_to_the_same_session_alone(tmp_path: Path) -> None:
    root = lay_sessions(tmp_path / "a")
    path = lay_repository(tmp_path / "repository", tmp_path / "was")
    with Repository(str(path)) as repository:
        (info, *_) = repository.snapshots("1001")
        with repository.reading(info) as reader:
            same = reader.manifest.account
        place = f"{root}/company_1001"
        other = Account("x", "y", "z")
        assert shelf_to_fill(repository, "1001", place, same, force=False).name == "1001"
        assert shelf_to_fill(repository, "1001", place, other, force=True).name == own_shelf("1001", place)


@pytest.mark.parametrize(
    "name", ["1001", "a~b", "~", "x~0123456789ab", "auth_info_baileys", "Grüße", "x" * 247]
)
def test_a_shelf_tells_whose_it_is(name: str) -> None:
    shelf = own_shelf(name, "/srv/a")
    assert name_of(shelf).startswith(name[:200])
    assert len(os.fsencode(f"company_{shelf}")) <= 255
    assert own_shelf(name, "/srv/b") != shelf
