"""Folders and names that nobody's bot made: links, pipes, strange names, companies that point elsewhere."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.forked import run_cli
from tests.integration.faults.injection import cleanup, traced
from tests.support import COMMAND, company_folder, require_root, snapshot_tree, write_key

OLD = timedelta(days=20)
KEYS = {"session-1.0.json": OLD, "session-2.0.json": timedelta(days=1)}


def clean(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_cli(*cleanup(root, *options)[1:], timeout=30)


def report_of(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run.stdout)
    return report


# --- entries that are no files ------------------------------------------------------------------------------


def make_device(path: Path) -> None:
    require_root()
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero: reading it never ends


def make_socket(path: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)
    try:
        # A socket's address holds 107 bytes, the paths of tests are longer.
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{here}/{path.name}")
    finally:
        os.close(here)


def make_full_folder(path: Path) -> None:
    path.mkdir()
    (path / "session-9.0.json").write_text("{}")


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (os.mkfifo, "a FIFO"),
    "socket": (make_socket, "a socket"),
    "device": (make_device, "a character device"),
    "folder": (make_full_folder, "a folder"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "a symbolic link"),
    "link to a file": (lambda path: path.symlink_to("creds.json"), "a symbolic link"),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", ["session-x.0.json", "sender-key-memory-1@g.us.json"])
def test_what_is_no_file_is_reported_and_never_opened_nor_removed(
    tmp_path: Path, kind: str, name: str
) -> None:
    make, word = ODD[kind]
    folder = company_folder(tmp_path, keys=KEYS)
    make(folder / name)
    os.utime(folder / name, (1, 1), follow_symlinks=False)
    before = snapshot_tree(folder)
    run, calls = traced(cleanup(tmp_path, "--json"), calls=("open", "openat", "openat2"))
    assert run.returncode == 0
    assert report_of(run)["companies"][0]["not_files"] == [{"name": name, "what": word}]
    assert not [call.text for call in calls if f'"{name}"' in call.text]
    assert before.keys() - snapshot_tree(folder).keys() == {b"session-1.0.json"}
    loud = clean(tmp_path, "--verbose")
    assert "left alone 1 entry" in loud.stdout
    assert word in loud.stdout


@pytest.mark.parametrize(
    "name", ["pre-key-1.json", "lid-mapping-491700000001.json", "app-state-sync-version-regular.json"]
)
@pytest.mark.parametrize("kind", ODD)
def test_what_is_called_like_a_file_that_always_stays_is_reported(
    tmp_path: Path, kind: str, name: str
) -> None:
    make, what = ODD[kind][:2]
    folder = company_folder(tmp_path, keys=KEYS)
    make(folder / name)
    (company,) = report_of(clean(tmp_path, "--json"))["companies"]
    assert [odd["name"] for odd in company["not_files"]] == [name]
    assert what in company["not_files"][0]["what"]


def test_pipes_called_like_pre_keys_are_never_opened_nor_removed(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=KEYS, nextPreKeyId=100, firstUnuploadedPreKeyId=100)
    names = [f"pre-key-{number}.json" for number in range(1, 81)]
    for name in names:
        os.mkfifo(folder / name)
    run, calls = traced(cleanup(tmp_path, "--quiet"), calls=("open", "openat", "openat2"))
    assert run.returncode == 0
    assert {path.name for path in folder.glob("pre-key-*")} == set(names)
    assert not [call for call in calls if '"pre-key' in call.text]


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "dangling link"])
def test_creds_that_are_no_file_hold_the_folder_without_waiting(tmp_path: Path, kind: str) -> None:
    folder = company_folder(tmp_path, keys=KEYS)
    (folder / "creds.json").unlink()
    ODD[kind][0](folder / "creds.json")
    run = clean(tmp_path, "--quiet")
    assert run.returncode == 1
    assert "creds.json is" in run.stderr
    assert (folder / "session-1.0.json").exists()


BROKEN_CREDS = {
    "empty": "",
    "half": '{"me": {"id": "1',
    "zeros": "\0" * 4096,
    "a list": "[]",
    "a bomb": "[" * 1_000_000,
    "larger than any": json.dumps({"me": {"id": "1@s.whatsapp.net"}, "padding": "x" * (17 << 20)}),
    "no utf-8": "\udcff{}",
}


@pytest.mark.parametrize("content", BROKEN_CREDS.values(), ids=BROKEN_CREDS)
def test_broken_creds_hold_the_folder_and_nothing_else(tmp_path: Path, content: str) -> None:
    broken = company_folder(tmp_path, "1", keys=KEYS)
    sound = company_folder(tmp_path, "2", keys=KEYS)
    (broken / "creds.json").write_bytes(os.fsencode(content))
    before = snapshot_tree(broken)
    run = clean(tmp_path, "--quiet")
    assert run.returncode == 3
    assert "company 1: creds.json is" in run.stderr
    assert "internal error" not in run.stderr
    assert snapshot_tree(broken) == before
    assert not (sound / "session-1.0.json").exists()


MAD_CREDS: list[dict[str, Any]] = [
    {"nextPreKeyId": 10**4000},
    {"nextPreKeyId": -1, "firstUnuploadedPreKeyId": -1},
    {"nextPreKeyId": float("nan")},
    {"nextPreKeyId": float("inf"), "firstUnuploadedPreKeyId": "31"},
    {"nextPreKeyId": True, "firstUnuploadedPreKeyId": None},
    {"me": []},
    {"me": {"id": 5}},
    {"me": {"id": "1" * 5000 + "@s.whatsapp.net"}},
    {"me": {"id": "1:" + "9" * 5000 + "@s.whatsapp.net"}},
    {"me": {"id": ":::@@@"}},
]


@pytest.mark.parametrize("changes", MAD_CREDS, ids=lambda changes: repr(changes)[:40])
def test_creds_that_say_mad_things_never_end_in_a_crash(tmp_path: Path, changes: dict[str, Any]) -> None:
    pre_keys = {f"pre-key-{number}.json": OLD for number in range(1, 61)}
    folder = company_folder(tmp_path, keys=KEYS | pre_keys, **changes)
    run = clean(tmp_path, "--quiet")
    assert run.returncode in (0, 1)
    assert "internal error" not in run.stderr
    assert len(list(folder.glob("pre-key-*"))) >= 50


def test_a_hard_link_to_an_outside_file_is_skipped_and_reported(tmp_path: Path) -> None:
    outside = write_key(tmp_path, "outside.json", OLD, "precious")
    folder = company_folder(tmp_path / "root", keys=KEYS)
    os.link(outside, folder / "session-9.0.json")
    run = clean(tmp_path / "root", "--json")
    assert run.returncode == 0
    assert report_of(run)["companies"][0]["not_files"] == [
        {"name": "session-9.0.json", "what": "a file with other hard links"}
    ]
    assert outside.read_text() == "precious"
    assert outside.stat().st_nlink == 2
    assert not (folder / "session-1.0.json").exists()


# --- companies that are no folders of their own -------------------------------------------------------------


def test_a_company_that_is_a_link_is_refused_with_the_reason_and_the_others_are_done(tmp_path: Path) -> None:
    outside = company_folder(tmp_path / "outside", keys=KEYS)
    before = snapshot_tree(outside, ignore=())
    root = tmp_path / "root"
    folder = company_folder(root, "2", keys=KEYS)
    (root / "company_1").symlink_to(outside)
    for options in ([], ["--dry-run"]):
        run = clean(root, "--quiet", *options)
        assert run.returncode == 3
        assert run.stderr.startswith("company 1: is a symbolic link, which is not followed")
        assert "--sessions" in run.stderr
    assert snapshot_tree(outside, ignore=()) == before
    assert not (folder / "session-1.0.json").exists()


def test_undo_refuses_a_company_that_is_a_link(tmp_path: Path) -> None:
    outside = company_folder(tmp_path / "outside", keys=KEYS)
    assert clean(tmp_path / "outside", "--quiet").returncode == 0
    before = snapshot_tree(outside, ignore=())
    root = tmp_path / "root"
    root.mkdir()
    (root / "company_1").symlink_to(outside)
    run = run_cli("undo", "--sessions", root)
    assert run.returncode == 1
    assert "symbolic link" in run.stdout
    assert snapshot_tree(outside, ignore=()) == before


@pytest.mark.parametrize("verb", ["cleanup", "undo"])
def test_a_link_in_the_place_of_the_quarantine_is_refused_with_what_to_do(tmp_path: Path, verb: str) -> None:
    folder = company_folder(
        tmp_path / "sessions", "1001", {"session-4917000000001.0.json": timedelta(days=20)}
    )
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / ".baileys-tools").symlink_to(outside)
    done = run_cli(verb, "--sessions", folder.parent, "--quiet")
    assert done.returncode == 1
    assert ".baileys-tools: is not a folder of its own (a link is not followed)" in done.stderr
    assert list(outside.iterdir()) == []
    assert (folder / "session-4917000000001.0.json").exists()


@pytest.mark.parametrize("verb", ["cleanup", "undo"])
def test_our_own_folder_as_a_link_to_another_companys_leads_no_file_across(tmp_path: Path, verb: str) -> None:
    """The repair of one company has died; the other's link must not finish it, nor take its folders along."""
    sessions = tmp_path / "sessions"
    one, other = (company_folder(sessions, company, keys=KEYS) for company in ("1", "2"))
    lost = "app-state-sync-key-AAAAAB____.json"  # of a kind that a repair brings back
    for folder in (one, other):
        write_key(folder, lost, OLD)
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"), "BAILEYS_SESSIONS_PATH": str(sessions)}
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    (other / lost).unlink()
    restore = (COMMAND, "restore", "--company", "2", "--yes", "--force")
    dying = ("-e", "inject=renameat2:signal=KILL")
    assert traced(restore, *dying, calls=["renameat2"], env=env)[0].returncode == -9
    assert (other / ".baileys-tools" / "restore.json").exists()
    resets = other / ".baileys-tools" / "resets" / "20260115T030000Z-a1b2c3"
    resets.mkdir(parents=True)
    write_key(resets, "creds.json", OLD)
    (one / lost).unlink()
    (one / ".baileys-tools").symlink_to("../company_2/.baileys-tools")
    before = snapshot_tree(sessions, ignore=(b".cleanup.lock",))
    done = run_cli(verb, "--company", "1", "--quiet", env=env)
    assert done.returncode == 1
    assert ".baileys-tools: is not a folder of its own (a link is not followed)" in done.stderr
    assert snapshot_tree(sessions, ignore=(b".cleanup.lock",)) == before


