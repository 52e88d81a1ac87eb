"""Settings: which source wins, what is refused, and that the person reading the error knows what to do."""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from baileys_tools.config import (
    Cleanup,
    ConfigError,
    Secret,
    Settings,
    load_settings,
    require_sessions_path,
    valid_company_id,
)
from baileys_tools.config.bot_kinds import ENDPOINT, LINE, PRESET, URL, WHEN_CONNECTED
from baileys_tools.config.host import Surroundings
from baileys_tools.config.kinds import (
    AGE_OR_KEEP,
    AGE_OR_OFF,
    BOOLEAN,
    COMPANY_IDS,
    COPY_TARGETS,
    COUNT,
    COUNT_OR_OFF,
    COUNTED,
    DURATION,
    HEADERS,
    KEY_FILE,
    PATH,
    SCHEDULE,
    SECRET,
    SECRET_URL,
    SECRETS,
    SIZE,
    TEXTS,
    ValueKind,
    headers_in,
)
from baileys_tools.config.load import build, resolve
from baileys_tools.config.log_kinds import LOG_FILES, LogFile
from baileys_tools.config.ping_kind import PINGS
from baileys_tools.config.root_kinds import ROOTS
from baileys_tools.config.schema import SCHEMA
from baileys_tools.config.section import Schema, Section, setting
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.host.config_commands import run_init, run_show
from baileys_tools.layouts import RootSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)

SAMPLES: dict[ValueKind, tuple[tuple[str, object], ...]] = {
    BOOLEAN: (("true", True), ("off", False), ("1", True), ("No", False)),
    COUNT: (("151", 151), ("160", 160), ("165", 165), ("169", 169)),
    DURATION: tuple((f"{days}d", timedelta(days=days)) for days in (20, 9, 16, 21)),
    SIZE: (("150MB", 150_000_000), ("1.5 GB", 1_500_000_000), ("2GiB", 2 << 30), ("4096", 4096)),
    PATH: (("/a", "/a"), ("/b/c", "/b/c"), ("/d e", "/d e"), ("/f", "/f")),
    KEY_FILE: (("/a", "/a"), ("/b/c", "/b/c"), ("/d e", "/d e"), ("/f", "/f")),
    SCHEDULE: (*((f"{n} 3 * * *", f"{n} 3 * * *") for n in (7, 8, 9)), ("Off", "off")),
    LOG_FILES: (
        ("7=/a.log", (LogFile("/a.log", "7"),)),
        ("/b/{company}.log", (LogFile("/b/{company}.log"),)),
        ("1=/c, /d/{company}", (LogFile("/c", "1"), LogFile("/d/{company}"))),
        ("07=/e=f.log", (LogFile("/e=f.log", "07"),)),
    ),
    ROOTS: (
        ("/a", (RootSpec("/a"),)),
        ('{"path": "/b", "folders": ["*/auth", "auth_*"]}', (RootSpec("/b", ("*/auth", "auth_*")),)),
        (
            '["/c", {"path": "/d", "layout": "openclaw"}]',
            (RootSpec("/c"), RootSpec("/d", layout="openclaw")),
        ),
        (
            '{"path": "/e,f", "folders": "*", "name": "x-{1}", "follow_links": "yes"}',
            (RootSpec("/e,f", ("*",), "x-{1}", True),),
        ),
    ),
    TEXTS: (("age1a", ("age1a",)), ("age1b,age1c", ("age1b", "age1c")), ("d e", ("d e",)), ("f", ("f",))),
    COPY_TARGETS: (
        ("sftp://a@b/c", ("sftp://a@b/c",)),
        ("s3://b,file:///c", ("s3://b", "file:///c")),
        ("s3://b/c", ("s3://b/c",)),
        ("file:///d", ("file:///d",)),
    ),
    SECRET: tuple((word, Secret(word)) for word in ("one", "two", "three", "four")),
    LINE: tuple((word, word) for word in ("one", "two", "three", "four")),
    URL: tuple((f"http://{word}:80", f"http://{word}:80") for word in "abcd"),
    PRESET: tuple((word, word) for word in ("ai-admin", "waha", "evolution", "wppconnect")),
    WHEN_CONNECTED: tuple((word, word) for word in ("skip", "allow", "skip", "allow")),
    ENDPOINT: tuple((f"GET /{word}", {"method": "GET", "path": f"/{word}"}) for word in "abcd"),
    HEADERS: tuple((f"X-A:{word}", Secret(f"X-A:{word}")) for word in ("one", "two", "three", "four")),
    SECRET_URL: tuple((f"https://h/{word}", Secret(f"https://h/{word}")) for word in "abcd"),
    PINGS: tuple((f"https://h/{word}", Secret(f"https://h/{word}")) for word in "abcd"),
    SECRETS: (
        ("ntfy://a", (Secret("ntfy://a"),)),
        ("ntfy://b,mailto://u:p@h?to=x,y", (Secret("ntfy://b"), Secret("mailto://u:p@h?to=x,y"))),
        ("json://c json://d", (Secret("json://c"), Secret("json://d"))),
        ("ntfy://e/f", (Secret("ntfy://e/f"),)),
    ),
    AGE_OR_KEEP: (
        ("3d", timedelta(days=3)),
        ("keep", None),
        ("4d", timedelta(days=4)),
        ("5d", timedelta(days=5)),
    ),
    AGE_OR_OFF: (
        ("3d", timedelta(days=3)),
        ("off", None),
        ("4d", timedelta(days=4)),
        ("5d", timedelta(days=5)),
    ),
    COUNT_OR_OFF: (("60", 60), ("off", None), ("61", 61), ("62", 62)),
    COUNTED: (("removable", "removable"), ("all", "all"), ("removable", "removable"), ("all", "all")),
    COMPANY_IDS: (("1", ("1",)), ("a,b", ("a", "b")), ("x", ("x",)), ("007", ("007",))),
}


