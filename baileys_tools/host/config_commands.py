"""`config show`, `config check` and `config init`. Each returns the text to print."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import wrap
from typing import Any

from baileys_tools.config import ConfigError, LoadedSettings, Secret, Settings, load_settings
from baileys_tools.config.describe import as_yaml, commented_file
from baileys_tools.config.host import CONFIG_VARIABLE, Surroundings, named_config, own_config
from baileys_tools.config.kinds import SCHEDULE, valid_company_id
from baileys_tools.config.load import build
from baileys_tools.config.log_kinds import LogFile
from baileys_tools.config.near_misses import near_misses
from baileys_tools.config.root_kinds import ROOTS, plain_root
from baileys_tools.config.schema import SCHEMA
from baileys_tools.config.section import OF_COMPANY, OF_TEMPLATE, Setting
from baileys_tools.config.unread import unread_secrets
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError, why
from baileys_tools.findings import Finding, exit_code_for, worst
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import place_meant, require_known
from baileys_tools.frame.pings import ping_warnings
from baileys_tools.frame.places import require_places, settings_read, unwise
from baileys_tools.frame.show.json_text import envelope, name_text
from baileys_tools.frame.show.terminal import WIDTH, wrapped
from baileys_tools.host.config_mistakes import mistakes
from baileys_tools.host.config_unmatched import unmatched
from baileys_tools.layouts import RootSpec
from baileys_tools.pasted import command
from baileys_tools.snapshots.rules.backup_findings import repository_findings
from baileys_tools.trust import doubt_of
from baileys_tools.units import counted, printable, some_of

NO_FILE = "none found"
_HISTORY = timedelta(days=30)


def run_show(loaded: LoadedSettings, now: datetime, as_json: bool, company: str = "") -> str:
    """Given the settings in force, return every value with where it came from, secrets masked. With a company, what is
    in force for it."""
    if company:
        loaded = of_company(loaded, company)
    if as_json:
        return envelope("config show", now, ExitCode.DONE, show_facts(loaded, company))
    lines = [f"settings file: {printable(loaded.config_file or NO_FILE)}"]
    lines += [f"company: {printable(company)}"] if company else []
    for name, section in SCHEMA.sections.items():
        lines += ["", name]
        rows = [_row(setting, loaded) for setting in section.declared.values()]
        key_width = max(len(key) for key, _, _ in rows)
        value_width = max((len(value) for _, value, _ in rows if len(value) <= 24), default=0)
        for key, value, origin in rows:
            line = f"  {key:{key_width}}  {value:{value_width}}  {origin}"
            if len(line) > WIDTH:
                line = f"  {key:{key_width}}  {value}\n  {'':{key_width}}  {origin}"
            lines.append(line)
    for prefix in (OF_TEMPLATE, OF_COMPANY):
        own = [path for path in loaded.values if path.startswith(prefix)]
        lines += ["", prefix[:-1]] if own else []
        for path in own:
            value = printable(_shown(SCHEMA.setting(path), loaded.values[path]))
            lines.append(
                f"  {printable(path.removeprefix(prefix))}  {value}  {printable(loaded.origin[path])}"
            )
    return "\n".join(lines)


def of_company(loaded: LoadedSettings, company: str) -> LoadedSettings:
    """Return the settings as they are in force for a company, each with where it came from."""
    from baileys_tools.config.companies import key_in, own_values

    is_own = (OF_COMPANY, OF_TEMPLATE)
    values = {path: value for path, value in loaded.values.items() if not path.startswith(is_own)}
    origin = {path: where for path, where in loaded.origin.items() if not path.startswith(is_own)}
    own = own_values(loaded.values)
    for key, path, there in own.own_of(valid_company_id(company)):
        values[path] = loaded.values[there]
        by = f"template {key_in(there)}, " if there.startswith(OF_TEMPLATE) else ""
        origin[path] = f"{loaded.origin[there]} ({by}companies.{key})"
    return loaded._replace(values=values, origin=origin)


def _row(setting: Setting, loaded: LoadedSettings) -> tuple[str, str, str]:
    value = _shown(setting, loaded.values[setting.path]) or setting.default_text
    return setting.key, printable(value), printable(loaded.origin[setting.path])


def _shown(setting: Setting, value: object) -> str:
    return setting.show(value if value is None else setting.kind.conceal(value))


def show_facts(loaded: LoadedSettings, company: str) -> dict[str, Any]:
    """Return what `config show --json` prints: values as a settings file has them, secrets masked."""
    settings = {
        path: {"value": _plain(SCHEMA.setting(path), value), "origin": loaded.origin[path]}
        for path, value in sorted(loaded.values.items())
    }
    file = name_text(loaded.config_file) if loaded.config_file else None
    return {"config_file": file, "company": name_text(company) or None, "settings": settings}


def _plain(setting: Setting, value: object) -> object:
    value = value if value is None else setting.kind.conceal(value)
    if isinstance(value, timedelta | Secret):
        return setting.show(value)
    if isinstance(value, LogFile):
        return setting.show((value,))
    if isinstance(value, RootSpec):
        return plain_root(value)
    return (
        [_plain(setting, item) if not isinstance(item, Secret) else str(item) for item in value]
        if isinstance(value, tuple)
        else value
    )


def run_check(loaded: LoadedSettings) -> tuple[str, ExitCode]:
    """Given settings that loaded without an error, return what is still worth a word, and WARNING if any is.

    Errors never come this far: loading raises them all as one ConfigError. Raises UsageError for paths that lead
    where nothing may be written.
    """
    require_places(loaded)
    if found := mistakes(loaded):
        raise ConfigError(found)
    warnings = file_warnings(loaded.config_file, loaded.origin) if loaded.config_file else []
    warnings += near_misses(os.environ)
    warnings += unread_secrets(loaded)
    warnings += [f"{one.name}: {one.why}" for one in unwise(loaded)]
    warnings += unmatched(loaded)
    from baileys_tools.alerts.channels_of import notify_warnings

    of_all = notify_warnings(loaded.settings.notify)
    warnings += of_all + ping_warnings(loaded.settings.ping)
    of_some: dict[str, list[str]] = {}
    for key in loaded.settings.companies.those_with("notify"):
        for warning in notify_warnings(loaded.settings.for_company(key).notify):
            of_some.setdefault(warning, []).append(f"companies.{key}")
    warnings += [f"{some_of(keys)}: {one}" for one, keys in of_some.items() if one not in of_all]
    tried: list[str] = []
    if any(root.store for root in loaded.settings.sessions.roots):
        from baileys_tools.host.stores_found import stores_found

        for store in stores_found(loaded.settings):
            tried += [f"{store.address}: {line}" for line in store.lines]
            told = (f"{store.address}: {warning}" for warning in store.warnings)
            warnings += [one for one in told if f"cannot open {one}" not in warnings]
    backup = loaded.settings.backup
    findings = repository_findings(backup.path, backup.recipients, backup.copies, backup.identity_file)
    lines = [
        "The settings are valid.",
        f"settings file: {printable(loaded.config_file or NO_FILE)}",
        *map(printable, tried),
        *(f"warning: {printable(warning)}" for warning in warnings),
        *(line for finding in findings for line in _finding_lines(finding)),
    ]
    return "\n".join(lines), ExitCode.WARNING if warnings else exit_code_for(worst(findings))


def _finding_lines(finding: Finding) -> list[str]:
    text = f"{finding.severity}: {finding.message}. {finding.action}"
    return wrapped(text, WIDTH, "", "  ")


def file_warnings(file: str, origin: Mapping[str, str], secrets: frozenset[str] | None = None) -> list[str]:
    """Given the settings file and the origins, say who else can read the secrets in it."""
    if secrets is None:
        files = {found.target for found in SCHEMA.settings.values() if found.target != found.path}
        secrets = frozenset(path for path in origin if SCHEMA.setting(path).path in files)
    # /etc/x.yaml:12 holds the secret itself, /etc/x.yaml:12 (token_file) only where it is.
    held = [
        path
        for path in sorted(secrets)
        if origin[path].rpartition(":")[0] == file and origin[path][-1] != ")"
    ]
    if held and os.stat(file).st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return [f"{file} holds {', '.join(held)} and can be read by others: {command('chmod 600 {}', file)}"]
    return []


def run_init(path: Path, force: bool, loaded: LoadedSettings | None = None) -> str:
    """Write a settings file, mode 0600, with what is in force and every other setting in a comment; return what was
    done.

    A secret that only the environment knows is not written. Raise UsageError when the file exists and `force` is
    not given (with it, the file is replaced), and for a place where no command would obey it.
    """
    require_obeyed(path)
    given, left_out = _in_force(loaded) if loaded is not None else ({}, [])
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} already exists.", "Use --force to replace it.")
    proposed = [*_with_proposed_roots(given, loaded), *_proposed_until(loaded)] if loaded is not None else []
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(path, commented_file(given))
    except OSError as error:
        raise BaileysToolsError(f"Cannot write {path}: {error.strerror}.") from error
    rest = "Every other setting is in a comment." if given else "Every setting is in a comment."
    lines = [f"Wrote {printable(str(path))}. {rest}", *(f"  in force   {key}" for key in given), *proposed]
    for secret in left_out:
        lines += wrap(f"  left out   {secret}", WIDTH, subsequent_indent=" " * 13, break_on_hyphens=False)
    return "\n".join(lines)


def _with_proposed_roots(given: dict[str, str], loaded: LoadedSettings) -> list[str]:
    """Put roots that find all session folders into what is written; return what is to be said of it."""
    from baileys_tools.host.rules.sessions_found import SessionsFound
    from baileys_tools.host.sessions_found import find_sessions

    if loaded.settings.sessions.where is None:
        return []
    try:
        found: SessionsFound = find_sessions(loaded)
    except BaileysToolsError:
        return []
    if not found.proposed:
        return []
    given.pop("sessions.path", None)
    given["sessions.roots"] = ROOTS.show(tuple(found.settings))
    more = sum(one.number for one in found.proposed)
    return [
        f"  proposed   sessions.roots, for {counted(more, 'session folder')}; look: baileys-tools sessions"
    ]


def _proposed_until(loaded: LoadedSettings) -> list[str]:
    """Return a number for `cleanup.until` in words, where every folder has had room for it by what the state knows."""
    from baileys_tools.host.rules.small_folders import Size, until_proposed
    from baileys_tools.sessions.rules.keyfiles import KEYS_BY_AGE
    from baileys_tools.state.database import open_state
    from baileys_tools.state.observations import history, observed_companies

    settings, now = loaded.settings, datetime.now(UTC)
    if settings.cleanup.until is not None or not os.path.isdir(settings.state.dir):
        return []
    with open_state(settings.state.dir, now) as state:
        since = now - _HISTORY
        histories = [
            [
                Size(look.at, look.counted, sum(look.by_kind.get(kind, 0) for kind in KEYS_BY_AGE))
                for look in history(state, company, since)
            ]
            for company in observed_companies(state, since)
        ]
    found = until_proposed(histories, settings.thresholds.warning)
    if found is None:
        return []
    text = (
        f"  proposed   cleanup.until: {found.until}: in {counted(found.days, 'day')} no folder had more than "
        f"{found.most:,} files that can go. With it fewer messages are late; baileys-tools policy try says how many"
    )
    return wrap(text, WIDTH, subsequent_indent=" " * 13, break_on_hyphens=False)


def require_obeyed(path: str | Path) -> None:
    """Raise UsageError for a file with settings or a secret that is to be written where no command would use it."""
    try:
        doubt = doubt_of(os.path.dirname(os.path.abspath(path)))[0]
    except OSError as error:
        raise BaileysToolsError(f"Cannot write {path}: {why(error)}.") from error
    if doubt is not None:
        raise UsageError(
            f"{path} would not be obeyed: {doubt.why}",
            "Do this as the user who is to use it (sudo -u USER baileys-tools ...), or name a place in "
            "/etc/baileys-tools.",
        )


def _in_force(loaded: LoadedSettings) -> tuple[dict[str, str], list[str]]:
    """Return the settings that are not at their default, as YAML by path, and which secrets are not among them."""
    given: dict[str, str] = {}
    left_out: list[str] = []
    for path, value in loaded.values.items():
        setting, origin = SCHEMA.setting(path), loaded.origin[path]
        if origin == "default":
            continue
        if path in loaded.secret_files:
            given[f"{path}_file"] = as_yaml(loaded.secret_files[path])
        elif setting.kind.is_secret and origin.startswith("environment "):
            left_out.append(f"{path}: a secret ({origin}); {setting.key}_file can name a file that holds it")
        else:
            given[path] = _yaml(setting, value)
    return given, left_out


def _yaml(setting: Setting, value: object) -> str:
    if setting.kind is ROOTS:
        return setting.show(value)
    if isinstance(value, tuple):
        # One by one: a comma within an item is no end of it.
        shown = (item.reveal() if isinstance(item, Secret) else setting.show((item,)) for item in value)
        return f"[{', '.join(map(json.dumps, shown))}]"
    text = value.reveal() if isinstance(value, Secret) else setting.show(value)
    return text if setting.kind is SCHEDULE else as_yaml(text)


def _write_private(path: Path, text: str) -> None:
    # mkstemp makes files 0600 from birth, whatever the umask.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def show_command(given: CommandLine, *, company: str | None = None) -> ExitCode:
    """Given the command line, print the settings in force."""
    loaded = settings_read(given.flags, given.config)
    if company:
        # Of a name that several places have no one set of settings is in force; one that they name may yet come.
        place_meant(loaded.settings, company)
        if company not in loaded.settings.companies:
            require_known(loaded.settings, [company])
    try:
        text = run_show(loaded, datetime.now(UTC), given.as_json, company or "")
    except ValueError as error:
        raise UsageError(f"--company: {error}") from error
    print(text)
    return ExitCode.DONE


def _loaded_to_check(config: str | None) -> LoadedSettings:
    """Load the settings. Raise ConfigError with all that is wrong, also of what can be read beside what cannot."""
    try:
        return settings_read({}, config)
    except ConfigError as error:
        if error.rest is None:
            raise
        values, origin = error.rest
        rest = LoadedSettings(build(SCHEMA, Settings, values), origin, None, values, {})
        raise ConfigError([*error.problems, *mistakes(rest)]) from None


def check_command(config: str | None) -> ExitCode:
    """Given the command line, print what is wrong or unwise about the settings."""
    text, code = run_check(_loaded_to_check(config))
    print(text)
    return code


def init_command(path: str | None, *, force: bool, flags: Mapping[str, object] | None = None) -> ExitCode:
    """Given the command line, write a settings file."""
    host = Surroundings(os.environ)
    named = named_config(host)
    place = path or named or own_config(host)
    # The file that it names may be the one to be made.
    is_there = named is None or os.path.exists(named)
    environ = {name: text for name, text in os.environ.items() if is_there or name != CONFIG_VARIABLE}
    print(run_init(Path(place), force, load_settings(flags or {}, environ)))
    return ExitCode.DONE
