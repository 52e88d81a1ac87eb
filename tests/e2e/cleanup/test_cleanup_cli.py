"""`baileys-tools cleanup` as an operator meets it: what it prints, what it refuses, what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.integration.faults.forked import run_cli
from tests.support import (
    COMMAND,
    company_folder,
    require_root,
    require_tool,
    scrubbed_environment,
    snapshot_tree,
    write_key,
)

SCHEMAS = Path(__file__).parents[3] / "docs" / "json"
OLD_SESSION = "session-4917000000001.0.json"
YOUNG_SESSION = "session-4917000000002.0.json"
GROUP = "120363041234567890@g.us"
KEYS = {
    OLD_SESSION: timedelta(days=15),
    YOUNG_SESSION: timedelta(days=13),
    f"sender-key-{GROUP}--4917000000001--0.json": timedelta(days=4),
    f"sender-key-{GROUP}--919585510685--17.json": timedelta(days=4),
    f"sender-key-memory-{GROUP}.json": timedelta(hours=1),
    "app-state-sync-key-AAAAAB____.json": timedelta(days=400),
    "device-list-4917000000001.json": timedelta(days=400),
    "notes.txt": timedelta(days=400),
    # Twelve uploads of five that nobody used: the server has dropped the first of them.
    **{f"pre-key-{number}.json": timedelta(days=20, minutes=-((number - 1) // 5)) for number in range(1, 61)},
}
HOSTILE = (
    "\x1b]0;owned\x07.json",
    "line\nbreak.json",
    "\u202egnp.exe",
    "csi\x9b31m",
    "del\x7f",
    "bad\udcff.txt",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two companies: 1001 with something of every rule, 1002 with nothing to do."""
    company_folder(tmp_path / "sessions", "1001", KEYS, nextPreKeyId=61, firstUnuploadedPreKeyId=61)
    company_folder(tmp_path / "sessions", "1002")
    return tmp_path / "sessions"


def cleanup(root: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return run_cli("cleanup", "--sessions", root, *arguments, **more)


def strict(schema: Any) -> Any:
    """The schema without room for fields that it does not describe."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    return {"additionalProperties": False, **closed} if "properties" in closed else closed


@cache
def validator_of(name: str) -> jsonschema.Draft202012Validator:
    """What checks a document; tests/unit/test_schemas.py checks the schema, which takes a hundred times as long."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    return jsonschema.Draft202012Validator(strict(schema))


def checked_json(text: str, name: str) -> Any:
    document = json.loads(text)
    validator_of(name).validate(document)
    return document


# --- help and errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["cleanup"], ["undo"], ["config"]], ids=" ".join)
def test_help_fits_eighty_columns(command: list[str]) -> None:
    shown = run_cli(*command, "--help", env={"COLUMNS": "200"})
    assert shown.returncode == 0
    assert shown.stderr == ""
    assert [line for line in shown.stdout.splitlines() if len(line) > 80] == []
    assert "Usage: baileys-tools" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["cleanup"], 2),
        (["cleanup", "--company", "7"], 10),
        (["undo", "--company", "7"], 10),
        (["restore", "--company", "7", "--yes"], 2),
    ],
    ids=["no path", "no such company", "undo", "restore"],
)
def test_what_cannot_begin_says_so_in_json_too(tmp_path: Path, arguments: list[str], code: int) -> None:
    company_folder(tmp_path)
    env = {} if arguments == ["cleanup"] else {"BAILEYS_SESSIONS_PATH": str(tmp_path)}
    refused = run_cli(*arguments, "--json", env=env)
    said = checked_json(refused.stdout, "error")
    assert (refused.returncode, said["exit_code"], said["command"]) == (code, code, arguments[0])
    assert said["error"]["message"] in refused.stderr
    assert said["error"]["hint"] in refused.stderr


def test_without_a_sessions_path_the_three_ways_to_give_one_are_named() -> None:
    refused = run_cli("cleanup")
    assert refused.returncode == 2
    assert refused.stdout == ""
    for way in ("--sessions", "BAILEYS_SESSIONS_PATH", "sessions: {path:"):
        assert way in refused.stderr