@pytest.fixture
def load(tmp_path):
    """Load settings on a host where nothing is configured; `yaml` is the text of the user's file."""

    def load(flags=None, environ=None, yaml=None, **host):
        if yaml is not None:
            file = tmp_path / "home/.config/baileys-tools/config.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(yaml if isinstance(yaml, bytes) else yaml.encode())
        (tmp_path / "here").mkdir(exist_ok=True)
        places = {
            "cwd": str(tmp_path / "here"),
            "home": str(tmp_path / "home"),
            "euid": 1000,
            "system_config": str(tmp_path / "etc/config.yaml"),
        }
        return load_settings(flags or {}, environ or {}, **{**places, **host})

    return load


def problems_of(load, *args, **kwargs) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load(*args, **kwargs)
    assert refused.value.exit_code is ExitCode.USAGE
    assert all(problem in refused.value.message for problem in refused.value.problems)
    return refused.value.problems


# Precedence


def test_without_any_source_all_settings_have_their_defaults(load):
    loaded = load(home="/home/ana")
    assert loaded.settings == Settings(
        state=type(Settings().state)(dir="/home/ana/.local/state/baileys-tools")
    )
    assert set(loaded.origin.values()) == {"default"}
    assert loaded.config_file is None


@pytest.mark.parametrize("path", [path for path, found in SCHEMA.settings.items() if found.target == path])
def test_flag_beats_environment_beats_file_beats_default(load, path):
    """For a setting, each mix of its four sources; those with a file come last."""
    found = SCHEMA.settings[path]
    samples = SAMPLES[found.kind]
    if path.startswith("thresholds.") and found.kind is COUNT:
        # Small steps, as each has to stay above the one before.
        samples = tuple((str(found.default - step), found.default - step) for step in range(4))
    if path == "health.inactive_critical":
        samples = tuple((f"{days}d", timedelta(days=days)) for days in (26, 27, 28, 29))
    section, _, key = path.partition(".")
    quote = "'" if found.kind in (PINGS, SECRET_URL, SECRETS, URL) else ""
    for by_file, by_known_variable, by_own_variable, by_flag in product((False, True), repeat=4):
        flags = {path: samples[0][0]} if by_flag else {}
        environ = {found.env[0]: samples[1][0]} if by_own_variable else {}
        if by_known_variable and len(found.env) > 1:
            environ[found.env[-1]] = samples[2][0]
        yaml = f"{section}:\n  {key}: {quote}{samples[3][0]}{quote}\n" if by_file else None

        loaded = load(flags, environ, yaml)

        value, origin = getattr(getattr(loaded.settings, section), key), loaded.origin[path]
        if by_flag:
            assert (value, origin) == (samples[0][1], f"flag {found.flag_for(samples[0][1])}")
        elif by_own_variable:
            assert (value, origin) == (samples[1][1], f"environment {found.env[0]}")
        elif by_known_variable and len(found.env) > 1:
            assert (value, origin) == (samples[2][1], f"environment {found.env[-1]}")
        elif by_file:
            assert (value, origin) == (samples[3][1], f"{loaded.config_file}:2")
        else:
            assert origin == "default"


def test_the_first_settings_file_that_exists_wins(load, tmp_path):
    places = ["here/baileys-tools.yaml", "etc/config.yaml", "home/.config/baileys-tools/config.yaml"]
    for number, place in enumerate([*places, "variable.yaml", "flag.yaml"], start=60):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"pre_keys: {{keep: {number}}}\n")
        environ = {"BAILEYS_TOOLS_CONFIG": "../variable.yaml"} if number >= 63 else {}
        loaded = load({}, environ, config=str(file) if number == 64 else None)
        assert loaded.settings.pre_keys.keep == number


def test_xdg_config_home_moves_the_users_file(load, tmp_path):
    file = tmp_path / "xdg/baileys-tools/config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("cleanup: {dry_run: yes}\n")
    assert load({}, {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}).config_file == str(file)
    assert load({}, {"XDG_CONFIG_HOME": "xdg"}).config_file is None


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_a_named_file_that_does_not_exist_is_an_error(load, how):
    config, environ = ("nope.yaml", {}) if how == "flag" else (None, {"BAILEYS_TOOLS_CONFIG": "nope.yaml"})
    with pytest.raises(
        ConfigError, match=r"here/nope\.yaml: no such settings file \((flag --config|environ)"
    ):
        load({}, environ, config=config)


