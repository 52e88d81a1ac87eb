"""Snapshots that are not what they were: every byte flipped, every length cut, and archives made to do harm."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from baileys_tools.recovery.snapshot_to_restore import read_snapshot
from baileys_tools.sessions.rules.snapshot import StoredFile
from baileys_tools.snapshots.archive import DamagedSnapshot
from baileys_tools.snapshots.encryption import Identities, WrongKey
from baileys_tools.snapshots.repository import Repository
from tests.integration.faults.forked import run_cli
from tests.integration.snapshot_files import HOSTILE, fuzzed, plant, publish, some_files, stored
from tests.support import snapshot_tree

LIMIT_MIB = 128
LIMIT_SECONDS = 5


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, str]:
    """An identity file and its public key."""
    identity = pyrage.x25519.Identity.generate()
    file = tmp_path / "key.txt"
    file.write_text(f"# a key for a test\n{identity}\n")
    return str(file), str(identity.to_public())


def archives() -> list[list[StoredFile]]:
    chance = random.Random(5)
    return [
        [stored("creds.json", b"{}")],
        some_files(chance, 4),
        [
            *some_files(chance, 2),
            stored("x" * 180 + ".json", b"{}"),
            stored("sender-key-ä@g.us.json", b"[1]"),
        ],
    ]


SWEEPS = [
    pytest.param(
        files, step, id=f"{name}{', each' if step == 1 else ''}", marks=pytest.mark.faults if long else ()
    )
    for name, files in zip(("smallest", "usual", "odd names"), archives(), strict=True)
    for step, long in (((1, False),) if name == "smallest" else ((5, False), (1, True)))
]
"""Each byte of the smallest snapshot and each fifth of larger ones; all of them in the long proofs."""


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize(("files", "step"), SWEEPS)
def test_what_was_written_is_read_back_and_every_other_byte_is_found(tmp_path, key, files, step, encrypted):
    repository = tmp_path / "repository"
    info = publish(repository, files, key[1] if encrypted else "")
    path = repository / "company_1001" / info.file
    good = path.read_bytes()
    with Repository(str(repository)) as opened:
        snapshot = opened.read_whole(info, Identities(key[0]))
        assert sorted(snapshot.entries, key=lambda e: e.name) == sorted(
            (file.entry for file in files), key=lambda e: e.name
        )

        def is_found() -> bool:
            with pytest.raises(DamagedSnapshot):
                opened.verify_hash(info)
            # All that a restore does before it looks at its target.
            with pytest.raises(DamagedSnapshot):
                read_snapshot(opened, "1001", info.file, key[0])
            return True

        for place in range(0, len(good), step):
            path.write_bytes(good[:place] + bytes([good[place] ^ (1 << place % 8)]) + good[place + 1 :])
            assert is_found()
        for length in range(0, len(good), step):
            path.write_bytes(good[:length])
            assert is_found()
        path.write_bytes(good + b"\0")
        assert is_found()
        with pytest.raises(DamagedSnapshot):
            opened.read_whole(info, Identities(key[0]))


def test_an_encrypted_snapshot_whose_name_was_made_to_fit_is_found_too(tmp_path, key):
    repository = tmp_path / "repository"
    info = publish(repository, archives()[0], key[1])
    path = repository / "company_1001" / info.file
    good = path.read_bytes()
    path.unlink()
    chance = random.Random(3)
    with Repository(str(repository)) as opened:
        for _ in range(150):
            place = chance.randrange(len(good))
            bad = good[:place] + bytes([good[place] ^ 1 << chance.randrange(8)]) + good[place + 1 :]
            planted = plant(repository, bad, encrypted=True)
            with pytest.raises((DamagedSnapshot, WrongKey)):
                opened.read_whole(planted, Identities(key[0]))
            (repository / "company_1001" / planted.file).unlink()


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_refused(tmp_path, what):
    info = plant(tmp_path / "repository", HOSTILE[what]())
    before = snapshot_tree(tmp_path)
    with Repository(str(tmp_path / "repository")) as opened, pytest.raises(DamagedSnapshot):
        opened.read_whole(info)
    assert snapshot_tree(tmp_path) == before


PROBE = """
import re, sys, time
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.archive import DamagedSnapshot
started = time.process_time()
with Repository(sys.argv[1]) as opened:
    try:
        opened.read_whole(opened.find("1001"))
        print("taken for good")
    except DamagedSnapshot:
        print("refused")
