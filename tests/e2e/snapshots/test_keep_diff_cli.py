"""`keep` and `diff` as an operator meets them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest

from tests.e2e.cleanup.test_cleanup_cli import checked_json
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, creds, snapshot_tree, write_key
from tests.support import run_cli as run_alone

PN = "4917012345678"
SESSION, MAPPING = f"session-{PN}.0.json", f"lid-mapping-{PN}.json"
OLD = timedelta(hours=7)


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    folder = company_folder(tmp_path / "sessions", "1001", {SESSION: OLD, "pre-key-30.json": OLD})
    write_key(folder, "creds.json", OLD, json.dumps(creds()))
    return tmp_path / "sessions"


@pytest.fixture
def env(tmp_path: Path, sessions: Path) -> dict[str, str]:
    """With a retention that keeps one snapshot."""
    settings = tmp_path / "settings.yaml"
    rules = "".join(f"  keep_{rule}: 0\n" for rule in ("hourly", "daily", "weekly", "tagged"))
    settings.write_text(f"backup:\n  keep_last: 1\n  minimum: 1\n{rules}")
    return {
        "BAILEYS_SESSIONS_PATH": str(sessions),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository"),
        "BAILEYS_TOOLS_CONFIG": str(settings),
    }


def backup(env: Mapping[str, str], sessions: Path, content: str) -> None:
    write_key(sessions / "company_1001", SESSION, OLD, content)
    assert run_cli("backup", "--quiet", env=env).returncode == 0


def sequences(env: Mapping[str, str]) -> list[int]:
    found = checked_json(run_cli("snapshots", "--json", env=env).stdout, "snapshots")
    return [info["sequence"] for company in found["companies"] for info in company["snapshots"]]


# --- keep ---------------------------------------------------------------------------------------------------


def test_a_pinned_snapshot_outlives_the_retention_until_it_is_released(env, sessions):
    backup(env, sessions, '{"n":1}')
    done = run_cli("keep", "--company", "1001", "latest", "--for", "30d", "--json", env=env)
    kept = checked_json(done.stdout, "keep")
    assert kept["snapshot"]["kept_until"] is not None
    for number in (2, 3):
        backup(env, sessions, f'{{"n":{number}}}')
    assert sequences(env) == [1, 3]
    assert "kept until" in run_cli("snapshots", env=env).stdout
    assert "pinned" in run_cli("prune", "--dry-run", "--verbose", env=env).stdout
    checked_json(run_cli("prune", "--dry-run", "--json", env=env).stdout, "prune")
    released = run_cli("keep", "--company", "1001", "1", "--release", env=env)
    assert "released" in released.stdout
    run_cli("prune", env=env)
    assert sequences(env) == [3]
    folder = Path(env["BAILEYS_TOOLS_BACKUP_PATH"]) / "company_1001"
    assert [name for name in os.listdir(folder) if ".keep-" in name] == []


def test_the_last_word_on_a_snapshot_holds(env, sessions):
    backup(env, sessions, '{"n":1}')
    for duration in ("52w", "1d"):
        run_cli("keep", "--company", "1001", "1", "--for", duration, env=env)
    folder = Path(env["BAILEYS_TOOLS_BACKUP_PATH"]) / "company_1001"
    (pin,) = [path for path in folder.iterdir() if ".keep-" in path.name]
    assert (pin.stat().st_size, pin.stat().st_mode & 0o777) == (0, 0o600)
    (info,) = checked_json(run_cli("snapshots", "--json", env=env).stdout, "snapshots")["companies"][0][
        "snapshots"
    ]
    assert info["kept_until"].replace("-", "").replace(":", "") == pin.name.rpartition("-")[2]


@pytest.mark.parametrize("words", [(), ("--for", "1d", "--release"), ("--for", "0"), ("--for", "soon")])
def test_a_time_has_to_be_meant(env, sessions, words):
    backup(env, sessions, '{"n":1}')
    assert run_cli("keep", "--company", "1001", "1", *words, env=env).returncode == 2


def test_no_such_snapshot(env, sessions):
    backup(env, sessions, '{"n":1}')
    for company, wanted in (("1001", "77"), ("9", "1"), ("1001", "../x")):
        assert run_cli("keep", "--company", company, wanted, "--for", "1d", env=env).returncode == 10


def test_names_that_are_nearly_pins_are_none(env, sessions):
    backup(env, sessions, '{"n":1}')
    folder = Path(env["BAILEYS_TOOLS_BACKUP_PATH"]) / "company_1001"
    (archive,) = folder.glob("*.tar.zst")
    for ending in (".keep-", ".keep-tomorrow", ".keep-20269999T000000Z", ".keep-20270101T000000Z\n"):
        (folder / (archive.name + ending)).touch()
    backup(env, sessions, '{"n":2}')
    assert sequences(env) == [2]


def test_the_tab_key_offers_snapshots(env, sessions):
    backup(env, sessions, '{"n":1}')
    completing = {"_BAILEYS_TOOLS_COMPLETE": "complete_bash", "COMP_CWORD": "4"}
    words = {"COMP_WORDS": "baileys-tools keep --company 1001 "}
    assert run_alone(env=env | completing | words).stdout.split() == ["latest", "1"]


# --- diff ---------------------------------------------------------------------------------------------------


def test_what_changed_since_a_snapshot(env, sessions):
    backup(env, sessions, '{"secret":"s3cr3t"}')
    folder = sessions / "company_1001"
    write_key(folder, SESSION, content='{"secret":"an0ther"}')
    write_key(folder, MAPPING, content='"1"')
    (folder / "pre-key-30.json").unlink()
    write_key(folder, "creds.json", content=json.dumps(creds(nextPreKeyId=61)))
    before = snapshot_tree(sessions, ignore=())
    done = run_cli("diff", "--company", "1001", "latest", "--verbose", env=env)
    assert done.returncode == 0
    assert snapshot_tree(sessions, ignore=()) == before
    for line in ("- pre-key-30.json", "+ lid-mapping-49****78.json", "~ session-49****78.0.json"):
        assert line in done.stdout
    assert "nextPreKeyId 31 -> 61" in done.stdout
    found = checked_json(run_cli("diff", "--company", "1001", "1", "live", "--json", env=env).stdout, "diff")
    kinds = {kind["kind"]: kind for kind in found["kinds"]}
    assert kinds["session"]["changed"] == ["session-49****78.0.json"]
    assert found["same_login"] is True
    for text in (done.stdout, json.dumps(found)):
        assert "s3cr3t" not in text
        assert "an0ther" not in text
        assert PN not in text


def test_two_snapshots_and_an_encrypted_one(env, sessions, tmp_path):
    backup(env, sessions, '{"n":1}')
    run_cli("keep", "--company", "1001", "1", "--for", "1d", env=env)
    identity = pyrage.x25519.Identity.generate()
    key = tmp_path / "key.txt"
    key.write_text(f"{identity}\n")
    key.chmod(0o600)
    backup(env | {"BAILEYS_TOOLS_BACKUP__RECIPIENTS": str(identity.to_public())}, sessions, '{"n":2}')
    words = ("diff", "--company", "1001", "1", "2", "--json")
    assert run_cli(*words, env=env).returncode == 12
    found = checked_json(run_cli(*words, "--identity", key, env=env).stdout, "diff")
    assert (found["from"]["sequence"], found["to"]["sequence"]) == (1, 2)
    assert {kind["kind"]: len(kind["changed"]) for kind in found["kinds"]} == {
        "creds": 0,
        "pre-key": 0,
        "session": 1,
    }


def test_what_cannot_be_compared_has_its_exit_code(env, sessions):
    backup(env, sessions, '{"n":1}')
    assert run_cli("diff", "--company", "1001", "77", env=env).returncode == 10
    folder = Path(env["BAILEYS_TOOLS_BACKUP_PATH"]) / "company_1001"
    (archive,) = folder.glob("*.tar.zst")
    with archive.open("r+b") as file:
        file.write(b"x")
    assert run_cli("diff", "--company", "1001", "1", env=env).returncode == 11


def test_a_pin_holds_in_the_copies_too(env, sessions, tmp_path):
    copies = tmp_path / "copies"
    copies.mkdir(mode=0o700)
    settings = Path(env["BAILEYS_TOOLS_CONFIG"])
    rules = "".join(f"  keep_{rule}: 0\n" for rule in ("hourly", "daily", "weekly", "tagged"))
    settings.write_text(
        settings.read_text()
        + f"  copies: ['file://{copies}']\ncopies:\n  keep_last: 1\n  minimum: 1\n{rules}"
    )
    backup(env, sessions, '{"n":1}')
    run_cli("keep", "--company", "1001", "1", "--for", "30d", env=env)
    for number in (2, 3):
        backup(env, sessions, f'{{"n":{number}}}')
    there = sorted(path.name[:8] for path in (copies / "company_1001").glob("*.tar.zst"))
    assert there == ["00000001", "00000003"]
    run_cli("keep", "--company", "1001", "1", "--release", env=env)
    backup(env, sessions, '{"n":4}')
    assert [path.name[:8] for path in (copies / "company_1001").glob("*.tar.zst")] == ["00000004"]


# --- two bots of one name -----------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> dict[str, str]:
    """Two bots in folders of one name, each with a snapshot in one repository, taken from its own sessions path."""
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    for bot, number in (("ann", "1"), ("bob", "2")):
        folder = tmp_path / "bots" / bot / "auth_info_baileys"
        folder.mkdir(parents=True)
        write_key(folder, SESSION, OLD, json.dumps({"of": bot}))
        own = creds()
        own["me"]["id"] = f"491701234567{number}:1@s.whatsapp.net"
        write_key(folder, "creds.json", OLD, json.dumps(own))
        done = run_cli("backup", "--sessions", str(folder), env=env)
        assert done.returncode == 0, done.stderr
    return env


def place_of(tmp_path: Path, bot: str) -> str:
    return str(tmp_path / "bots" / bot / "auth_info_baileys")


@pytest.mark.parametrize("bot", ["ann", "bob"])
def test_a_pin_is_put_on_the_snapshot_of_the_place_that_is_meant(
    tmp_path: Path, two: Mapping[str, str], bot: str
) -> None:
    place = place_of(tmp_path, bot)
    done = run_cli(
        "keep", "--company", "auth_info_baileys", "latest", "--for", "9d", "--sessions", place, env=two
    )
    assert done.returncode == 0, done.stderr
    found = checked_json(run_cli("snapshots", "--json", env=two).stdout, "snapshots")
    pinned = [one for one in found["companies"] if one["snapshots"][0]["kept_until"] is not None]
    assert [one["path"] for one in pinned] == [place]


@pytest.mark.parametrize("bot", ["ann", "bob"])
def test_a_folder_is_compared_with_a_snapshot_of_its_own(
    tmp_path: Path, two: Mapping[str, str], bot: str
) -> None:
    done = run_cli(
        "diff",
        "--company",
        "auth_info_baileys",
        "latest",
        "--json",
        "--sessions",
        place_of(tmp_path, bot),
        env=two,
    )
    document = checked_json(done.stdout, "diff")
    assert [kind for kind in document["kinds"] if kind["changed"] or kind["gone"] or kind["new"]] == []


@pytest.mark.parametrize("command", [("keep", "latest", "--for", "9d"), ("diff", "latest")])
def test_a_name_of_two_is_refused_and_both_are_listed(
    tmp_path: Path, two: Mapping[str, str], command: tuple[str, ...]
) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"sessions: {{roots: [{place_of(tmp_path, 'ann')}, {place_of(tmp_path, 'bob')}]}}")
    verb, *words = command
    env = {**two, "BAILEYS_TOOLS_CONFIG": str(settings)}
    done = run_cli(verb, "--company", "auth_info_baileys", *words, env=env)
    assert done.returncode == 2
    assert "auth_info_baileys@ann" in done.stderr
    assert "auth_info_baileys@bob" in done.stderr
    assert "reset" not in done.stderr


def test_no_pin_is_put_on_the_snapshot_of_another_place(tmp_path: Path, two: Mapping[str, str]) -> None:
    folder = tmp_path / "bots" / "cal" / "auth_info_baileys"
    folder.mkdir(parents=True)
    write_key(folder, "creds.json", OLD, json.dumps(creds()))
    done = run_cli(
        "keep", "--company", "auth_info_baileys", "latest", "--for", "9d", "--sessions", str(folder), env=two
    )
    assert done.returncode == 10
    assert "which still stands" in done.stderr