def test_a_file_that_cannot_be_read_is_an_error_and_not_the_defaults(load, tmp_path):
    (tmp_path / "here/baileys-tools.yaml").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"baileys-tools\.yaml: not readable: not a regular file"):
        load()


def test_railway_gives_a_sessions_path_only_when_nothing_else_does(load):
    railway = {"RAILWAY_PROJECT_NAME": "bots"}
    loaded = load({}, railway)
    assert loaded.settings.sessions.path == "/app/persistent-session"
    assert loaded.origin["sessions.path"] == "environment RAILWAY_PROJECT_NAME"
    assert load({}, railway, "sessions: {path: /own}").settings.sessions.path == "/own"
    assert load({}, railway | {"SESSION_PATH": "/own"}).settings.sessions.path == "/own"


def test_state_is_kept_in_the_systems_folder_for_root_and_in_the_users_own_for_others(load):
    assert load(euid=0).settings.state.dir == "/var/lib/baileys-tools"
    assert load({}, {"XDG_STATE_HOME": "/x"}).settings.state.dir == "/x/baileys-tools"
    assert load(home="/home/a").settings.state.dir == "/home/a/.local/state/baileys-tools"


def test_a_relative_path_starts_where_it_was_written(load, tmp_path):
    assert load({}, {"SESSION_PATH": "./sessions"}).settings.sessions.path == f"{tmp_path}/here/sessions"
    assert load({"sessions.path": "."}).settings.sessions.path == f"{tmp_path}/here"
    folder = f"{tmp_path}/home/.config/baileys-tools"
    assert load(yaml="sessions: {path: sub/}").settings.sessions.path == f"{folder}/sub"
    assert load(yaml="sessions: {path: ../x}").settings.sessions.path == f"{folder}/../x"
    assert load(yaml="sessions: {path: ~/x}").settings.sessions.path == f"{tmp_path}/home/x"


@pytest.mark.parametrize("environ", [{"SESSION_PATH": ""}, {"DRY_RUN": ""}, {"BAILEYS_TOOLS_CONFIG": ""}])
def test_an_empty_variable_counts_as_not_given(load, environ):
    assert set(load({}, environ).origin.values()) == {"default"}


@pytest.mark.parametrize(
    "flags", [{"sessions.path": None}, {"sessions.companies": ()}, {"sessions.companies": []}]
)
def test_a_flag_that_was_not_typed_counts_as_not_given(load, flags):
    assert set(load(flags).origin.values()) == {"default"}


def test_an_empty_path_in_a_flag_is_an_error_because_a_shell_variable_was_unset(load):
    assert problems_of(load, {"sessions.path": ""}) == ("sessions.path: the path is empty (flag --sessions)",)


def test_a_switch_names_the_flag_as_it_was_typed(load):
    assert load({"pre_keys.guard": False}).origin["pre_keys.guard"] == "flag --no-pre-key-guard"
    assert load({"cleanup.dry_run": True}).origin["cleanup.dry_run"] == "flag --dry-run"


@pytest.mark.parametrize(
    "yaml", ["", "# nothing\n", "---\n", "cleanup:\n", "cleanup:\n  dry_run:\n", "cleanup: {dry_run: ~}"]
)
def test_a_file_that_gives_nothing_changes_nothing(load, yaml):
    loaded = load(yaml=yaml)
    assert set(loaded.origin.values()) == {"default"}
    assert loaded.config_file is not None


@pytest.mark.parametrize(
    "sources",
    [
        {"flags": {"sessions.companies": ["1001,company_1002", "1003", "1001"]}},
        {"environ": {"COMPANY_ID": "1001, company_1002,1003"}},
        {"yaml": "sessions: {companies: [company_1001, 1002, 1003]}"},
        {"yaml": "sessions: {companies: '1001,1002,1003'}"},
    ],
)
def test_companies_are_named_the_same_way_in_every_source(load, sources):
    assert load(**sources).settings.sessions.companies == ("1001", "1002", "1003")


def test_yaml_does_not_turn_ids_into_numbers(load):
    assert load(yaml="sessions: {companies: [007, 1_0, 0x1, yes]}").settings.sessions.companies == (
        "007",
        "1_0",
        "0x1",
        "yes",
    )


# Errors


