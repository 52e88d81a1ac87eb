"""What somebody puts into the repository that no backup wrote: it is told of, and stops no backup."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from pyrage import x25519

from tests.integration.faults.forked import run_cli
from tests.support import company_folder

HASH = "0" * 32


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def env(tmp_path: Path, repository: Path) -> dict[str, str]:
    for company in ("1001", "1002"):
        company_folder(tmp_path / "sessions", company)
    return {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(repository),
    }


def names(repository: Path, company: str = "1001") -> list[str]:
    return sorted(path.name for path in (repository / f"company_{company}").iterdir() if "zst" in path.name)


@pytest.mark.parametrize("sequence", [999_999_999_999, 9_999_999_999, 3_000_000_000])
def test_a_sequence_that_cannot_be_stops_no_backup_and_is_told(
    env: dict[str, str], repository: Path, sequence: int
) -> None:
    assert run_cli("backup", env=env).returncode == 0
    name = f"{sequence:08d}-99991231T000000Z-{HASH}.tar.zst"
    (repository / "company_1001" / name).write_bytes(b"planted")
    for _ in range(2):
        assert run_cli("backup", "--force", env=env).returncode == 0
    assert [int(one.split("-")[0]) for one in names(repository)] == [1, 2, 3, sequence]
    restored = json.loads(run_cli("restore", "--company", "1001", "--dry-run", "--json", env=env).stdout)
    assert restored["snapshot"]["id"] == "3"
    verified = run_cli("verify", env=env)
    assert verified.returncode == 3
    assert f"{name} counts for nothing" in " ".join(verified.stdout.split())


def test_the_index_cannot_name_a_sequence_that_leaves_none(env: dict[str, str], repository: Path) -> None:
    assert run_cli("backup", env=env).returncode == 0
    index = repository / "company_1001/index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"sequence": 999_999_999_999}))
    assert run_cli("backup", "--force", env=env).returncode == 0
    assert [int(one.split("-")[0]) for one in names(repository)] == [1, 2]


def swap(repository: Path) -> None:
    one, other, aside = (repository / name for name in ("company_1001", "company_1002", "aside"))
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def test_swapped_folders_are_found_by_the_weekly_look(env: dict[str, str], repository: Path) -> None:
    assert run_cli("backup", env=env).returncode == 0
    assert run_cli("verify", env=env).returncode == 0
    swap(repository)
    verified = run_cli("verify", "-q", env=env)
    assert verified.returncode == 1
    assert "taken of another company than its folder says" in " ".join(verified.stderr.split())
    assert not list(repository.rglob("*.damaged"))
    swap(repository)
    assert run_cli("verify", env=env).returncode == 0


def test_swapped_folders_of_encrypted_snapshots_are_found_without_the_key(
    env: dict[str, str], repository: Path
) -> None:
    recipient = str(x25519.Identity.generate().to_public())
    assert run_cli("backup", env=env | {"BAILEYS_TOOLS_BACKUP__RECIPIENTS": recipient}).returncode == 0
    assert run_cli("verify", env=env).returncode == 0
    swap(repository)
    verified = run_cli("verify", "-q", env=env)
    assert verified.returncode == 3
    for company, other in (("1001", "1002"), ("1002", "1001")):
        said = f"company {company}: its folder holds the snapshots of company {other}"
        assert said in " ".join(verified.stderr.split())


def test_what_fits_its_hash_and_is_no_snapshot_is_found_by_the_weekly_look(
    env: dict[str, str], repository: Path
) -> None:
    import hashlib

    assert run_cli("backup", env=env).returncode == 0
    content = b"no archive"
    sha256 = hashlib.sha256(content).hexdigest()[:32]
    planted = repository / "company_1001" / f"00000009-20260101T000000Z-{sha256}.tar.zst"
    planted.write_bytes(content)
    assert run_cli("verify", env=env).returncode == 11
    assert planted.with_name(planted.name + ".damaged").exists()


def test_a_file_of_any_size_is_refused_before_it_is_hashed(env: dict[str, str], repository: Path) -> None:
    assert run_cli("backup", env=env).returncode == 0
    planted = repository / "company_1001" / f"00000009-20260101T000000Z-{HASH}.tar.zst"
    planted.touch()
    os.truncate(planted, 1 << 40)
    began = time.monotonic()
    restored = run_cli("restore", "--company", "1001", "--dry-run", env=env)
    assert restored.returncode == 11
    assert "larger than a snapshot can be" in restored.stderr
    verified = run_cli("verify", env=env)
    assert time.monotonic() - began < 60
    assert verified.returncode == 11
    before = run_cli("restore", "--company", "1001", "--dry-run", "--json", env=env)
    assert json.loads(before.stdout)["snapshot"]["id"] == "1"