def test_a_company_that_is_a_file_is_reported_and_the_others_are_done(tmp_path: Path) -> None:
    (tmp_path / "company_1").write_text("no folder")
    folder = company_folder(tmp_path, "2", keys=KEYS)
    run = clean(tmp_path, "--quiet")
    assert run.returncode == 3
    assert run.stderr == "company 1: is not a folder\n"
    assert not (folder / "session-1.0.json").exists()


# --- --company ----------------------------------------------------------------------------------------------

HOSTILE_IDS = {
    "up and out": "../../etc",
    "absolute": "/etc",
    "down and out": "1001/../..",
    "beside": "1001/../../outside/company_9",
    "itself": ".",
    "parent": "..",
    "empty": "",
    "blank": " ",
    "slash": "1001/",
    "very long": "9" * 100_000,
    "longer than a name": "9" * 300,
    "a newline": "1001\nbaileys-tools: all is well",
    "an escape": "\x1b]0;owned\x07\x1b[2J",
    "a pattern": "*",
    "an option": "--dry-run",
    "a link": "link",
}


@pytest.mark.parametrize("company_id", HOSTILE_IDS.values(), ids=HOSTILE_IDS)
@pytest.mark.parametrize("verb", ["cleanup", "undo"])
def test_a_hostile_company_is_refused(tmp_path: Path, verb: str, company_id: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    company_folder(root, keys=KEYS)
    company_folder(outside, "9", keys=KEYS)
    before = snapshot_tree(tmp_path, ignore=())
    run = run_cli(verb, "--sessions", root, f"--company={company_id}", timeout=30)
    assert run.returncode in (2, 10)
    assert "internal error" not in run.stderr
    assert "\x1b" not in run.stderr
    assert not [line for line in run.stderr.splitlines() if line.startswith("baileys-tools: all")]
    assert snapshot_tree(tmp_path, ignore=()) == before


def test_a_company_with_a_nul_byte_in_the_settings_is_refused(tmp_path: Path) -> None:
    company_folder(tmp_path, keys=KEYS)
    settings = tmp_path / "settings.yaml"
    settings.write_text('sessions:\n  companies: ["1001\\0/../.."]\n')
    run = clean(tmp_path, "--config", str(settings))
    assert run.returncode in (2, 10)
    assert "internal error" not in run.stderr
    assert "\0" not in run.stderr


# --- names --------------------------------------------------------------------------------------------------

HOSTILE_NAMES = [
    b"session-1.0.json\nsession-2.0.json",
    b"session-\x1b[2J\x1b]0;owned\x07.0.json",
    b"session-\xff\xfe.0.json",
    b"session-\xc2\x9b31m.0.json",
    b"session-\xe2\x80\xae.0.json",
    b"session-\x7f.0.json",
    b"session-..0.json",
    b"session-" + b"x" * 242 + b".json",
    b"-rf",
    b"--no-preserve-root",
    b"~",
    b"$(reboot).json",
    b"pre-key-007.json",
    b"pre-key--1.json",
    b"pre-key-\xd9\xa1.json",
    b"sender-key-.json",
    b" creds.json",
    b"creds.json ",
]


def hostile_folder(root: Path) -> Path:
    folder = company_folder(root, keys=KEYS)
    for name in HOSTILE_NAMES:
        write_key(folder, name, OLD)
    return folder


def is_quiet_on_a_terminal(text: str) -> bool:
    """Whether the text has nothing in it but printable characters and line ends."""
    return all(line.isprintable() for line in text.split("\n"))


def test_strange_names_are_kept_under_their_exact_bytes(tmp_path: Path) -> None:
    folder = hostile_folder(tmp_path)
    assert clean(tmp_path, "--quiet").returncode == 0
    assert set(HOSTILE_NAMES) <= set(os.listdir(os.fsencode(folder)))
    assert not (folder / "session-1.0.json").exists()


@pytest.mark.parametrize(
    "options", [[], ["--verbose"], ["--dry-run", "--verbose"], ["--quiet"]], ids=" ".join
)
def test_nothing_raw_from_a_name_reaches_the_terminal(tmp_path: Path, options: list[str]) -> None:
    hostile_folder(tmp_path)
    run = clean(tmp_path, *options)
    assert is_quiet_on_a_terminal(run.stdout + run.stderr)
    assert (r"session-\x1b[2J\x1b]0;owned\x07.0.json" in run.stdout) == ("--verbose" in options)


def test_the_json_of_strange_names_is_valid_and_names_each_file_once(tmp_path: Path) -> None:
    hostile_folder(tmp_path)
    run = subprocess.run(
        cleanup(tmp_path, "--json", "--verbose", "--dry-run"), capture_output=True, check=False, timeout=30
    )
    plan = json.loads(run.stdout.decode("utf-8", "strict"))["companies"][0]["plan"]
    names = [verdict["file"] for verdict in plan["keep"] + plan["remove"]]
    assert len(set(names)) == len(names) == len(HOSTILE_NAMES) + 3
    assert r"session-\xff\xfe.0.json" in names


def test_the_json_has_nothing_that_a_terminal_acts_on(tmp_path: Path) -> None:
    hostile_folder(tmp_path)
    run = clean(tmp_path, "--json", "--verbose", "--dry-run")
    assert is_quiet_on_a_terminal(run.stdout)


LONGEST = {
    "session": "session-" + "7" * 64 + "." + "1" * 9 + ".json",
    "sender-key": "sender-key-" + "1" * 95 + "@g.us--" + "4" * 64 + "--" + "1" * 9 + ".json",
    "sender-key-memory": "sender-key-memory-" + "1" * 95 + "@g.us.json",
}


@pytest.mark.parametrize("undo_window", ["24h", "0"])
@pytest.mark.parametrize("name", LONGEST.values(), ids=LONGEST)
def test_the_longest_names_of_baileys_are_removed_as_any_other(
    tmp_path: Path, name: str, undo_window: str
) -> None:
    keys = {name: OLD}
    if name == LONGEST["sender-key-memory"]:
        # The own key that it speaks of: an undo brings no memory back without it.
        keys["sender-key-" + "1" * 95 + "@g.us--919585510685--17.json"] = OLD
    folder = company_folder(tmp_path, keys=keys)
    before = snapshot_tree(folder)
    run = run_cli(*cleanup(tmp_path)[1:], env={"BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW": undo_window})
    assert run.returncode == 0, run.stdout
    assert not (folder / name).exists()
    if undo_window != "0":
        assert run_cli("undo", "--sessions", tmp_path).returncode == 0
        assert snapshot_tree(folder) == before


@pytest.mark.parametrize("prefix", ["session-", "sender-key-memory-", "pre-key-"])
def test_a_name_of_255_bytes_is_nobodys_and_kept(tmp_path: Path, prefix: str) -> None:
    name = prefix + "7" * (250 - len(prefix) - 2) + ".0" + ".json"
    assert len(name) == 255
    folder = company_folder(tmp_path, keys={name: OLD})
    run = run_cli(*cleanup(tmp_path)[1:], env={"BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW": "0"})
    assert run.returncode == 0, run.stdout
    assert (folder / name).exists()


@pytest.mark.parametrize(
    "company_id", [b"\xff\xfe", b"a\nb", b"\x1b[31m", b"-rf", b"\xc2\x9b", b"x" * 247], ids=ascii
)
def test_a_company_of_a_strange_name_is_cleaned_and_printed_safely(tmp_path: Path, company_id: bytes) -> None:
    folder = company_folder(tmp_path, os.fsdecode(company_id), keys=KEYS)
    run = clean(tmp_path, "--verbose")
    assert run.returncode == 0
    assert is_quiet_on_a_terminal(run.stdout)
    assert not (folder / "session-1.0.json").exists()
    listed = run_cli("undo", "--sessions", tmp_path, "--list")
    assert is_quiet_on_a_terminal(listed.stdout)
    assert re.search(r"\d{8}T\d{6}Z-[0-9a-f]{6}", listed.stdout)
    assert run_cli("undo", "--sessions", tmp_path).returncode == 0
    assert (folder / "session-1.0.json").exists()
    json.loads(clean(tmp_path, "--json").stdout)