def test_every_error_is_reported_at_once_with_its_path_and_place(load):
    yaml = """\
cleanup:
  sesion_max_age: 3d
  session_max_age: soon
  undo_window: [1d]
  dry_run: perhaps
clenup: {}
session_max_age: 3d
pre_keys: 50
"""
    environ = {"DRY_RUN": "maybe", "BAILEYS_TOOLS_STATE_DIRR": "/x", "BAILEYS_TOOLS_XYZ": "1"}
    with pytest.raises(ConfigError) as refused:
        load({"pre_keys.keep": 3, "sessions.companies": ("a/b",)}, environ, yaml)
    file = next(problem.split(" in ")[1] for problem in refused.value.problems if "sesion" in problem).split(
        ":2"
    )[0]
    assert sorted(problem.replace(file, "FILE") for problem in refused.value.problems) == sorted(
        [
            "cleanup.sesion_max_age: unknown setting in FILE:2; did you mean session_max_age?",
            'cleanup.session_max_age: "soon" is not a duration (for example 14d, 36h) (FILE:3)',
            "cleanup.undo_window: a list is not a duration (for example 14d, 36h) (FILE:4)",
            'cleanup.dry_run: "perhaps" is not true or false (FILE:5)',
            "clenup: unknown section in FILE:6; did you mean cleanup?",
            "session_max_age: unknown section in FILE:7; did you mean cleanup.session_max_age?",
            "pre_keys: has to be a section with settings of its own (FILE:8)",
            'cleanup.dry_run: "maybe" is not true or false (environment DRY_RUN)',
            "BAILEYS_TOOLS_STATE_DIRR: unknown environment variable; did you mean BAILEYS_TOOLS_STATE_DIR?",
            "BAILEYS_TOOLS_XYZ: unknown environment variable",
            "pre_keys.keep: 3 is below 30, the floor that no setting goes below (flag --max-pre-keys)",
            'sessions.companies: "a/b" is not a company id: it has to name one folder (flag --company)',
        ]
    )
    assert refused.value.message.startswith("12 errors in the settings:\n  ")


def test_a_wrong_value_is_an_error_also_where_a_stronger_source_wins(load):
    assert problems_of(load, {"cleanup.dry_run": True}, {"DRY_RUN": "maybe"}) == (
        'cleanup.dry_run: "maybe" is not true or false (environment DRY_RUN)',
    )


@pytest.mark.parametrize(
    "path", [path for path, found in SCHEMA.settings.items() if found.at_least is not None]
)
def test_no_setting_goes_below_its_floor(load, path):
    found = SCHEMA.settings[path]
    below = found.at_least - (1 if isinstance(found.at_least, int) else timedelta(seconds=1))
    for source in ({"flags": {path: below}}, {"environ": {found.env[0]: found.show(below)}}):
        with pytest.raises(ConfigError, match="the floor that no setting goes below"):
            load(**source)
    assert load({path: found.at_least}).values[path] == found.at_least


@pytest.mark.parametrize(
    ("path", "floor"),
    [
        ("cleanup.session_max_age", timedelta(days=7)),
        ("cleanup.sender_key_max_age", timedelta(days=1)),
        ("pre_keys.keep", 30),
        ("emergency.session_max_age", timedelta(days=7)),
        ("emergency.sender_key_max_age", timedelta(days=1)),
        ("emergency.pre_keys_keep", 30),
    ],
)
def test_the_floors_are_those_of_the_policy(path, floor):
    assert SCHEMA.settings[path].at_least == floor


@given(st.lists(st.integers(0, 300), min_size=5, max_size=5))
def test_thresholds_load_exactly_when_each_is_above_all_before(numbers):
    names = ["warning", "critical", "trigger", "emergency", "danger"]
    flags = {f"thresholds.{name}": number for name, number in zip(names, numbers, strict=True)}
    wrong = sum(number <= max(numbers[:place]) for place, number in enumerate(numbers) if place)
    try:
        load_settings(flags, {}, cwd="/nonexistent", home="/nonexistent", system_config="/nonexistent/x")
    except ConfigError as refused:
        assert len(refused.problems) == wrong
    else:
        assert wrong == 0


def test_thresholds_out_of_order_name_the_pair_and_where_both_came_from(load):
    (problem,) = problems_of(load, {"thresholds.warning": 172})
    assert problem == (
        "thresholds.critical: 170 (default) has to be above thresholds.warning, "
        "which is 172 (flag thresholds.warning)"
    )


def test_a_missing_sessions_path_says_the_three_ways_to_give_one(load):
    with pytest.raises(UsageError) as refused:
        require_sessions_path(load())
    for way in ("--sessions", "BAILEYS_SESSIONS_PATH", "SESSION_PATH", "sessions: {path:"):
        assert way in refused.value.hint
    assert all(len(line) < 80 for line in refused.value.hint.splitlines())
    assert require_sessions_path(load({"sessions.path": "/s"})) == "/s"


# Hostile input


