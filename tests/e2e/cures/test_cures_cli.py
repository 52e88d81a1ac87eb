"""The cures as an operator meets them: plan, yes, lock, undo, and folders of people who mean harm."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.sessions.locks import company_lock
from tests.e2e.cleanup.test_cleanup_cli import checked_json
from tests.hostile import BOT, hostile_place
from tests.integration.faults.forked import run_cli
from tests.log_lines import pino
from tests.support import company_folder, require_leases, snapshot_tree, write_key

PN, LID = "4917012345678", "123456789012345"
GROUP, OLD_GROUP = "120363041234567890@g.us", f"{PN}-1600000000@g.us"
MEMORY, OLD_MEMORY = f"sender-key-memory-{GROUP}.json", f"sender-key-memory-{OLD_GROUP}.json"
OWN_KEY = f"sender-key-{GROUP}--919585510685--17.json"
BY_NUMBER, BY_LID = f"session-{PN}.0.json", f"session-{LID}_1.0.json"
TORN = "session-4917099999999.0.json"
WHOLE = "session-4917000000008.0.json"
FAILED_AT = datetime.now(UTC) - timedelta(hours=3)


def record(used: datetime) -> str:
    moment = int(used.timestamp() * 1000)
    return json.dumps({"_sessions": {"k": {"indexInfo": {"closed": -1, "used": moment, "created": 1}}}})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A bot with two groups and two contacts: one as number and LID, unreadable since, and one whose file is torn."""
    root = tmp_path / "sessions"
    folder = company_folder(root, "1001", {OWN_KEY: timedelta(hours=5)})
    told = json.dumps({"1@s.whatsapp.net": True, "2@lid": True, "3@lid": False})
    write_key(folder, MEMORY, timedelta(hours=5), told)
    write_key(folder, f"{MEMORY}.bak", timedelta(hours=6), told)
    write_key(folder, OLD_MEMORY, timedelta(minutes=2), '{"1@lid":true}')
    write_key(folder, "sender-key-memory-status@broadcast.json", timedelta(hours=5), told)
    write_key(folder, f"sender-key-{GROUP}--{LID}_1--0.json", timedelta(hours=5))
    for name in (BY_NUMBER, BY_LID):
        write_key(folder, name, timedelta(hours=2), record(FAILED_AT - timedelta(days=1)))
    write_key(folder, TORN, timedelta(days=1), '{"_sessions":{"a')
    write_key(folder, f"lid-mapping-{PN}.json", timedelta(days=9), f'"{LID}"')
    write_key(folder, f"lid-mapping-{LID}_reverse.json", timedelta(days=9), f'"{PN}"')
    write_key(folder, f"device-list-{PN}.json", timedelta(days=9), '["0","12"]')
    write_key(folder, f"identity-key-{LID}_1.0.json", timedelta(days=9))
    write_key(folder, f"tctoken-{LID}@lid.json", timedelta(days=9))
    company_folder(root, "1002", {"session-4917000000009.0.json": timedelta(days=1)})
    return root


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Settings that name a log in which the contact cannot be read."""
    key = {"remoteJid": f"{LID}@lid", "remoteJidAlt": f"{PN}@s.whatsapp.net", "fromMe": False}
    err = {"type": "SessionError", "message": "No matching sessions found for message", "stack": "x"}
    (tmp_path / "bot.log").write_text(
        pino("failed to decrypt message", FAILED_AT, 50, key=key, err=err) + "\n"
    )
    file = tmp_path / "settings.yaml"
    file.write_text(f'logs:\n  files:\n    - path: {tmp_path}/bot.log\n      company: "1001"\n')
    return file


def cure(
    root: Path, *words: str | Path, company: str = "1001", **more: Any
) -> subprocess.CompletedProcess[str]:
    return run_cli(words[0], "--company", company, "--sessions", root, *words[1:], **more)


RESEND = ("resend-group-keys", "--all")
RENEW = ("renew-sessions", "--broken")
RENEW_ONE = ("contact", PN, "--renew", "--all-sessions")
each_cure = pytest.mark.parametrize("words", [RESEND, RENEW, RENEW_ONE], ids=["resend", "renew", "contact"])


# --- what holds for all of them -----------------------------------------------------------------------------


@each_cure
def test_a_dry_run_touches_nothing_and_says_what_the_run_does(root: Path, words: tuple[str, ...]) -> None:
    before = snapshot_tree(root, ignore=())
    planned = checked_json(cure(root, *words, "--dry-run", "--json").stdout, words[0])
    assert snapshot_tree(root, ignore=()) == before
    assert (planned["dry_run"], planned["run"], planned["set_aside"]) == (True, None, 0)
    done = checked_json(cure(root, *words, "--yes", "--json").stdout, words[0])
    assert done["cost"] == planned["cost"]
    assert [one["files"] for one in done["asides"]] == [one["files"] for one in planned["asides"]]
    assert {one["outcome"] for one in done["asides"]} == {"removed"}


@each_cure
def test_undo_brings_everything_back_and_names_what_set_it_aside(root: Path, words: tuple[str, ...]) -> None:
    before = snapshot_tree(root)
    done = cure(root, *words, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot_tree(root) != before
    listed = run_cli("undo", "--list", "--sessions", root, "--company", "1001")
    assert words[0] in listed.stdout
    (hint,) = [line.strip() for line in done.stdout.splitlines() if "baileys-tools undo" in line]
    assert run_cli(*hint.split()[1:]).returncode == 0
    assert snapshot_tree(root) == before
    assert not (root / "company_1001/.baileys-tools").exists()


@each_cure
def test_a_young_file_waits_in_quarantine_until_it_is_wanted(root: Path, words: tuple[str, ...]) -> None:
    """What was written in the very moment of the run is no write into the quarantine: a cleanup leaves it there."""
    folder = root / "company_1001"
    for name in (MEMORY, OLD_MEMORY, BY_LID, BY_NUMBER):
        os.utime(folder / name)
    cure(root, *words, "--yes")
    gone = {MEMORY, BY_LID, OLD_MEMORY, TORN} - set(os.listdir(folder))
    assert gone
    run_cli("cleanup", "--sessions", root)
    assert not gone & set(os.listdir(folder))


@each_cure
def test_nobody_there_to_say_yes_is_refused(root: Path, words: tuple[str, ...]) -> None:
    before = snapshot_tree(root, ignore=())
    refused = cure(root, *words)
    assert refused.returncode == 13
    assert "--yes" in refused.stderr
    assert snapshot_tree(root, ignore=()) == before


@each_cure
def test_a_locked_company_is_left_alone(root: Path, words: tuple[str, ...]) -> None:
    before = snapshot_tree(root)
    folder = os.open(root / "company_1001", os.O_RDONLY)
    try:
        with company_lock(folder, datetime.now(UTC)):
            locked = cure(root, *words, "--yes")
    finally:
        os.close(folder)
    assert locked.returncode == 75
    assert "locked" in locked.stderr
    assert snapshot_tree(root) == before


@each_cure
def test_what_the_bot_has_open_stays(root: Path, words: tuple[str, ...]) -> None:
    require_leases(root)
    folder = root / "company_1001"
    before = snapshot_tree(root)
    names = (MEMORY, f"{MEMORY}.bak", OLD_MEMORY, BY_NUMBER, BY_LID, TORN)
    files = [os.open(folder / name, os.O_RDWR) for name in names]
    try:
        kept = cure(root, *words, "--yes")
    finally:
        for file in files:
            os.close(file)
    assert kept.returncode == 1
    assert "stays: the bot has it open" in " ".join(kept.stdout.split())
    assert snapshot_tree(root) == before


@each_cure
def test_no_full_number_is_printed_unasked(root: Path, settings: Path, words: tuple[str, ...]) -> None:
    for more in (("--dry-run",), ("--dry-run", "--json"), ("--yes",), ("--yes", "--json")):
        done = cure(root, *words, *more, "--config", settings)
        said = (done.stdout + done.stderr).replace(str(root), "")
        assert PN not in said
        assert LID not in said


def test_an_unknown_company_is_not_found(root: Path) -> None:
    for words in (
        *[(*one, "--dry-run") for one in (RESEND, RENEW, RENEW_ONE)],
        ("contacts",),
        ("contact", PN),
    ):
        assert cure(root, *words, company="9").returncode == 10


def test_every_run_is_recorded(root: Path) -> None:
    assert run_cli("undo", "--list", "--sessions", root).returncode == 0
    done = checked_json(cure(root, *RESEND, "--yes", "--json").stdout, "resend-group-keys")
    listed = run_cli("undo", "--list", "--sessions", root, "--json").stdout
    runs = [run for one in checked_json(listed, "undo")["companies"] for run in one["runs"]]
    assert [(run["run"], run["by"], run["files"]) for run in runs] == [(done["run"], "resend-group-keys", 2)]


# --- resend-group-keys --------------------------------------------------------------------------------------


def test_all_memories_go_but_that_of_the_status(root: Path) -> None:
    done = checked_json(cure(root, *RESEND, "--yes", "--json").stdout, "resend-group-keys")
    assert [
        (one["about"], one["why"], one["devices"], one["may_be_in_memory"]) for one in done["asides"]
    ] == [
        (GROUP, "asked", 2, False),
        ("49****78-1600000000@g.us", "key-gone", 1, True),
    ]
    assert done["cost"] == {"contacts": 0, "key_messages": 3}
    left = set(os.listdir(root / "company_1001"))
    assert not {MEMORY, f"{MEMORY}.bak", OLD_MEMORY} & left
    assert {OWN_KEY, "sender-key-memory-status@broadcast.json"} <= left, "the key itself stays"


@pytest.mark.parametrize("group", [GROUP, GROUP.removesuffix("@g.us"), MEMORY])
def test_one_group_by_its_id(root: Path, group: str) -> None:
    cure(root, "resend-group-keys", "--group", group, "--yes")
    left = set(os.listdir(root / "company_1001"))
    assert (MEMORY in left, OLD_MEMORY in left) == (False, True)


def test_what_the_bot_holds_in_memory_is_said_with_the_way_out(root: Path) -> None:
    said = " ".join(cure(root, *RESEND, "--dry-run").stdout.split())
    assert "makeCacheableSignalKeyStore" in said
    assert "from the bot's next start on" in said
    env = {"API_URL": "http://127.0.0.1:9"}
    said = " ".join(cure(root, *RESEND, "--dry-run", env=env).stdout.split())
    assert "baileys-tools reconnect --company 1001;" in said, "it takes no --sessions"
    said = cure(root, "resend-group-keys", "--group", GROUP, "--dry-run").stdout
    assert "makeCacheableSignalKeyStore" not in said, "written five hours ago"


def test_an_undo_never_keeps_a_new_key_from_the_members(root: Path) -> None:
    folder = root / "company_1001"
    cure(root, *RESEND, "--yes")
    time.sleep(0.1)  # of what is written within 40 ms of a run's start nobody knows which was first
    write_key(folder, OWN_KEY, content='{"newer":true}')
    done = run_cli("undo", "--sessions", root, "--company", "1001")
    assert not (folder / MEMORY).exists()
    assert "the bot has a newer own key or memory for the group" in done.stdout
    assert not (folder / OLD_MEMORY).exists(), "of another group, whose key was gone before"
    assert "the own key that it speaks of is gone" in done.stdout


def test_what_the_bot_wrote_a_moment_before_keeps_nothing_away(root: Path) -> None:
    folder = root / "company_1001"
    for name in (OWN_KEY, MEMORY):
        os.utime(folder / name)
    before = snapshot_tree(root)
    time.sleep(0.05)  # the times of files are coarser than the clock
    cure(root, *RESEND, "--yes")
    run_cli("undo", "--sessions", root, "--company", "1001")
    assert snapshot_tree(root) == before


@pytest.mark.parametrize(
    "words", [(), ("--all", "--group", GROUP), ("--group", "status@broadcast"), ("--group", "")]
)
def test_a_group_has_to_be_meant(root: Path, words: tuple[str, ...]) -> None:
    assert cure(root, "resend-group-keys", *words, "--yes").returncode == 2


def test_a_group_that_the_bot_never_wrote_to_is_not_found(root: Path) -> None:
    for group in ("120363049999999999", "x\x1b[2J", f"{PN}-1@g.us", PN):
        refused = cure(root, "resend-group-keys", "--group", group, "--yes")
        assert refused.returncode == 10
        assert "\x1b" not in refused.stderr
        assert PN not in refused.stderr


def test_of_several_groups_those_that_are_not_found_are_named(root: Path) -> None:
    before = snapshot_tree(root)
    asked = (GROUP, "120363049999999999", f"{PN}-1", PN)
    words = [word for group in asked for word in ("--group", group)]
    refused = cure(root, "resend-group-keys", *words, "--yes")
    assert "in 120363049999999999@g.us, 49****78-1@g.us, 49****78@g.us, and" in refused.stderr
    assert (refused.returncode, snapshot_tree(root)) == (10, before)


def test_a_group_without_a_memory_needs_nothing(root: Path) -> None:
    (root / "company_1001" / MEMORY).unlink()
    (root / "company_1001" / f"{MEMORY}.bak").unlink()
    done = cure(root, "resend-group-keys", "--group", GROUP, "--yes")
    assert done.returncode == 0
    assert "nothing to set aside" in done.stdout


# --- contact ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [PN, f"+{PN}", LID, f"{LID}@lid", f"{PN}:0@s.whatsapp.net"])
def test_what_is_held_of_a_contact(root: Path, settings: Path, who: str) -> None:
    before = snapshot_tree(root, ignore=())
    found = checked_json(cure(root, "contact", who, "--json", "--config", settings).stdout, "contact")
    assert snapshot_tree(root, ignore=()) == before
    assert found["contact"] == {"pn": "49****78", "lid": "12****45", "pn_to_lid": True, "lid_to_pn": True}
    assert [(one["address"], one["lid"], one["broken"]) for one in found["sessions"]] == [
        ("12****45_1.0", True, "unreadable"),
        ("49****78.0", False, "unreadable"),
    ]
    counts = ("identity_keys", "listed_devices", "tokens", "sender_keys", "groups")
    assert [found[count] for count in counts] == [1, 2, 1, 1, 1]
    assert found["unreadable"]["messages"] == 1


def test_numbers_are_shown_to_whoever_asks(root: Path, settings: Path) -> None:
    plain = cure(root, "contact", PN, "--config", settings).stdout.replace(str(root), "")
    assert PN not in plain
    assert LID not in plain
    assert all(len(line) <= 80 or "baileys-tools " in line for line in plain.splitlines()[1:])
    shown = cure(root, "contact", PN, "--show-numbers").stdout
    assert PN in shown
    assert LID in shown


def test_a_contact_that_the_folder_does_not_know(root: Path) -> None:
    refused = cure(root, "contact", "15550001111")
    assert refused.returncode == 10
    assert "15550001111" not in refused.stderr


@pytest.mark.parametrize("who", ["Anna", "../x", "12", "1@g.us", "\x1b[2J"])
def test_what_is_no_contact(root: Path, who: str) -> None:
    assert cure(root, "contact", who).returncode == 2


@pytest.mark.parametrize("who", [GROUP, GROUP.removesuffix("@g.us"), OLD_GROUP])
def test_a_group_is_told_its_own_command(root: Path, who: str) -> None:
    refused = cure(root, "contact", who)
    (hint,) = re.findall(r"baileys-tools (resend-group-keys .*)", refused.stderr)
    assert run_cli(*shlex.split(hint), "--dry-run").returncode == 0


def test_only_what_is_broken_goes_with_its_twin(root: Path, settings: Path) -> None:
    nothing = cure(root, "contact", PN, "--renew", "--yes")
    assert "nothing broken" in nothing.stdout, "without a log nothing speaks against it"
    done = cure(root, "contact", LID, "--renew", "--yes", "--json", "--config", settings)
    found = checked_json(done.stdout, "contact")
    assert [one["files"] for one in found["asides"]] == [
        ["session-49****78.0.json", "session-12****45_1.0.json"]
    ]
    assert found["cost"]["contacts"] == 1
    left = os.listdir(root / "company_1001")
    assert BY_NUMBER not in left
    assert BY_LID not in left
    assert {TORN, f"identity-key-{LID}_1.0.json", f"lid-mapping-{PN}.json"} <= set(left)


def test_without_a_log_nothing_is_called_whole(root: Path, settings: Path) -> None:
    write_key(root / "company_1002", WHOLE, timedelta(days=1), record(FAILED_AT))
    whole = ("4917000000008", "--renew", "--dry-run")
    told = cure(root, "contact", *whole, company="1002")
    assert told.returncode == 0
    assert "as far as the files tell" in told.stdout
    assert "no log names one" not in told.stdout
    assert "not read: the bot's log, as logs.files names none for this company" in told.stdout
    (trouble,) = checked_json(cure(root, "contact", *whole, "--json", company="1002").stdout, "contact")[
        "log_troubles"
    ]
    assert "logs.files" in trouble
    assert "logs.files" in cure(root, "contact", "4917000000008", company="1002").stdout
    read = cure(root, *RENEW, "--dry-run", "--json", "--config", settings)
    assert checked_json(read.stdout, "renew-sessions")["log_troubles"] == []


def test_a_log_without_the_reason_is_said_to_tell_nothing(root: Path, settings: Path, tmp_path: Path) -> None:
    """As winston prints an error: by its name alone."""
    key = {"remoteJid": f"{LID}@lid", "fromMe": False}
    line = pino("failed to decrypt message", FAILED_AT, 50, key=key, err={"name": "SessionError"})
    (tmp_path / "bot.log").write_text(f"{line}\n" * 3)
    told = cure(root, "contact", PN, "--config", settings).stdout
    assert "not read: from the log why the bot could not read 3 messages" in told


def test_a_run_that_found_nothing_to_do_is_no_dry_run(root: Path) -> None:
    write_key(root / "company_1002", WHOLE, timedelta(days=1), record(FAILED_AT))
    nothing = ("contact", "4917000000008", "--renew", "--json")
    for words, is_dry in ((("--yes",), False), (("--dry-run",), True)):
        done = checked_json(cure(root, *nothing, *words, company="1002").stdout, "contact")
        assert (done["dry_run"], done["set_aside"]) == (is_dry, 0)


def test_the_hint_of_a_group_can_be_pasted(root: Path) -> None:
    told = cure(root, "contact", GROUP)
    assert told.returncode == 2
    (hint,) = re.findall(r"baileys-tools (resend-group-keys .*)", told.stderr)
    assert cure(root, *shlex.split(hint)[:1], *shlex.split(hint)[3:], "--dry-run").returncode == 0


def test_the_hint_of_a_contact_has_the_number_where_numbers_are_shown(root: Path, settings: Path) -> None:
    words = ("contact", f"{LID}@lid", "--config", settings)
    assert "--renew NUMBER" in cure(root, *words).stdout
    assert f"--renew {PN}" in cure(root, *words, "--show-numbers").stdout


def test_options_of_a_renewal_go_with_it(root: Path) -> None:
    assert cure(root, "contact", PN, "--yes").returncode == 2


# --- renew-sessions -----------------------------------------------------------------------------------------


def test_all_broken_sessions_go_the_logged_first(root: Path, settings: Path) -> None:
    first = cure(root, *RENEW, "--most", "1", "--yes", "--json", "--config", settings)
    found = checked_json(first.stdout, "renew-sessions")
    assert [one["why"] for one in found["asides"]] == ["unreadable"]
    assert found["left"] == 1
    second = cure(root, *RENEW, "--yes", "--json", "--config", settings)
    found = checked_json(second.stdout, "renew-sessions")
    assert [(one["about"], one["why"]) for one in found["asides"]] == [("49****99.0", "torn")]
    assert "session-4917000000009.0.json" in os.listdir(root / "company_1002"), "of another company"


def test_a_session_that_has_been_read_since_stays(root: Path, settings: Path) -> None:
    write_key(root / "company_1001", BY_LID, timedelta(hours=1), record(FAILED_AT + timedelta(hours=1)))
    cure(root, *RENEW, "--yes", "--config", settings)
    left = set(os.listdir(root / "company_1001"))
    assert {BY_LID, BY_NUMBER} <= left
    assert TORN not in left


def test_a_file_that_is_being_written_is_not_torn(root: Path) -> None:
    """Baileys truncates, then writes: for a moment the file is empty."""
    write_key(root / "company_1001", TORN, content="")
    done = cure(root, *RENEW, "--yes")
    assert "nothing broken" in done.stdout
    assert TORN in os.listdir(root / "company_1001")


def test_it_has_to_be_said_which_sessions(root: Path) -> None:
    assert cure(root, "renew-sessions", "--yes").returncode == 2


# --- contacts -----------------------------------------------------------------------------------------------


def test_the_table_is_masked_and_says_what_it_prints(root: Path) -> None:
    masked = cure(root, "contacts", "--csv")
    assert masked.stdout == "phone,lid,mapping\n49****78,12****45,both ways\n"
    assert "--show-numbers" in masked.stderr
    shown = cure(root, "contacts", "--csv", "--show-numbers")
    assert shown.stdout == f"phone,lid,mapping\n{PN},{LID},both ways\n"
    assert "full phone numbers of 1 contact were printed" in shown.stderr
    found = checked_json(cure(root, "contacts", "--json").stdout, "contacts")
    assert found["masked"] is True
    assert "49****78" in cure(root, "contacts").stdout


# --- people who mean harm -----------------------------------------------------------------------------------


def test_links_and_odd_names_are_neither_followed_nor_printed_raw(root: Path, tmp_path: Path) -> None:
    folder = root / "company_1001"
    secret = tmp_path / "secret"
    secret.write_text(f'"{PN}"')
    for name in (BY_LID, MEMORY, f"{MEMORY}.bak", f"device-list-{PN}.json", f"lid-mapping-{PN}.json"):
        (folder / name).unlink()
        (folder / name).symlink_to(secret)
    os.mkfifo(folder / "lid-mapping-4917000000001.json")
    write_key(folder, "lid-mapping-49\n\x1b[2J.json", content=f'"{LID}"')
    write_key(folder, "sender-key-memory-a\nb@g.us.json")
    before = snapshot_tree(root)
    for words in (RESEND, RENEW, RENEW_ONE, ("contact", LID), ("contacts",)):
        flags = ("--dry-run",) if words in (RESEND, RENEW, RENEW_ONE) else ()
        done = cure(root, *words, *flags, "--show-numbers")
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout + done.stderr
    cure(root, *RESEND, "--yes")
    cure(root, *RENEW_ONE, "--yes")
    assert secret.read_text() == f'"{PN}"'
    assert set(before) - set(snapshot_tree(root)) == {
        os.fsencode(f"company_1001/{name}") for name in (OLD_MEMORY, BY_NUMBER)
    }


def test_a_quarantine_that_leads_elsewhere_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "company_1001" / ".baileys-tools").symlink_to(tmp_path / "elsewhere")
    before = snapshot_tree(root, ignore=())
    refused = cure(root, *RESEND, "--yes")
    assert refused.returncode == 1
    assert snapshot_tree(root, ignore=(b".cleanup.lock",)) == before
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_name_that_cannot_be_typed_is_in_no_command(tmp_path: Path) -> None:
    company_folder(tmp_path / "s", "a;touch hit", {MEMORY: timedelta(hours=1)})
    done = cure(tmp_path / "s", *RESEND, "--yes", company="a;touch hit")
    assert "--company 'a;touch hit' --run" in done.stdout


def test_root_in_a_folder_of_a_bots_user(tmp_path: Path) -> None:
    """What root sets aside there is the bot's own from birth, so that its user can undo it."""
    with hostile_place() as place:
        root = place.bots / "sessions"
        folder = company_folder(root, "1001", {MEMORY: timedelta(hours=1)})
        for path in (root, folder, *folder.iterdir()):
            os.chown(path, BOT, BOT)
        before = place.of_root()
        done = cure(root, *RESEND, "--yes")
        assert done.returncode == 0, done.stderr
        assert place.of_root() == before
        assert [path for path in place.not_the_bots() if "sessions" in path] == []