def test_an_unknown_company_is_not_found_and_the_known_ones_are_named(root: Path) -> None:
    before = snapshot_tree(root, ignore=())
    refused = cleanup(root, "--company", "1001", "--company", "1003")
    assert refused.returncode == 10
    assert "no company 1003" in refused.stderr
    assert "1001, 1002" in refused.stderr
    assert snapshot_tree(root, ignore=()) == before, "one company of the two was cleaned all the same"


def test_of_many_companies_the_one_that_was_meant_is_named(tmp_path: Path) -> None:
    for company in [*range(1001, 1040), "bakery-1"]:
        company_folder(tmp_path, str(company))
    for command in (["cleanup"], ["status"], ["reset"]):
        refused = run_cli(*command, "--sessions", tmp_path, "--company", "bakery")
        assert refused.returncode == 10
        said, hint = refused.stderr.splitlines()
        assert said.endswith(f"no company bakery in {tmp_path}; did you mean bakery-1?")
        assert hint.startswith("Companies found there: 1001, 1002,")
        assert hint.endswith(", 1030 and 10 more.")


def test_a_company_may_be_named_by_its_folder_and_several_with_commas(root: Path) -> None:
    plan = cleanup(root, "--dry-run", "--company", "company_1002,1001")
    assert plan.returncode == 0
    assert re.findall(r"^company (\d+)", plan.stdout, re.MULTILINE) == ["1002", "1001"]
    one = run_cli("reset", "--sessions", root, "--company", "company_1001", "--dry-run")
    assert (one.returncode, one.stdout.split()[:2]) == (0, ["company", "1001"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--now", "2026-01-15T12:00:00Z"], "--now goes with --dry-run only"),
        (["--dry-run", "--now", "yesterday"], '"yesterday" is not a time'),
        (["--dry-run", "--now", "2026-01-15T12:00:00"], "no time zone"),
        (["--session-max-age", "14"], '"14" is not a duration; write 14d for days'),
        (["--session-max-age", "6d"], "below 7d"),
        (["--sender-key-max-age", "23h"], "below 1d"),
        (["--sender-key-max-age", "-3d"], "is not a duration"),
        (["--max-pre-keys", "29"], "below 30"),
        (["--max-pre-keys", "fifty"], "is not a whole number"),
        (["--company", "../1001"], "is not a company id"),
        (["--bogus"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_refused_before_anything_is_touched(
    root: Path, arguments: list[str], said: str
) -> None:
    before = snapshot_tree(root, ignore=())
    refused = cleanup(root, *arguments)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert snapshot_tree(root, ignore=()) == before


def test_a_sessions_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    refused = cleanup(tmp_path / "nowhere")
    assert refused.returncode == 2
    assert (
        f"cannot open the sessions path {tmp_path / 'nowhere'}: No such file or directory" in refused.stderr
    )


def test_a_folder_without_companies_says_where_they_may_be(tmp_path: Path) -> None:
    company_folder(tmp_path / "bots" / "bot-a", None)
    refused = cleanup(tmp_path)
    assert refused.returncode == 10
    assert (
        f"--sessions '{tmp_path}/bots/bot-*'" in refused.stderr or f"{tmp_path}/bots/bot-a" in refused.stderr
    )
    assert "rename" not in refused.stderr


# --- the plan -----------------------------------------------------------------------------------------------


def test_a_dry_run_prints_the_plan_and_touches_nothing(root: Path) -> None:
    before = snapshot_tree(root, ignore=())
    shown = cleanup(root, "--dry-run")
    assert shown.returncode == 0
    assert shown.stderr == ""
    assert snapshot_tree(root, ignore=()) == before
    assert "company 1001" in shown.stdout
    assert "pre-key 10, session 1, sender-key 1" in shown.stdout
    assert "nothing was touched; 12 files would go" in shown.stdout


def test_dry_run_and_run_print_the_same_plan(root: Path) -> None:
    dry, real = (plan_part(cleanup(root, *more).stdout) for more in (["--dry-run"], []))
    assert dry == real
    assert len(dry) >= 10


def plan_part(text: str) -> list[str]:
    """The lines that state the plan: all but what was done and the sums."""
    return [line for line in text.partition("\ntotal")[0].splitlines() if not line.startswith("  done")]


def test_dry_run_and_run_write_the_same_plan_as_json(root: Path) -> None:
    dry, real = (
        [
            company["plan"]
            for company in checked_json(cleanup(root, "--json", *more).stdout, "cleanup")["companies"]
        ]
        for more in (["--dry-run"], [])
    )
    for plan in (*dry, *real):
        for entry in plan["remove"]:
            entry.pop("age_seconds", None)  # the two runs are not of one second
    assert dry == real


def test_a_run_removes_what_it_planned_and_a_second_finds_nothing(root: Path) -> None:
    planned = checked_json(cleanup(root, "--dry-run", "--json").stdout, "cleanup")
    names = {entry["file"] for entry in planned["companies"][0]["plan"]["remove"]}
    folder = root / "company_1001"
    before = {path.name for path in folder.iterdir()}
    done = checked_json(cleanup(root, "--json").stdout, "cleanup")
    assert done["totals"]["removed"] == len(names) == 12
    assert {path.name for path in folder.iterdir()} - {".baileys-tools"} == before - names
    again = checked_json(cleanup(root, "--json").stdout, "cleanup")
    assert again["totals"]["to_remove"] == again["totals"]["removed"] == 0


def test_what_is_moved_aside_is_not_called_free_until_it_is(root: Path) -> None:
    done = cleanup(root)
    (size,) = re.findall(
        r"^  removed    12 files moved aside \((.+), freed after 1d\)$", done.stdout, re.MULTILINE
    )
    assert "undo       baileys-tools undo" in done.stdout
    freed = cleanup(root, env={"BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW": "0"})
    assert f"  purged     12 files whose undo window was over, {size} freed" in freed.stdout
    assert not (root / "company_1001" / ".baileys-tools").exists()


def test_without_an_undo_window_removing_frees_at_once(root: Path) -> None:
    done = cleanup(root, env={"BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW": "0"})
    assert re.search(r"^  removed    12 files, .+ freed$", done.stdout, re.MULTILINE)


def test_a_company_with_nothing_to_do_and_nothing_to_say_has_one_line(root: Path) -> None:
    company_folder(root, "1003").joinpath("creds.json").write_bytes(b"")
    company_folder(root, "1004")
    lines = cleanup(root, "--dry-run", "--company", "1002,1003,1004").stdout.splitlines()
    assert "company 1002  healthy, 1 file: nothing to remove" in lines
    assert "company 1004  healthy, 1 file: nothing to remove" in lines
    assert f"company 1003  {root}/company_1003" in lines, "it is held, which has to be said"
    (total,) = (number for number, line in enumerate(lines) if line.startswith("total  3 companies"))
    assert lines[total - 1] == "", "the sums stand apart"
    wordy = cleanup(root, "--dry-run", "-v").stdout
    assert f"company 1002  {root}/company_1002" in wordy


def test_what_stops_several_companies_is_said_once(root: Path) -> None:
    for company in ("1003", "1004"):
        (root / f"company_{company}").symlink_to("company_1001")
    quiet = cleanup(root, "--quiet").stderr
    assert quiet.startswith("companies 1003, 1004: is a symbolic link, which is not followed")
    assert len(quiet.splitlines()) == 1
    shown = cleanup(root).stdout
    assert "\ncompanies 1003, 1004\n  failed     is a symbolic link" in shown
    assert shown.count("symbolic link") == 1
    for command in (["backup", "-q"], ["undo", "-q"]):
        said = run_cli(
            *command, "--sessions", root, env={"BAILEYS_TOOLS_BACKUP_PATH": str(root.parent / "repository")}
        ).stderr
        assert "companies 1003, 1004: is a symbolic link" in said
        assert said.count("symbolic link") == 1


def test_a_run_that_removes_nothing_names_nothing_to_undo(root: Path) -> None:
    document = checked_json(cleanup(root, "--company", "1002", "--json").stdout, "cleanup")
    assert document["totals"]["removed"] == 0
    assert document["run"] is None


@pytest.mark.parametrize("arguments", [["--dry-run"], ["--dry-run", "-v"], ["-v"], []], ids=" ".join)
def test_the_json_of_every_kind_of_run_fits_its_schema(root: Path, arguments: list[str]) -> None:
    company_folder(root, "1003").joinpath("creds.json").write_bytes(b"")
    (root / "company_1004").symlink_to("company_1001")
    (root / "company_1001" / "folder").mkdir()
    document = checked_json(cleanup(root, "--json", *arguments).stdout, "cleanup")
    assert [company["company"] for company in document["companies"]] == ["1001", "1002", "1003", "1004"]
    assert document["companies"][2]["creds_problem"] == "empty"
    assert document["companies"][3]["status"] == "failed"
    listed = document["companies"][0]["plan"]
    assert ("keep" in listed) == ("-v" in arguments)


def test_verbose_lists_each_file_exactly_once_with_a_reason(root: Path) -> None:
    shown = cleanup(root, "--dry-run", "-v", "--company", "1001").stdout.splitlines()
    said: dict[str, tuple[str, str]] = {}
    for at, line in enumerate(shown):
        if found := re.match(r" {4}(remove|keep) +(\S+)(?: +(.+))?", line):
            verdict, name, reason = found.groups()
            assert name not in said
            # Behind the name where there is room, else below it.
            said[name] = (verdict, reason or shown[at + 1].removeprefix(" " * 11))
    assert said.keys() == {*KEYS, "creds.json"}
    assert all(reason and not reason.startswith(" ") for _, reason in said.values())
    assert said[OLD_SESSION] == ("remove", "last used 15.0d ago, limit 14d")
    assert said["creds.json"] == ("keep", "creds is protected: never removed")
    assert said["pre-key-11.json"] == ("keep", "one of the 50 highest ids")
    assert said["pre-key-10.json"] == ("remove", "not one of the 50 highest ids")


def test_everything_for_people_fits_eighty_columns(root: Path) -> None:
    company_folder(root, "1003").joinpath("creds.json").write_bytes(b"")
    write_key(company_folder(root, "1004"), YOUNG_SESSION, timedelta(days=-3))
    company_folder(root, "1005", {f"device-list-{number}.json": timedelta(0) for number in range(200)})
    company_folder(
        root,
        "1006",
        {f"pre-key-{number}.json": timedelta(days=1) for number in range(1, 813)}
        | {"lid-mapping-1.json": timedelta(days=1), f"sender-key-memory-{GROUP}.json": timedelta(days=5)}
        | {f"sender-key-{GROUP}--919585510685--17.json": timedelta(hours=1)},
        nextPreKeyId=813,
        firstUnuploadedPreKeyId=813,
    )
    shown = cleanup(root, "--dry-run", "-v").stdout.replace(str(root), "/srv/sessions")
    assert [line for line in shown.splitlines() if len(line) > 80] == []


# --- quiet, colour, raw names -------------------------------------------------------------------------------


def test_quiet_prints_nothing_and_cleans(root: Path) -> None:
    done = cleanup(root, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (root / "company_1001" / OLD_SESSION).exists()


def test_quiet_still_says_what_is_wrong(root: Path) -> None:
    (root / "company_1002" / "creds.json").write_bytes(b"")
    done = cleanup(root, "--quiet")
    assert done.returncode == 3
    assert done.stdout == ""
    assert "company 1002: creds.json is empty" in done.stderr
    assert not (root / "company_1001" / OLD_SESSION).exists(), "one company's trouble stopped the other"


def test_no_escape_is_printed_where_no_colour_is_wanted(root: Path) -> None:
    assert "\x1b" not in cleanup(root, "--dry-run", "-v").stdout
    assert "\x1b" in cleanup(root, "--dry-run", env={"FORCE_COLOR": "1"}).stdout


def test_colour_changes_nothing_but_the_colour(root: Path) -> None:
    now = ("--now", "2026-01-15T12:00:00Z")
    plain = cleanup(root, "--dry-run", "-v", *now).stdout
    coloured = cleanup(root, "--dry-run", "-v", *now, env={"FORCE_COLOR": "1"}).stdout
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@pytest.mark.parametrize("arguments", [["-v"], ["--json", "-v"], []], ids=" ".join)
def test_nothing_raw_from_a_name_reaches_the_terminal(root: Path, arguments: list[str]) -> None:
    for name in HOSTILE:
        write_key(root / "company_1001", name.encode(errors="surrogateescape"))
        if "\n" not in name:
            company_folder(root, name)
    (root / "company_1001" / "link\x1b[2J").symlink_to("creds.json")
    shown = cleanup(root, "--dry-run", *arguments)
    assert shown.returncode == 0
    raw = {character for character in shown.stdout + shown.stderr if not character.isprintable()} - {"\n"}
    assert raw == set()
    if "-v" in arguments:
        assert "break.json" in shown.stdout


def test_nothing_raw_from_a_foreign_lock_reaches_the_terminal(root: Path) -> None:
    stamp = int(datetime.now(UTC).timestamp() * 1000)
    lock = {"timestamp": stamp, "pid": 4, "hostname": "\x1b]0;owned\x07\x9b31m"}
    (root / "company_1001" / ".cleanup.lock").write_text(json.dumps(lock))
    for arguments in ([], ["--json"]):
        shown = cleanup(root, "--company", "1001", *arguments)
        assert shown.returncode == 75
        assert "process 4" in shown.stdout
        assert {character for character in shown.stdout + shown.stderr if not character.isprintable()} <= {
            "\n"
        }
    assert (root / "company_1001" / OLD_SESSION).exists()


# --- settings from the environment, partial failure ---------------------------------------------------------


def test_the_variables_that_operators_have_are_understood(root: Path) -> None:
    before = snapshot_tree(root, ignore=())
    shown = run_cli("cleanup", env={"SESSION_PATH": str(root), "COMPANY_ID": "1001", "DRY_RUN": "true"})
    assert shown.returncode == 0
    assert "company 1001" in shown.stdout
    assert "company 1002" not in shown.stdout
    assert snapshot_tree(root, ignore=()) == before


def test_a_flag_wins_over_the_environment(root: Path) -> None:
    done = cleanup(root, "--company", "1001", "--no-dry-run", env={"COMPANY_ID": "1002", "DRY_RUN": "1"})
    assert done.returncode == 0
    assert not (root / "company_1001" / OLD_SESSION).exists()


def test_a_folder_with_creds_is_a_company_by_itself(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "session", None, {OLD_SESSION: timedelta(days=15)})
    document = checked_json(cleanup(folder, "--json").stdout, "cleanup")
    assert [company["company"] for company in document["companies"]] == ["session"]
    assert not (folder / OLD_SESSION).exists()


def test_a_company_id_for_a_single_folder_of_another_name_is_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "session", None, {OLD_SESSION: timedelta(days=15)})
    refused = run_cli("cleanup", env={"SESSION_PATH": str(folder), "COMPANY_ID": "1001"})
    assert refused.returncode == 10
    assert "a single session folder, company session: leave out --company and COMPANY_ID" in refused.stderr
    assert (folder / OLD_SESSION).exists()


def test_a_single_folder_that_has_lost_its_creds_is_held_and_its_loss_is_told(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "session", None, {OLD_SESSION: timedelta(days=15)})
    (folder / "creds.json").unlink()
    done = cleanup(folder, "--quiet")
    assert done.returncode == 1
    assert done.stderr.startswith("company session: creds.json is missing: nothing is removed")
    assert (folder / OLD_SESSION).exists()


@pytest.fixture
def immovable(root: Path) -> Iterator[Path]:
    """A session file that not even root can move."""
    require_root()
    folder = company_folder(
        root, "1003", {OLD_SESSION: timedelta(days=15), "session-9.0.json": timedelta(days=15)}
    )
    marked = subprocess.run(
        [require_tool("chattr"), "+i", folder / OLD_SESSION], capture_output=True, check=False
    )
    if marked.returncode != 0:
        pytest.skip("needs a file system with immutable files")
    yield folder / OLD_SESSION
    subprocess.run(["chattr", "-i", folder / OLD_SESSION], check=True)


@pytest.mark.root
def test_a_file_that_cannot_be_removed_is_named_and_the_rest_is_done(root: Path, immovable: Path) -> None:
    done = cleanup(root, "--json")
    assert done.returncode == 3
    document = checked_json(done.stdout, "cleanup")
    assert document["companies"][2]["result"]["not_removed"] == [
        {"file": OLD_SESSION, "outcome": "failed", "error": "Operation not permitted"}
    ]
    assert immovable.exists()
    assert not (immovable.parent / "session-9.0.json").exists()
    assert not (root / "company_1001" / OLD_SESSION).exists()
    quiet = cleanup(root, "--quiet")
    assert (quiet.returncode, quiet.stdout) == (3, "")
    assert OLD_SESSION in quiet.stderr


def test_a_company_that_is_no_folder_fails_alone(root: Path) -> None:
    (root / "company_1000").write_text("not a folder")
    done = cleanup(root)
    assert done.returncode == 3
    assert "is not a folder" in done.stdout
    assert not (root / "company_1001" / OLD_SESSION).exists()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["cleanup", "--dry-run"], 0),
        (["cleanup"], 0),
        (["status", "--json"], 0),
        (["status", "--company", "7", "--json"], 10),
    ],
)
def test_the_reader_of_a_pipe_may_go(root: Path, arguments: list[str], code: int, unbuffered: str) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [COMMAND, *arguments, "--sessions", root],
            stdout=write,
            stderr=subprocess.PIPE,
            env=scrubbed_environment({"PYTHONUNBUFFERED": unbuffered}),
            text=True,
            check=False,
        )
    finally:
        os.close(write)
    assert done.returncode == code, "the work was done, whoever hears of it"
    assert "Exception" not in done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stderr) == bool(code), done.stderr