BOMBS = {
    "aliases": "a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n",
    "laughs": "a0: &a0 lol\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 2000)),
    "merge": "cleanup:\n  <<: {dry_run: true}\n",
    "merge alias": "base: &b {dry_run: true}\ncleanup:\n  <<: *b\n",
    "anchor": "cleanup:\n  dry_run: &x true\n",
    "tag": "cleanup: !!python/object/apply:os.system ['true']\n",
    "local tag": "cleanup: {dry_run: ! true}\n",
    "flow depth": "cleanup: " + "[" * 500_000,
    "map depth": "cleanup: " + "{a: " * 200_000,
    "block depth": "cleanup: " + "- " * 400_000 + "x\n",
    "key depth": "? " * 300_000,
    "wide": "".join(f"k{n}: {n}\n" for n in range(80_000)),
    "many unknown": "cleanup:\n" + "".join(f"  session_max_ag{n}: 1\n" for n in range(4_900)),
    "wide list": "sessions: {companies: [" + "a, " * 300_000 + "]}\n",
    "long key": "x" * 500_000 + ": {" + ", ".join(f"k{n}: {n}" for n in range(4_900)) + "}\n",
    "long value": "cleanup: {session_max_age: " + "9" * 900_000 + "d}\n",
    "long text": "cleanup: {dry_run: '" + "\x85" * 400_000 + "'}\n",
    "too large": "#" * (1 << 20) + "\n",
    "second document": "cleanup: {}\n---\ncleanup: {}\n",
    "duplicate": "cleanup: {dry_run: true, dry_run: false}\n",
    "duplicate section": "cleanup: {dry_run: true}\ncleanup: {dry_run: false}\n",
    "list": "- cleanup\n",
    "word": "cleanup\n",
    "list key": "cleanup: {[a, b]: 1}\n",
    "null key": "cleanup: {~: 1}\n",
    "syntax": "cleanup: {dry_run: true\n",
    "tab": "cleanup:\n\tdry_run: true\n",
    "not text": b"\xff\xfe\xfa\x00cleanup",
    "latin": "cleanup: {dry_run: é}\n".encode("latin-1"),
    "nul": "cleanup: {dry_run: \0}\n",
    "nul path": 'sessions: {path: "a\\0b"}\n',
    "json bomb": json.dumps({"cleanup": {"session_max_age": {"a": {"b": {"c": {}}}}}}),
    "escape codes": 'cleanup: {"\\e[2J": 1, dry_run: "\\e]0;x\\a"}\n',
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_file_is_refused_quickly_and_readably(load, name):
    begun = time.process_time()
    with pytest.raises(ConfigError) as refused:
        load(yaml=BOMBS[name])
    assert time.process_time() - begun < 1
    assert len(refused.value.message) < 30_000
    assert all(line.isprintable() for line in refused.value.message.splitlines())


def test_a_refused_alias_is_named_with_its_path_and_line(load):
    with pytest.raises(ConfigError) as refused:
        load(yaml="sessions:\n  companies:\n  - 1\n  - *other\n")
    assert "sessions.companies[1]: aliases are not allowed (*other)" in refused.value.problems[0]
    assert refused.value.problems[0].endswith("config.yaml:4)")


def test_a_broken_file_does_not_hide_what_is_wrong_elsewhere(load):
    problems = problems_of(load, {"pre_keys.keep": 1}, {"DRY_RUN": "x"}, "cleanup: [")
    assert len(problems) == 3


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(alphabet="cleanup:_dry \n-{}[]&*!<?#'\"|>%@`~\t", max_size=80).map(str.encode)
)
def test_any_bytes_load_or_are_a_config_error(load, content):
    try:
        load(yaml=content)
    except ConfigError as refused:
        assert refused.problems


@pytest.mark.parametrize("text", ["1", "acme", "Größe", "a b", "-x", "..a", "a,b", "x" * 247])
def test_the_name_of_one_folder_is_a_company_id(text):
    assert valid_company_id(text) == text
    assert valid_company_id(f"company_{text}") == text, "the folder's own name is as good"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "../../etc",
        "/etc",
        "a/b",
        "company_",
        "company_..",
        "company_1/../..",
        "a\0b",
        "a\nb",
        "\x1b[2J",
        "\x85",
        "x" * 248,
    ],
)
def test_what_cannot_be_one_folder_is_no_company_id(text):
    with pytest.raises(ValueError, match="is not a company id") as refused:
        valid_company_id(text)
    assert str(refused.value).isprintable()
    with pytest.raises(ConfigError):
        load_settings({"sessions.companies": (text,)}, {}, cwd="/nonexistent", home="/nonexistent")


# Secrets


class Notify(Section, name="notify"):
    """A section with a secret, as later ones have."""

    token: Secret | None = setting(default=None, kind=SECRET, about="The token.", env=("TOKEN",))


@dataclass(frozen=True)
class WithSecret:
    notify: Notify = field(default_factory=Notify)


CANARY = "hunter2-canary"


def load_secret(tmp_path, environ=None, yaml=None) -> tuple[Any, dict[str, str]]:
    file = tmp_path / "x.yaml"
    file.write_text(yaml or "")
    host = Surroundings(environ or {}, str(tmp_path), str(tmp_path), 1000)
    values, origin, *_ = resolve(Schema(Notify), {}, host, str(file))
    return build(Schema(Notify), WithSecret, values), origin


@pytest.mark.parametrize("source", ["TOKEN", "BAILEYS_TOOLS_NOTIFY__TOKEN"])
def test_a_secret_comes_from_a_variable(tmp_path, source):
    settings, origin = load_secret(tmp_path, {source: CANARY})
    assert settings.notify.token.reveal() == CANARY
    assert origin["notify.token"] == f"environment {source}"


@pytest.mark.parametrize("source", ["TOKEN_FILE", "BAILEYS_TOOLS_NOTIFY__TOKEN_FILE", "yaml"])
def test_a_secret_comes_from_a_file_that_a_setting_names(tmp_path, source):
    (tmp_path / "secret").write_text(CANARY + "\n")
    environ, yaml = ({}, "notify: {token_file: secret}") if source == "yaml" else ({source: "secret"}, None)
    settings, origin = load_secret(tmp_path, environ, yaml)
    assert settings.notify.token.reveal() == CANARY
    assert origin["notify.token"].endswith("(token_file)")


