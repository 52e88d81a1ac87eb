"""Thousands of random folders on a real file system: what is planned and what is then gone is the policy.

The policy is stated twice, in the product and in `tests/oracle.py`, by different means. Each tree is planned
by a dry run, cleaned, and cleaned again. SEED in the environment repeats a run, TREES lengthens the short one.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from baileys_tools.cleanup.cleaning import run_cleanup
from baileys_tools.cleanup.job import Verdicts
from baileys_tools.cleanup.show.cleanup_json import cleanup_json
from baileys_tools.config import Settings, load_settings
from baileys_tools.frame.show.json_text import envelope
from baileys_tools.sessions.rules.keyfiles import REMOVED_IF_UNUSED
from tests.oracle import DAY, OraclePlan, OraclePolicy, Tree, key_of, plan, random_tree
from tests.support import company_folder

TREES = int(os.environ.get("TREES", "1000"))
BATCH = 50
"""Trees with one policy: fewer than what a run shares among processes, whose forks would cost more than their work."""
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 1_000_000_000


class Seen(NamedTuple):
    """What tells one file on disk from another, and from itself rewritten."""

    inode: int
    mtime_ns: int
    size: int


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a million small files are made and removed."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="baileys-tools-test-") as folder:
        yield Path(folder)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "number", [TREES, pytest.param(10_000, marks=pytest.mark.faults)], ids=["some", "ten thousand"]
)
def test_random_folders_end_as_the_policy_says(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # creds.json is not torn here, it is damaged
    # On one line, which nobody reads and takes a fifth of the time.
    monkeypatch.setattr("baileys_tools.cleanup.show.cleanup_json.envelope", partial(envelope, indent=None))
    # The same trees in every CI run; elsewhere new ones each time.
    anew = 20260115 if os.environ.get("CI") == "true" else Random().randrange(2**32)
    seed = int(os.environ.get("SEED", anew))
    rng = Random(seed)
    checked = removed = emergencies = 0
    for batch in range(0, number, BATCH):
        policy, settings = random_policy(rng)
        trees = {f"{one}": random_tree(rng, policy, NOW_NS) for one in range(min(BATCH, number - batch))}
        root = workshop / "sessions"
        for company, tree in trees.items():
            make_folder(root / f"company_{company}", tree)
        try:
            plans = {name: plan(t.files, t.parsed_creds, policy, NOW_NS) for name, t in trees.items()}
            check_batch(root, settings, plans)
        except AssertionError as error:
            pytest.fail(f"SEED={seed}, after {batch} trees, {policy}:\n{error}"[:2_000], pytrace=False)
        checked += len(trees)
        removed += sum(len(expected.removed) for expected in plans.values())
        emergencies += sum(expected.emergency for expected in plans.values())
        shutil.rmtree(root)
        # What was seen of one tree is nothing of the next one at its place.
        shutil.rmtree(f"{root}-state", ignore_errors=True)
    assert checked == number
    assert removed > number, "hardly anything was to be removed: the trees prove little"
    assert emergencies
    with capsys.disabled():
        print(f" {checked:,} trees, {removed:,} removals, {emergencies:,} emergencies, SEED={seed}", end="")


def random_policy(rng: Random) -> tuple[OraclePolicy, dict[str, str]]:
    """Return a policy and the environment that asks for it; low thresholds bring emergencies within reach."""
    days, hours = rng.choice((14, 14, 7, 20)), rng.choice((72, 72, 24, 36))
    keep, danger = rng.choice((50, 50, 30, 33)), rng.choice((185, 40, 40, 25, 10))
    guard = rng.random() < 0.75
    lists, identities, active = (rng.choice((None, None, 1, 14)) for _ in range(3))
    until, keep_own_keys = rng.choice((None, None, 20, 30)), rng.random() < 0.25
    policy = OraclePolicy(
        days * DAY,
        hours * DAY // 24,
        keep,
        guard,
        danger,
        device_lists=None if lists is None else lists * DAY,
        identity_keys=None if identities is None else identities * DAY,
        until=until,
        active_group=None if active is None else active * DAY,
        keep_own_keys=keep_own_keys,
    )
    return policy, {
        "BAILEYS_TOOLS_CLEANUP__DEVICE_LISTS": "keep" if lists is None else f"{lists}d",
        "BAILEYS_TOOLS_CLEANUP__IDENTITY_KEYS": "keep" if identities is None else f"{identities}d",
        "BAILEYS_TOOLS_CLEANUP__UNTIL": "off" if until is None else f"{until}",
        "BAILEYS_TOOLS_CLEANUP__ACTIVE_GROUP": "off" if active is None else f"{active}d",
        "BAILEYS_TOOLS_CLEANUP__KEEP_OWN_KEYS": str(keep_own_keys).lower(),
        "BAILEYS_TOOLS_CLEANUP__SESSION_MAX_AGE": f"{days}d",
        "BAILEYS_TOOLS_CLEANUP__SENDER_KEY_MAX_AGE": f"{hours}h",
        "BAILEYS_TOOLS_PRE_KEYS__KEEP": f"{keep}",
        "BAILEYS_TOOLS_PRE_KEYS__GUARD": str(guard).lower(),
        "BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW": rng.choice(("24h", "0")),
    } | {
        f"BAILEYS_TOOLS_THRESHOLDS__{level}": str(danger - below)
        for below, level in enumerate(("DANGER", "EMERGENCY", "TRIGGER", "CRITICAL", "WARNING"))
    }


def make_folder(folder: Path, tree: Tree) -> None:
    folder.mkdir(parents=True)
    for file in tree.files:
        content = tree.creds if file.name == "creds.json" else file.content
        path = f"{folder}/{file.name}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, content or b"")
        os.close(descriptor)
        os.utime(path, ns=(file.mtime_ns, file.mtime_ns))


def check_batch(root: Path, environment: dict[str, str], plans: dict[str, OraclePlan]) -> None:
    """Plan, clean and clean again; compare what is said and what is on disk with `plans` at each step."""
    environment = environment | {"BAILEYS_TOOLS_STATE_DIR": f"{root}-state"}
    dry, real = (
        load_settings({"cleanup.dry_run": dry}, environment, home=str(root), cwd=str(root)).settings
        for dry in (True, False)
    )
    before = {company: files_of(root / f"company_{company}") for company in plans}

    planned = companies_of(dry, root, NOW)
    for company, expected in plans.items():
        check_plan(company, planned[company], expected, before[company])
        assert files_of(root / f"company_{company}") == before[company], f"{company}: a dry run touched it"
        assert not (root / f"company_{company}" / ".baileys-tools").exists()

    cleaned = companies_of(real, root, NOW)
    for company, expected in plans.items():
        assert cleaned[company]["plan"] == planned[company]["plan"], f"{company}: dry run and run differ"
        check_disk(company, root, before[company], expected, undoable=bool(real.cleanup.undo_window))

    for company in plans:
        # What the run has changed, it has changed now.
        os.utime(root / f"company_{company}", ns=(NOW_NS, NOW_NS))
    again = companies_of(real, root, NOW, Verdicts.REMOVED)
    after = {company: files_of(root / f"company_{company}") for company in plans}
    for company in plans:
        # What a session used goes once it is gone.
        more = {entry["kind"] for entry in again[company]["plan"]["remove"]} - REMOVED_IF_UNUSED
        # With no file left from the future the clock may be believed again: that is a new situation. So are some
        # pre-keys less, where `until` leaves the rest, or where without the guard those went that it would have held.
        is_same = real.pre_keys.guard and (real.cleanup.until is None or "pre-key" not in more)
        if planned[company]["plan"]["holds"] == [] and is_same:
            assert not more, f"{company}: the second run found more"
        os.utime(root / f"company_{company}", ns=(NOW_NS, NOW_NS))
    third = companies_of(real, root, NOW, Verdicts.REMOVED)
    for company in plans:
        if planned[company]["plan"]["holds"] == [] and real.cleanup.until is None and real.pre_keys.guard:
            assert third[company]["plan"]["remove"] == [], f"{company}: the third run found more"
            assert files_of(root / f"company_{company}") == after[company]


def companies_of(
    settings: Settings, root: Path, now: datetime, verdicts: Verdicts = Verdicts.ALL
) -> dict[str, Any]:
    report = run_cleanup(settings, str(root), now, verdicts=verdicts)
    companies = json.loads(cleanup_json(report, kept_files=verdicts is Verdicts.ALL))["companies"]
    return {company["company"]: company for company in companies}


def check_plan(company: str, said: dict[str, Any], expected: OraclePlan, on_disk: dict[str, Seen]) -> None:
    plan = said["plan"]
    verdicts = [
        (entry["file"], (verdict, entry["kind"])) for verdict in ("remove", "keep") for entry in plan[verdict]
    ]
    names = [name for name, _ in verdicts]
    assert sorted(names) == sorted({key_of(name) for name in on_disk}), (
        f"{company}: not one verdict for every key"
    )
    wrong = {
        name: f"{got}, {expected.verdicts[name]} by the policy"
        for name, got in verdicts
        if got != expected.verdicts[name]
    }
    assert not wrong, f"{company}: {wrong}, holds {plan['holds']}, tier {plan['tier']}"
    guarded = {entry["file"] for entry in plan["keep"] if entry["reason"] == "pre-key-guarded"}
    if plan["tier"] == "normal":
        assert guarded == expected.guarded, company
    assert plan["guarded_pre_keys"] == len(expected.guarded), company
    assert plan["counted_files"] == expected.counted, company
    assert plan["counted_files_after"] == expected.counted - len(expected.removed), company
    cost = (expected.cost_contacts, expected.cost_group_senders, expected.cost_pre_keys)
    assert tuple(plan["cost"].values())[:3] == cost, company
    assert plan["bytes_to_free"] == sum(
        seen.size for name, seen in on_disk.items() if key_of(name) in expected.removed
    ), company


def check_disk(
    company: str, root: Path, before: dict[str, Seen], expected: OraclePlan, *, undoable: bool
) -> None:
    folder = root / f"company_{company}"
    kept = {name: seen for name, seen in before.items() if key_of(name) not in expected.removed}
    gone = {name: seen for name, seen in before.items() if key_of(name) in expected.removed}
    assert files_of(folder) == kept, f"{company}: the disk is not what the policy says"
    left = list((folder / ".baileys-tools" / "quarantine").glob("*"))
    runs = [run for run in left if run.is_dir()]
    notes = {run.with_name(f"{run.name}.alone") for run in runs}
    assert notes.issuperset(set(left).difference(runs)), f"{company}: more than runs and their notes is left"
    quarantined = {name: seen for run in runs for name, seen in files_of(run).items()}
    assert quarantined == (gone if undoable else {}), f"{company}: the quarantine is not what was removed"


def files_of(folder: Path) -> dict[str, Seen]:
    with os.scandir(folder) as entries:
        return {
            entry.name: Seen(seen.st_ino, seen.st_mtime_ns, seen.st_size)
            for entry in entries
            if entry.is_file(follow_symlinks=False)
            for seen in [entry.stat()]
        }


# --- what a scan that looks at less could miss --------------------------------------------------------------


def plan_on_disk(workshop: Path, ages: dict[str, timedelta]) -> dict[str, Any]:
    company_folder(workshop, "1", ages, now=NOW)
    settings = load_settings({"cleanup.dry_run": True}, {}, home=str(workshop), cwd=str(workshop)).settings
    plan: dict[str, Any] = companies_of(settings, workshop, NOW)["1"]["plan"]
    return plan


def test_an_emergency_that_only_pre_keys_can_help_is_seen_on_disk(tmp_path: Path) -> None:
    ages = {f"pre-key-{number}.json": timedelta(days=1) for number in range(1, 51)}
    ages |= {f"device-list-{number}.json": timedelta(0) for number in range(150)}
    plan = plan_on_disk(tmp_path, ages)
    assert plan["tier"] == "emergency"
    assert [entry["file"] for entry in plan["remove"]] == sorted(f"pre-key-{i}.json" for i in range(1, 21))


def test_a_note_from_another_time_does_not_put_the_clock_in_doubt(tmp_path: Path) -> None:
    ages = {"notes.txt": timedelta(days=-900), "session-1.0.json": timedelta(days=20)}
    plan = plan_on_disk(tmp_path, ages)
    assert plan["holds"] == []
    assert [entry["file"] for entry in plan["remove"]] == ["session-1.0.json"]
