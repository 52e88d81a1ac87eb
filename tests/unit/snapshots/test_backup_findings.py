"""What a person is told after a backup, a verification and a look at the repository's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from baileys_tools.errors import ExitCode
from baileys_tools.finding_codes import CODES
from baileys_tools.findings import Severity
from baileys_tools.sessions.rules.folder import Oddity
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.rules.backup_findings import (
    LASTING_CODES,
    backup_findings,
    damage_findings,
    looked_at,
    repository_findings,
)
from baileys_tools.snapshots.rules.backup_report import BackupReport, BackupStatus, CompanyBackup, CopyResult
from baileys_tools.snapshots.rules.prune_report import (
    CompanyPrune,
    PruneReport,
    SnapshotHealth,
    Verified,
    VerifyReport,
)

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def info(sequence: int, company: str = "1") -> SnapshotInfo:
    return SnapshotInfo(company, f"{sequence:08d}-x.tar.zst", sequence, NOW, "", "0" * 32, 9, encrypted=False)


def report(*companies: CompanyBackup, copies: Sequence[CopyResult] = ()) -> BackupReport:
    return BackupReport("/srv/s", "/srv/b", NOW, False, False, companies, copies)


def company(status: BackupStatus, **facts: object) -> CompanyBackup:
    return replace(CompanyBackup("1", "/srv/s/company_1", status), **facts)  # type: ignore[arg-type]


GOOD = [BackupStatus.TAKEN, BackupStatus.UNCHANGED, BackupStatus.PLANNED, BackupStatus.LOCKED]


@pytest.mark.parametrize("status", GOOD)
def test_a_backup_that_went_well_or_waits_is_no_finding(status):
    trouble = "locked by 17" if status is BackupStatus.LOCKED else ""
    assert backup_findings(report(company(status, trouble=trouble), copies=[CopyResult("s3://b/c", 4)])) == []


@pytest.mark.parametrize(
    ("found", "code", "severity"),
    [
        (company(BackupStatus.UNFIT, trouble="creds.json is empty"), "backup-unfit", Severity.CRITICAL),
        (company(BackupStatus.FAILED, trouble="no space left"), "backup-failed", Severity.CRITICAL),
        (
            company(BackupStatus.TAKEN, snapshot=info(3), trouble="not pruned"),
            "prune-failed",
            Severity.WARNING,
        ),
        (
            company(BackupStatus.TAKEN, snapshot=info(3), damaged=[info(2)]),
            "snapshot-damaged",
            Severity.CRITICAL,
        ),
    ],
)
def test_each_trouble_of_a_company_has_its_code(found, code, severity):
    (finding,) = backup_findings(report(company(BackupStatus.TAKEN), found))
    assert (finding.code, finding.severity, finding.company) == (code, severity, "1")
    assert found.trouble in finding.message
    assert (code in LASTING_CODES) == (code != "snapshot-damaged")
    assert CODES[code].worst == severity


def test_files_that_could_not_be_read_are_a_finding_and_what_is_no_file_is_none():
    odd = [
        Oddity("session-1.0.json", "not readable (Input/output error)", failed=True),
        Oddity("x", "a FIFO"),
    ]
    found = report(company(BackupStatus.TAKEN, snapshot=info(3), left_out=odd))
    (finding,) = backup_findings(found)
    assert (finding.code, finding.facts) == ("backup-incomplete", {"files": 1})
    assert "session-1.0.json" in finding.message
    assert found.exit_code is ExitCode.PARTLY_FAILED
    assert report(company(BackupStatus.TAKEN, left_out=odd[1:])).exit_code is ExitCode.DONE


def test_what_was_found_damaged_on_the_way_to_a_place_counts_as_what_pruning_found():
    copies = [CopyResult("s3://b/c", damaged=[info(1), info(7, "9")])]
    found = report(company(BackupStatus.TAKEN, snapshot=info(3), damaged=[info(2)]), copies=copies)
    assert [(one.code, one.company, one.facts) for one in backup_findings(found)] == [
        ("snapshot-damaged", "1", {"damaged": 2}),
        ("snapshot-damaged", "9", {"damaged": 1}),
    ]
    assert found.exit_code is ExitCode.WARNING
    assert report(company(BackupStatus.UNCHANGED), copies=copies).exit_code is ExitCode.WARNING


def test_all_places_that_lack_copies_are_one_finding_of_the_host():
    copies = [CopyResult(f"s3://b/{n}", waiting=n, trouble=f"cut off {n}") for n in range(3)]
    (finding,) = backup_findings(report(copies=[*copies, CopyResult("sftp://good/x")]))
    assert (finding.code, finding.company) == ("copy-failed", "")
    assert finding.facts == {"places": 3, "waiting": 3}
    assert "s3://b/1: cut off 1" in finding.message
    assert "good" not in finding.message


def test_no_two_findings_are_the_same_to_an_alert():
    """A finding is told from others by its company and its code."""
    everything = report(
        company(BackupStatus.TAKEN, snapshot=info(3), trouble="not pruned", damaged=[info(1), info(2)]),
        copies=[CopyResult("s3://b/1", trouble="x"), CopyResult("s3://b/2", trouble="y")],
    )
    found = [(finding.company, finding.code) for finding in backup_findings(everything)]
    assert len(found) == len(set(found)) == 3


def test_damage_found_by_prune_or_verify_is_one_finding_a_company():
    results = [
        Verified(info(1), SnapshotHealth.DAMAGED),
        Verified(info(2), SnapshotHealth.WHOLE),
        Verified(info(4), SnapshotHealth.DAMAGED),
        Verified(info(1, "2"), SnapshotHealth.NO_KEY),
        Verified(info(7, "3"), SnapshotHealth.DAMAGED),
    ]
    verified = damage_findings(VerifyReport("/srv/b", NOW, False, results))
    assert [(finding.company, finding.facts["damaged"]) for finding in verified] == [("1", 2), ("3", 1)]
    assert "(1, 4)" in verified[0].message
    pruned = damage_findings(
        PruneReport("/srv/b", NOW, False, [CompanyPrune("1", damaged=[info(9)]), CompanyPrune("2")])
    )
    assert [(finding.company, finding.code) for finding in pruned] == [("1", "snapshot-damaged")]


def test_only_what_was_looked_at_can_be_over():
    done = report(
        company(BackupStatus.TAKEN, snapshot=info(3)),
        replace(company(BackupStatus.UNCHANGED), id="2"),
        replace(company(BackupStatus.LOCKED), id="3"),
        replace(company(BackupStatus.UNFIT), id="4"),
    )
    for wanted, others in ((), True), (("1", "2", "3", "4"), False):
        looked = looked_at(done, wanted)
        assert looked.covers(("1", "backup-unfit"))
        assert looked.covers(("1", "prune-failed"))
        assert looked.covers(("2", "backup-failed"))
        assert not looked.covers(("2", "prune-failed")), "nothing was pruned"
        assert not looked.covers(("3", "backup-unfit")), "it was locked"
        assert not looked.covers(("4", "backup-failed")), "there is still no backup"
        assert looked.covers(("4", "backup-incomplete"))
        assert looked.covers(("", "copy-failed"))
        assert looked.covers(("gone", "backup-unfit")) is others
        assert not looked.covers(("1", "snapshot-damaged"))


def test_copies_that_another_run_is_sending_are_neither_behind_nor_over():
    done = replace(report(company(BackupStatus.TAKEN, snapshot=info(3))), copies=None)
    assert backup_findings(done) == []
    assert done.exit_code is ExitCode.DONE
    looked = looked_at(done, ())
    assert not looked.covers(("", "copy-failed"))
    assert looked.covers(("1", "backup-failed"))


def test_nothing_raw_from_a_name_or_an_error_is_said():
    bad = "\x1b[31mred\n"
    found = replace(company(BackupStatus.UNFIT, trouble=bad), id=f"7{bad}")
    copies = [CopyResult(f"s3://b/{bad}", trouble=bad)]
    for finding in backup_findings(report(found, copies=copies)):
        assert (finding.message + finding.action).isprintable()


@pytest.mark.parametrize(
    ("path", "recipients", "copies", "identity", "expected"),
    [
        (None, (), ("s3://b/c",), None, None),
        ("/srv/b", (), (), None, ("snapshots-not-encrypted", Severity.NOTICE)),
        ("/srv/b", (), ("file:///mnt",), "/key", ("snapshots-not-encrypted", Severity.NOTICE)),
        ("/srv/b", (), ("file:///mnt", "s3://b/c"), None, ("snapshots-not-encrypted", Severity.WARNING)),
        ("/srv/b", ("age1x",), ("s3://b/c",), None, None),
        ("/srv/b", ("age1x",), (), "/key", ("secret-key-beside-snapshots", Severity.NOTICE)),
    ],
)
def test_what_a_repository_means_for_whoever_gets_hold_of_it(path, recipients, copies, identity, expected):
    found = [
        (finding.code, finding.severity)
        for finding in repository_findings(path, recipients, copies, identity)
    ]
    assert found == ([] if expected is None else [expected])