def test_a_secret_never_prints(tmp_path):
    settings, _ = load_secret(tmp_path, {"TOKEN": CANARY})
    secret = settings.notify.token
    shown = [
        str(secret),
        repr(secret),
        f"{secret:>20}",
        f"{secret} {secret!r} {secret!s}",
        repr(settings),
        str([secret]),
    ]
    shown += [json.dumps({"token": secret}, default=str), repr(copy.deepcopy(settings))]
    assert not any(CANARY in text for text in shown)
    assert copy.deepcopy(secret) == secret
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


@pytest.mark.parametrize(
    "yaml",
    [
        f"notify: {{token: [{CANARY}]}}",
        f"notify: {{token: {{a: {CANARY}}}}}",
        f"notify:\n  token: {CANARY}\n  token: {CANARY}\n",
        f"notify: {{token: '{CANARY}",
        f"notify:\n  token: {CANARY}\n {CANARY}\n\t- x: [",
    ],
)
def test_an_error_about_a_secret_does_not_quote_it(tmp_path, yaml):
    with pytest.raises(ConfigError) as refused:
        load_secret(tmp_path, yaml=yaml)
    assert CANARY not in refused.value.message


@pytest.mark.parametrize("file", ["binary", "large", "missing", "empty", "folder"])
def test_a_file_that_gives_no_secret_fails_what_needs_it_and_nothing_else(tmp_path, file):
    (tmp_path / "binary").write_bytes(CANARY.encode() + b"\xff")
    (tmp_path / "large").write_text(CANARY * 10_000)
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "folder").mkdir()
    settings, _ = load_secret(tmp_path, yaml=f"notify: {{token_file: {file}}}")
    secret = settings.notify.token
    assert file in secret.trouble
    assert CANARY not in secret.trouble
    with pytest.raises(BaileysToolsError, match=file):
        secret.reveal()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"X-A: b\n\n{CANARY}", 3),
        (f"{CANARY} x: b", 1),
        (f"X-A:\nX-B: {CANARY}", 1),
        (f"X-A: {CANARY}\x00", 1),
        (f"X-A: ü{CANARY}", 1),
        (f"X-A: b\nX-ü: {CANARY}", 2),
    ],
)
def test_headers_that_are_none_are_refused_when_they_are_read(load, tmp_path, text, line):
    """Not when a bot is asked at night."""
    file = tmp_path / "headers"
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"invalid header on line {line}") as refused:
        load(yaml=f"bot_api: {{headers_file: {file}}}\n")
    assert "bot_api.headers_file: " in refused.value.message
    assert CANARY not in refused.value.message
    file.write_text(f"X-A: b\n\n  X_B-2 :  c: {CANARY}\n")
    headers = load(yaml=f"bot_api: {{headers_file: {file}}}\n").settings.bot_api.headers
    assert headers_in(headers.reveal()) == {"X-A": "b", "X_B-2": f"c: {CANARY}"}


# Sections, and what a start costs


def test_a_section_is_frozen_compares_by_value_and_knows_its_settings():
    section = Cleanup(dry_run=True)
    assert section == Cleanup(dry_run=True)
    assert section != Cleanup()
    assert hash(section) == hash(Cleanup(dry_run=True))
    assert "dry_run=True" in repr(section)
    with pytest.raises(AttributeError):
        section.dry_run = False  # type: ignore[misc]
    with pytest.raises(AttributeError):
        section.other = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="cleanup has no setting dry_ran"):
        Cleanup(dry_ran=True)  # type: ignore[call-arg]