TOLD_TO_NOBODY = [
    ["cleanup", "--verbose"],
    ["cleanup", "--json"],
    ["status"],
    ["inspect", "--company", "1002"],
    ["inspect", "--company", "1002", "--json"],
    ["monitor-once", "--no-notify"],
    ["monitor-once", "--no-notify", "--nagios"],
    ["doctor"],
    ["backup"],
    ["restore", "--company", "1001", "--dry-run"],
    ["verify"],
    ["reset", "--company", "1001", "--dry-run"],
    ["recover", "--dry-run"],
    ["undo", "--list"],
    ["config", "check"],
    ["incidents", "--markdown", "9"],
    ["cleanup", "--no-such-option"],
]


@pytest.mark.parametrize("arguments", TOLD_TO_NOBODY, ids=" ".join)
def test_the_exit_code_is_the_same_whether_or_not_anybody_reads(
    root: Path, tmp_path: Path, arguments: list[str]
) -> None:
    (root / "company_1002" / "creds.json").write_text("{")
    environment = {"SESSION_PATH": str(root), "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    heard = run_cli(*arguments, env=environment).returncode
    environment["PYTHONUNBUFFERED"] = "1"  # the first line finds out, as the 8 KB of a long output do
    for stderr in (subprocess.DEVNULL, subprocess.STDOUT):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [COMMAND, *arguments],
            stdout=write,
            stderr=stderr,
            env=scrubbed_environment(environment),
            check=False,
        )
        os.close(write)
        assert done.returncode == heard


def test_a_full_disk_under_the_output_is_one_line(root: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [COMMAND, "status", "--sessions", root],
            stdout=full,
            stderr=subprocess.PIPE,
            env=scrubbed_environment({"PYTHONUNBUFFERED": ""}),
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "baileys-tools: No space left on device\n")