seconds = time.process_time() - started
# Not getrusage: its peak begins with the parent's, from before exec.
with open("/proc/self/status") as status:
    print(int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]) / 1024, seconds)
"""


@pytest.mark.parametrize(
    "what", [name for name in HOSTILE if "bomb" in name or "large" in name or "many" in name]
)
def test_a_bomb_takes_neither_memory_nor_time(tmp_path, what):
    plant(tmp_path / "repository", HOSTILE[what]())
    done = subprocess.run(
        [sys.executable, "-c", PROBE, tmp_path / "repository"], capture_output=True, text=True, check=True
    )
    verdict, figures = done.stdout.splitlines()
    mib, seconds = map(float, figures.split())
    assert verdict == "refused"
    assert mib < LIMIT_MIB
    assert seconds < LIMIT_SECONDS


@pytest.mark.parametrize(
    "content", [bytes(16 << 20), b"0123456789abcdef" * (1 << 20)], ids=["sparse", "repetitive"]
)
def test_a_file_that_packs_well_makes_no_bomb_of_its_snapshot(tmp_path, content):
    files = [*archives()[0], *(stored(f"store-{number}.bin", content) for number in range(3))]
    info = publish(tmp_path / "repository", files)
    assert info.size < 64 << 10
    with Repository(str(tmp_path / "repository")) as opened:
        assert len(opened.read_whole(info).entries) == 4


@pytest.mark.parametrize(
    ("count", "content", "why"),
    [
        (17, bytes(16 << 20), "more than a snapshot may hold"),
        (1, bytes((16 << 20) + 1), "larger than 16 MiB"),
        (120_001, b"{}", "more than a snapshot may hold"),
    ],
    ids=["too many bytes", "too large a file", "too many files"],
)
def test_what_could_not_be_read_again_is_never_published(tmp_path, count, content, why):
    one = stored("creds.json", content)
    files = [replace(one, entry=replace(one.entry, name=f"{number:06d}.json")) for number in range(count)]
    with pytest.raises(OSError, match=why):
        publish(tmp_path / "repository", files)
    assert not list((tmp_path / "repository/company_1001").iterdir())


@pytest.mark.faults
def test_the_largest_honest_snapshot_is_read_within_the_memory_limit(tmp_path):
    chance = random.Random(1)
    files = [stored(f"pre-key-{number}.json", chance.randbytes(40)) for number in range(1, 100_001)]
    publish(tmp_path / "repository", files)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, tmp_path / "repository"], capture_output=True, text=True, check=True
    )
    verdict, figures = done.stdout.splitlines()
    assert verdict == "taken for good"
    assert float(figures.split()[0]) < LIMIT_MIB


def fuzz(repository: Path, seed: int, count: int) -> int:
    """Read `count` fuzzed archives; return how many were refused. Anything but a refusal raises."""
    refused = 0
    source = fuzzed(random.Random(seed))
    with Repository(str(repository), create=True) as opened:
        for _ in range(count):
            info = plant(repository, next(source))
            try:
                snapshot = opened.read_whole(info)
                assert all(
                    entry.name == "creds.json" or entry.name[:8] == "pre-key-" for entry in snapshot.entries
                )
            except DamagedSnapshot:
                refused += 1
            (repository / "company_1001" / info.file).unlink()
    return refused


def test_fuzzed_archives_are_refused(tmp_path):
    assert fuzz(tmp_path / "repository", 1, 500) > 400


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(10, 20))
def test_fuzzed_archives_are_refused_by_the_thousand(tmp_path, seed):
    before = set(tmp_path.iterdir())
    assert fuzz(tmp_path / "repository", seed, 5_000) > 4_000
    assert set(tmp_path.iterdir()) - before == {tmp_path / "repository"}


def test_verify_marks_what_is_damaged_and_the_one_before_becomes_the_latest(tmp_path):
    repository = tmp_path / "repository"
    first = publish(repository, archives()[0])
    second = publish(repository, archives()[1])
    path = repository / "company_1001" / second.file
    path.write_bytes(path.read_bytes()[:-1])
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(repository)}

    done = run_cli("verify", "--json", env=env)

    assert done.returncode == 11
    (result,) = json.loads(done.stdout)["results"]
    assert (result["snapshot"]["sequence"], result["health"]) == (2, "damaged")
    with Repository(str(repository)) as opened:
        assert opened.find("1001", "latest").file == first.file
    assert run_cli("verify", env=env).returncode == 0
    assert run_cli("verify", "--all", env=env).returncode == 11