def test_a_start_without_a_settings_file_imports_nothing_slow():
    code = (
        "import sys, baileys_tools.config as c\n"
        "c.load_settings({}, {'SESSION_PATH': '/s'}, cwd='/nonexistent', home='/nonexistent', "
        "system_config='/nonexistent/c')\n"
        "print(*{'yaml', 'difflib', 'json', 'tempfile', 'textwrap', 'rich', 'typer'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


# What to do about it


@pytest.mark.parametrize(
    "yaml",
    [
        "process: {systemd: bot@{company}.service}",
        "process:\n  pm2: {company}-bot\n",
        "bot_api: {status: GET /status/{company}}",
        "process: {pm2: {company}}",
    ],
)
def test_a_value_with_braces_that_yaml_takes_apart_is_to_be_quoted(load, yaml):
    (problem,) = problems_of(load, yaml=yaml)
    assert "quote values with braces" in problem


@pytest.mark.parametrize(
    ("yaml", "environ", "helps"),
    [
        ("cleanup: {sesion_max_age: 14d}", {}, False),
        ("cleanup: {flags: 14d}", {}, True),
        ("a: [b", {}, False),
        ("", {"BAILEYS_TOOLS_CLEANUP__SESSION_MAX_AGE": "14"}, False),
        ("", {"BAILEYS_TOOLS_NONSENSE": "14"}, True),
    ],
)
def test_the_list_of_all_settings_is_named_where_it_helps(load, yaml, environ, helps):
    with pytest.raises(ConfigError) as refused:
        load(yaml=yaml, environ=environ)
    assert ("docs/configuration.md" in refused.value.hint) == helps


# What single companies have of their own

OWN = """
bot_api: {preset: waha, url: "http://127.0.0.1:3000", timeout: 5s}
process: {pm2: bots}
companies:
  1002:
    bot_api: {url: "http://127.0.0.1:3002", name: shop.b}
    process: {pm2: "bot@{company}"}
  company_a.b:
    bot_api: {token: canary}
"""


def test_a_company_has_its_own_values_and_shares_the_others(load):
    settings = load(yaml=OWN).settings
    own = settings.for_company("1002")
    assert (own.bot_api.url, own.bot_api.name) == ("http://127.0.0.1:3002", "shop.b")
    assert (own.bot_api.preset, own.bot_api.timeout) == ("waha", timedelta(seconds=5))
    assert (own.process.pm2, settings.process.pm2) == ("bot@{company}", "bots")
    assert settings.for_company("1001") is settings
    assert settings.for_company("a.b").bot_api.token == Secret("canary")
    assert settings.bot_api.token is None


TEMPLATES = """
cleanup: {until: 200}
templates:
  busy:
    thresholds: {warning: 700, critical: 750, trigger: 800, emergency: 850, danger: 900}
    cleanup: {until: 150, device_lists: 30d}
  quiet: {cleanup: {until: off}, backup: {keep_last: 2}}
companies:
  "*": {notify: {webhook: "https://h/all"}}
  "shop-*": {use: busy}
  "shop-9*": {use: [busy, quiet], pre_keys: {keep: 40}}
  shop-7: {cleanup: {session_max_age: 20d}}
  shop-99: {use: [quiet, busy], cleanup: {until: 60}}
"""


def test_a_company_has_what_the_most_specific_key_says(load):
    settings = load(yaml=TEMPLATES).settings
    policies = {
        company: settings.for_company(company).policy for company in ("1", "shop-7", "shop-91", "shop-99")
    }
    assert {company: policy.gentle.until for company, policy in policies.items()} == {
        "1": 200,
        "shop-7": 150,
        "shop-91": None,
        "shop-99": 60,
    }
    assert [policy.thresholds.danger for policy in policies.values()] == [185, 900, 900, 900]
    assert policies["shop-7"].normal.session_max_age == timedelta(days=20)
    assert [policy.normal.pre_keys_keep for policy in policies.values()] == [50, 50, 40, 40]
    assert settings.for_company("shop-91").backup.keep_last == 2
    assert settings.for_company("1").notify.webhook == Secret("https://h/all")
    assert settings.tells_anybody
    assert not settings.notify.has_channel


def test_a_flag_is_stronger_than_what_companies_have_and_a_variable_is_not(load):
    environ = {"BAILEYS_TOOLS_CLEANUP__UNTIL": "99"}
    by_flag = load({"cleanup.until": "77"}, environ, yaml=TEMPLATES).settings
    assert {by_flag.for_company(one).cleanup.until for one in ("1", "shop-7", "shop-99")} == {77}
    by_variable = load({}, environ, yaml=TEMPLATES).settings
    assert [by_variable.for_company(one).cleanup.until for one in ("1", "shop-7")] == [99, 150]


def test_thousands_of_companies_of_their_own_take_no_time(load):
    lines = [f"  c{number}: {{cleanup: {{until: 60}}}}" for number in range(1_500)]
    settings = load(yaml="companies:\n" + "\n".join(lines)).settings
    assert {settings.for_company(f"c{number}").cleanup.until for number in range(1_500)} == {60}


def test_show_says_where_the_value_of_a_company_came_from(load):
    loaded = load(yaml=TEMPLATES)
    text = run_show(loaded, NOW, False, "shop-7")
    file = loaded.config_file
    rows = {
        line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines() if line.startswith("  ")
    }
    assert rows["device_lists"].startswith("30d") or "30d" in text
    assert f"{file}:6 (template busy, companies.shop-*)" in text
    assert f"{file}:12 (companies.shop-7)" in text
    assert "templates" not in text.splitlines()
    facts = json.loads(run_show(loaded, NOW, True, "shop-7"))["settings"]
    assert facts["cleanup.until"] == {"value": 150, "origin": f"{file}:6 (template busy, companies.shop-*)"}
    assert not [path for path in facts if path.startswith(("companies.", "templates."))]
    whole = run_show(loaded, NOW, False)
    assert "shop-9*.use  busy, quiet" in whole
    assert "busy.cleanup.device_lists  30d" in whole


def test_a_written_file_has_templates_and_companies_again(load, tmp_path):
    loaded = load(yaml=TEMPLATES)
    run_init(tmp_path / "again.yaml", False, loaded)
    again = load(yaml=(tmp_path / "again.yaml").read_text())
    assert again.settings == loaded.settings
    assert again.settings.companies == loaded.settings.companies
    assert list(again.settings.companies) == list(loaded.settings.companies)


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("companies: {1: {bot_api: {urll: x}}}", "companies.1.bot_api.urll: unknown setting"),
        ("companies: {1: {bot_api: {urll: x}}}", "did you mean url?"),
        (
            "companies: {1: {cleanup: {dry_run: yes}}}",
            "companies.1.cleanup.dry_run: it is one for all companies",
        ),
        (
            "companies: {1: {sessions: {path: /x}}}",
            "companies.1.sessions: a company has only cleanup, pre_keys",
        ),
        ("companies: {1: {threshold: {danger: 9}}}", "did you mean thresholds?"),
        ("companies: {1: {use: bussy}}\ntemplates: {busy: {}}", 'no template "bussy"'),
        ("companies: {1: {use: bussy}}\ntemplates: {busy: {}}", "did you mean busy?"),
        (
            "companies: {1: {use: [busy, nil]}}\ntemplates: {busy: {}}",
            'companies.1.use: there is no template "nil"',
        ),
        ("templates: {busy: {cleanup: {untill: 60}}}", "templates.busy.cleanup.untill: unknown setting"),
        ("templates: {busy: {cleanup: {until: 6}}}", "templates.busy.cleanup.until: 6 is below 20"),
        ("templates: {busy: {use: x}}", "templates.busy.use: a company has only"),
        ("templates: {busy: {use: x}}", "a template uses no other, so name both in the company"),
        ("companies: {1: {thresholds: {danger: 9}}}", "companies.1.thresholds.danger: 9"),
        ("template: {busy: {}}", "did you mean templates?"),
        ("companies: {'s-*': {process: {pm2: x}}, s-1: {process: {systemd: y}}}", "companies.s-1.process: "),
        ("companies: {1: {bot_api: {url: nowhere}}}", 'companies.1.bot_api.url: "nowhere" is not an address'),
        ("companies: {../x: {process: {pm2: x}}}", "is not a company id"),
        ("companies: {1: yes}", "companies.1: has to be a section"),
        ("companies: [1]", "companies: has to be a section"),
        ("companies: {1: {process: yes}}", "companies.1.process: has to be a section"),
    ],
)
def test_what_a_company_cannot_have_is_refused(load, yaml, problem):
    assert any(problem in found for found in problems_of(load, yaml=yaml))


