"""`config show`, `config check`, `config init` and the reference page say what the schema says."""

from __future__ import annotations

import json
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from baileys_tools.config import LoadedSettings, load_settings
from baileys_tools.config.describe import commented_file, reference_page
from baileys_tools.config.schema import SCHEMA
from baileys_tools.errors import ExitCode, UsageError
from baileys_tools.host.config_commands import file_warnings, init_command, run_check, run_init, run_show

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[3]

RECIPIENT = "age1utp6420xt5zzhkmq9snfa3j8vs5wdzu0ljl9d579xh08pzvu59yqqmgquv"

REFERENCE = ROOT / "docs/configuration.md"
VALUES = {found.target for found in SCHEMA.settings.values()}
"""The paths of all values: a secret and the file that may hold it are one."""


def load(flags=None, environ=None, config=None) -> LoadedSettings:
    nowhere = "/nonexistent"
    return load_settings(
        flags or {}, environ or {}, config=config, cwd=nowhere, home=nowhere, euid=1000, system_config=nowhere
    )


def test_the_reference_page_is_what_the_schema_says():
    assert REFERENCE.read_text() == reference_page(), (
        "run: python -m baileys_tools.config.describe > docs/configuration.md"
    )


def test_the_commented_file_changes_nothing(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(commented_file())
    loaded = load(config=str(file))
    assert set(loaded.origin.values()) == {"default"}
    assert all(len(line) <= 80 for line in commented_file().splitlines())


def test_the_commented_file_shows_every_setting_with_its_default(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(re.sub(r"^  #(\w+:)", r"  \1", commented_file(), flags=re.MULTILINE))
    loaded = load(config=str(file))
    assert loaded.values == load().values
    given = {path for path, origin in loaded.origin.items() if origin != "default"}
    assert given == {path for path, found in SCHEMA.settings.items() if not found.default_text}


def test_show_says_every_value_and_where_it_came_from_in_eighty_columns():
    environ = {
        "BAILEYS_TOOLS_CLEANUP__SESSION_MAX_AGE": "20d",
        "SESSION_PATH": "/srv/" + "bots/" * 8 + "sessions",
    }
    text = run_show(load({"sessions.companies": ["1", "2"]}, environ), NOW, as_json=False)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert re.search(r"session_max_age +20d +environment BAILEYS_TOOLS_CLEANUP__SESSION_MAX_AGE\n", text)
    assert re.search(r"companies +1, 2 +flag --company\n", text)
    assert re.search(r"path +/srv/\S+sessions\n +environment SESSION_PATH\n", text)
    assert re.search(r"multitenancy +detected +default\n", text)
    for path in VALUES:
        assert path.partition(".")[2] in text


def test_show_as_json_has_every_setting_once():
    facts = json.loads(run_show(load({"pre_keys.keep": 60}), NOW, as_json=True))
    schema = json.loads((ROOT / "docs/json/config-show.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(facts)
    assert facts["settings"].keys() == VALUES
    assert facts["settings"]["pre_keys.keep"] == {"value": 60, "origin": "flag --max-pre-keys"}
    assert facts["settings"]["cleanup.undo_window"] == {"value": "1d", "origin": "default"}
    assert facts["settings"]["sessions.companies"]["value"] == []


def test_show_masks_secrets_one_by_one():
    environ = {
        "NOTIFICATION_WEBHOOK": "https://h/canary-1",
        "BAILEYS_TOOLS_NOTIFY__URLS": "json://canary-2,json://b",
    }
    for as_json in (True, False):
        text = run_show(load({}, environ), NOW, as_json=as_json)
        assert "canary" not in text
    facts = json.loads(run_show(load({}, environ), NOW, as_json=True))["settings"]
    assert facts["notify.webhook"] == {"value": "***", "origin": "environment NOTIFICATION_WEBHOOK"}
    assert facts["notify.urls"]["value"] == ["***", "***"]


def test_nothing_raw_from_a_value_reaches_the_terminal():
    text = run_show(load({"sessions.path": "/s/\x1b[2J\udcff"}), NOW, as_json=False)
    assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_check_is_content_with_a_file_that_others_can_read_but_not_change(tmp_path, mode):
    file = tmp_path / "c.yaml"
    file.write_text("pre_keys: {keep: 60}\n")
    file.chmod(mode)
    text, code = run_check(load(config=str(file)))
    assert code is ExitCode.DONE
    assert text.splitlines() == ["The settings are valid.", f"settings file: {file}"]


@pytest.mark.parametrize(
    ("mode", "origin", "warned"),
    [
        (0o644, "FILE:3", True),
        (0o640, "FILE:3", True),
        (0o600, "FILE:3", False),
        (0o644, "FILE:3 (token_file)", False),
        (0o644, "environment TOKEN", False),
        (0o644, "default", False),
    ],
)
def test_check_warns_when_others_can_read_a_secret_in_the_file(tmp_path, mode, origin, warned):
    file = tmp_path / "c.yaml"
    file.write_text("")
    file.chmod(mode)
    origins = {"notify.token": origin.replace("FILE", str(file))}
    warnings = file_warnings(str(file), origins, frozenset({"notify.token"}))
    assert warnings == (
        [f"{file} holds notify.token and can be read by others: chmod 600 {file}"] if warned else []
    )


@pytest.mark.parametrize(
    ("backup", "word", "code"),
    [
        ({}, None, ExitCode.DONE),
        ({"path": "/srv/b"}, "notice: snapshots are not encrypted", ExitCode.DONE),
        ({"path": "/srv/b", "copies": "file:///mnt/b"}, "notice: snapshots are not", ExitCode.DONE),
        ({"path": "/srv/b", "copies": "sftp://me@vault/b"}, "warning: snapshots are not", ExitCode.WARNING),
        ({"path": "/srv/b", "recipients": RECIPIENT, "copies": "s3://b/c"}, None, ExitCode.DONE),
        (
            {"path": "/srv/b", "recipients": RECIPIENT, "identity_file": "/k"},
            "notice: backup.identity",
            ExitCode.DONE,
        ),
    ],
)
def test_check_says_who_can_read_the_snapshots(backup, word, code):
    environ = {f"BAILEYS_TOOLS_BACKUP__{key.upper()}": value for key, value in backup.items()}
    text, found = run_check(load(environ=environ))
    assert found is code
    assert all(len(line) <= 80 for line in text.splitlines())
    if word is None:
        assert "snapshots" not in text
        assert "identity" not in text
    else:
        assert word in text
        assert all(backup[key] in text for key in ("path", "copies") if backup.get(key, "")[:4] == "sftp")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_init_writes_a_private_file_whatever_the_umask(tmp_path, umask):
    file = tmp_path / "new/deep/config.yaml"
    before = os.umask(umask)
    try:
        assert str(file) in run_init(file, force=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.read_text() == commented_file()
    assert [entry.name for entry in file.parent.iterdir()] == ["config.yaml"]


def test_init_does_not_replace_a_file_unless_told_to(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        run_init(file, force=False)
    assert file.read_text() == "mine"
    run_init(file, force=True)
    assert file.read_text() == commented_file()


IN_FORCE = """
sessions: {path: "/srv/böts: # 1/sessions", companies: ["1001", "1002"]}
cleanup: {session_max_age: 20d, dry_run: yes}
backup: {path: backups, recipients: []}
health: {free_disk: 1.5 GB}
cron: {cleanup: "5 4 * * 1-5", report: off}
logs: {files: [{path: "/var/log/a,b.log", company: 1001}, "/var/log/{company}.log"]}
notify: {webhook_file: hook, telegram_bot_token: "123:canary", telegram_chat_id: "-100"}
bot_api:
  preset: waha
  url: http://127.0.0.1:3000
  status: {request: "GET /s/{company}", connected: "state == 'open'"}
  send: {request: "POST /send", body: {to: "{number}", n: 1}}
companies:
  1002: {process: {pm2: "bot-{company}"}, bot_api: {token_file: hook}}
  a.b: {process: {pm2: "null"}}
"""


def test_init_writes_what_is_in_force_so_that_it_is_for_good(tmp_path):
    (tmp_path / "hook").write_text("https://hooks.example.org/T0\n")
    (tmp_path / "old.yaml").write_text(IN_FORCE)
    before = load(config=str(tmp_path / "old.yaml"))
    said = run_init(tmp_path / "new.yaml", False, before)
    after = load(config=str(tmp_path / "new.yaml"))
    assert {path: SCHEMA.setting(path).show(value) for path, value in after.values.items()} == {
        path: SCHEMA.setting(path).show(value) for path, value in before.values.items()
    }
    assert after.values["notify.telegram_bot_token"] == before.values["notify.telegram_bot_token"]
    assert after.secret_files == before.secret_files != {}
    assert after.values["logs.files"] == before.values["logs.files"]
    assert "in force   sessions.path" in said
    assert "canary" not in said
    # What was not given is a comment still.
    assert {path for path, origin in after.origin.items() if origin != "default"} == {
        path for path, origin in before.origin.items() if origin != "default"
    }


def test_init_writes_no_secret_that_only_a_variable_holds(tmp_path):
    (tmp_path / "hook").write_text("https://hooks.example.org/T0\n")
    environ = {
        "TELEGRAM_BOT_TOKEN": "123:canary",
        "NOTIFICATION_WEBHOOK_FILE": str(tmp_path / "hook"),
        "BAILEYS_SESSIONS_PATH": "/srv/sessions",
    }
    said = run_init(tmp_path / "new.yaml", False, load(environ=environ))
    assert "canary" not in (tmp_path / "new.yaml").read_text() + said
    assert "left out   notify.telegram_bot_token: a secret" in said
    assert max(map(len, said.splitlines()[1:])) <= 80
    after = load(config=str(tmp_path / "new.yaml"))
    assert after.settings.sessions.path == "/srv/sessions"
    assert str(after.settings.notify.webhook) == "***"


@pytest.mark.parametrize("is_there", [True, False])
def test_init_writes_to_the_file_that_the_environment_names(tmp_path, monkeypatch, capsys, is_there):
    named = tmp_path / "named.yaml"
    if is_there:
        named.write_text("cleanup: {session_max_age: 30d}")
    monkeypatch.setenv("BAILEYS_TOOLS_CONFIG", str(named))
    monkeypatch.setenv("BAILEYS_SESSIONS_PATH", "/srv/sessions")
    assert init_command(None, force=is_there) == 0
    assert str(named) in capsys.readouterr().out
    after = load(config=str(named))
    assert after.settings.sessions.path == "/srv/sessions"
    assert after.settings.cleanup.session_max_age.days == (30 if is_there else 14)


def test_init_does_not_write_through_a_link(tmp_path):
    (tmp_path / "link.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        run_init(tmp_path / "link.yaml", force=False)
    run_init(tmp_path / "link.yaml", force=True)
    assert not (tmp_path / "elsewhere").exists()
