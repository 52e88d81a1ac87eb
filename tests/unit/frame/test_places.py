"""Where this tool may write: decided from resolved paths alone."""

from __future__ import annotations

import pytest

from baileys_tools.frame.rules.places import Ground, Target, crowded, misplaced_file, misplaced_folder

MANY = Ground("/srv/sessions", False, "/var/backups/bots", "/var/lib/tool")
ONE = Ground("/srv/session", True, None, "/var/lib/tool")
STATE = Target("state.dir", "/var/lib/tool", ["/var/lib/tool"])
REPOSITORY = Target("backup.path", "/var/backups/bots", ["/var/backups/bots"])


def file(path: str, *lands: str, beside_creds: bool = False) -> Target:
    return Target("--html", path, lands or [path], beside_creds)


def folder(path: str) -> Target:
    return Target("somewhere", path, [path])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/srv/sessions/company_1001/creds.json", "is in the session folder /srv/sessions/company_1001"),
        ("/srv/sessions/company_1001/.baileys-tools/x", "is in the session folder"),
        ("/srv/sessions/company_1001", "is a session folder"),
        ("/var/backups/bots/company_1001/x.html", "is in the backup repository"),
        ("/var/backups/bots/x.html", "is in the backup repository"),
        ("/var/lib/tool/state.sqlite3", "is in the state folder"),
    ],
)
def test_no_file_lands_among_sessions_snapshots_or_the_state(path: str, why: str) -> None:
    found = misplaced_file(file(path), MANY)
    assert found is not None
    assert found.name == "--html"
    assert why in found.why
    assert found.way_out


@pytest.mark.parametrize(
    "path",
    [
        "/srv/sessions/report.html",
        "/srv/sessions-old/company_1001/report.html",
        "/var/backups/bots.html",
        "/var/lib/tool2/report.html",
        "/home/bot/report.html",
    ],
)
def test_a_file_elsewhere_is_nobodys_business(path: str) -> None:
    assert misplaced_file(file(path), MANY) is None


def test_all_of_the_folder_of_a_single_bot_is_its_session() -> None:
    assert misplaced_file(file("/srv/session/report.html"), ONE) is not None
    assert misplaced_file(file("/srv/report.html"), ONE) is None


def test_a_link_is_judged_by_every_place_that_it_touches() -> None:
    creds = "/srv/sessions/company_1001/creds.json"
    assert misplaced_file(file("/home/bot/x.html", "/home/bot/x.html", creds), MANY) is not None
    assert misplaced_file(file("/home/bot/x.html", creds, "/home/bot/x.html"), MANY) is not None


def test_a_login_that_no_setting_names_is_one_all_the_same() -> None:
    found = misplaced_file(file("/opt/bot/auth/creds.json", beside_creds=True), MANY)
    assert found is not None
    assert "is in a session folder" in found.why


def test_in_the_state_each_file_has_its_own_place_and_no_other() -> None:
    place = "/var/lib/tool/cron.log"
    assert misplaced_file(file(place), MANY, place) is None
    assert misplaced_file(file("/var/lib/tool/other.log"), MANY, place) is not None
    # A link from there into a session is none.
    assert misplaced_file(file(place, place, "/srv/sessions/company_1/x"), MANY, place) is not None


@pytest.mark.parametrize(
    ("ground", "path", "why"),
    [
        (MANY, "/srv/sessions", "is the sessions path itself"),
        (MANY, "/srv/sessions/company_1001", "is a session folder"),
        (MANY, "/srv/sessions/company_1001/backups", "is in the session folder /srv/sessions/company_1001"),
        (ONE, "/srv/session/backups", "is in the session folder /srv/session"),
        (ONE._replace(sessions="/bots/company_7"), "/bots", "has its place as a company's snapshots"),
    ],
)
def test_neither_snapshots_nor_state_go_where_sessions_are(ground: Ground, path: str, why: str) -> None:
    found = misplaced_folder(folder(path), ground, holds_snapshots=True)
    assert found is not None
    assert why in found.why


@pytest.mark.parametrize(
    ("sessions", "path"),
    [
        ("/data/sessions", "/data/backups"),
        ("/data/sessions", "/data"),
        ("/data", "/data/backups"),
        ("/data/sessions", "/data/sessions-backups"),
    ],
)
def test_folders_beside_the_companies_or_above_them_are_told_apart(sessions: str, path: str) -> None:
    assert misplaced_folder(folder(path), Ground(sessions, False, None, "/x"), holds_snapshots=True) is None


def test_what_lies_beside_the_company_folders_gets_a_word() -> None:
    ground = Ground("/data", False, "/data/backups", "/srv/state")
    assert [one.name for one in crowded(ground, [folder("/data/backups"), folder("/srv/state")])] == [
        "somewhere"
    ]
    assert list(crowded(ground._replace(sessions=None), [folder("/data/backups")])) == []


@pytest.mark.parametrize(
    ("path", "taken_by"),
    [
        ("/var/backups/bots", "backup.path"),
        ("/var/backups/bots/company_1001", "backup.path"),
        ("/var/lib/tool", "state.dir"),
        ("/var/backups/bots/copies", ""),
        ("/var/lib/tool/copies", ""),
        ("/mnt/copies", ""),
    ],
)
def test_two_folders_of_this_tool_are_two(path: str, taken_by: str) -> None:
    found = misplaced_folder(folder(path), MANY, [REPOSITORY, STATE], holds_snapshots=True)
    assert (found.why if found else "") == (f"{path} is taken by {taken_by}" if taken_by else "")


def test_without_a_sessions_path_nothing_can_be_in_it() -> None:
    nowhere = Ground(None, False, None, "/var/lib/tool")
    assert misplaced_file(file("/srv/sessions/company_1001/x"), nowhere) is None
    assert misplaced_folder(folder("/srv/sessions"), nowhere, holds_snapshots=True) is None