def test_the_token_of_a_company_comes_from_a_file_as_well(load, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("canary\n")
    own = load(yaml=f"companies: {{7: {{bot_api: {{token_file: {secret}}}}}}}").settings.for_company("7")
    assert own.bot_api.token == Secret("canary")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("GET /s/{company}", {"method": "GET", "path": "/s/{company}"}),
        (
            '{"request": "POST /s", "body": {"to": "{number}", "n": 1}, "ok": "sent"}',
            {"method": "POST", "path": "/s", "body": {"to": "{number}", "n": 1}, "ok": "sent"},
        ),
        (
            {"request": "POST /s", "body": '{"wait": false}', "code": "data.qr"},
            {"method": "POST", "path": "/s", "body": {"wait": False}, "code": "data.qr"},
        ),
    ],
)
def test_a_request_is_read_from_a_line_json_or_a_mapping_and_shown_as_it_is_read(raw, value):
    read = ENDPOINT.read(raw, str)
    assert read == value
    assert ENDPOINT.read(ENDPOINT.show(read), str) == value


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("/status", "is not a request"),
        ("DELETE /status", "is not a request"),
        ("GET status", "is not a request"),
        ("GET http://other/x", "is not a request"),
        ({"body": {}}, "nothing is not a request"),
        ("GET /ü", "is not a path"),
        ("GET /{tenant}", "invalid placeholder {tenant}: it has to be one of {company}, {number}, {message}"),
        (
            {"request": "POST /x", "body": {"a": ["{phone}"]}},
            "invalid placeholder {phone}: it has to be one of",
        ),
        ({"request": "POST /x", "body": "{no json"}, "is not valid JSON"),
        ({"request": "GET /x", "connected": "a..b"}, "is not a JMESPath expression"),
        ({"request": "GET /x", "conected": "a"}, 'invalid key "conected": it has to be one of'),
        (["GET /x"], "a list is not a request"),
    ],
)
def test_what_is_no_request_is_refused(raw, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        ENDPOINT.read(raw, str)


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:3000", "ftp://x", "http://", "http://a:b@c", "http://a?b", "http://a b", "http://a:99999"],
)
def test_what_is_no_address_of_an_api_is_refused(url):
    with pytest.raises(ValueError, match=r"address|has a") as refused:
        URL.read(url, str)
    assert "a:b" not in str(refused.value)


def test_the_rules_of_a_name_go_on_when_a_namesake_comes(tmp_path):
    """Whoever makes a folder of that name in another root changes nobody's limits, and gets nobody's bot."""
    yaml = "companies: {1001: {cleanup: {session_max_age: 60d}, process: {pm2: a}, bot_api: {name: x}}}"
    (tmp_path / "c.yaml").write_text(yaml)
    settings = load_settings({}, {}, config=str(tmp_path / "c.yaml"), cwd=str(tmp_path)).settings
    for company in ("1001", "1001@a", "1001@b"):
        assert settings.for_company(company).cleanup.session_max_age == timedelta(days=60)
    assert settings.for_company("1001").process.pm2 == "a"
    assert settings.for_company("1001@b").process.pm2 is None
    assert settings.for_company("1001@b").bot_api == settings.bot_api
    assert settings.for_company("10012@a") is settings
