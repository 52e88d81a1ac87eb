"""Finds the values of all settings: flags over environment over the settings file over defaults.

Every source is checked whole, also where a stronger one wins, and everything wrong is reported at once.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.config.companies import Owners, Standing, is_typed, own_values, stronger_flags
from baileys_tools.config.host import (
    CONFIG_VARIABLE,
    NOT_OBEYED,
    OUR_OWN_VARIABLES,
    OWN_PREFIX,
    SYSTEM_CONFIG,
    Surroundings,
    default_state_dir,
    find_config,
)
from baileys_tools.config.kinds import SECRETS, Absolute, NoSecret, UnreadSecret, valid_company_id
from baileys_tools.config.root_kinds import with_places
from baileys_tools.config.schema import ASCENDING, SCHEMA, Settings
from baileys_tools.config.section import OF_COMPANY, OF_TEMPLATE, USE, Schema, Setting
from baileys_tools.config.together import of_companies_together, out_of_order, two_managers
from baileys_tools.errors import UsageError
from baileys_tools.units import did_you_mean, printable, quoted

if TYPE_CHECKING:
    from baileys_tools.config.yaml_file import Node

RAILWAY_SESSIONS = "/app/persistent-session"
RAILWAY_VARIABLES = ("RAILWAY_PROJECT_ID", "RAILWAY_PROJECT_NAME")
MOST_PROBLEMS_SHOWN = 25
LONGEST_PROBLEM_SHOWN = 400


class ConfigError(UsageError):
    """Settings that cannot be meant. `problems` has a line for each, `rest` the values and origins that can be."""

    def __init__(self, problems: list[str], rest: tuple[Any, dict[str, str]] | None = None) -> None:
        self.rest = rest
        self.problems = tuple(printable(problem[:LONGEST_PROBLEM_SHOWN]) for problem in problems)
        shown = [*self.problems[:MOST_PROBLEMS_SHOWN]]
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more")
        heading = "" if len(problems) == 1 else f"{len(problems)} errors in the settings:\n  "
        super().__init__(heading + "\n  ".join(shown), _hint(self.problems))


def _hint(problems: Iterable[str]) -> str:
    """What else helps: where a name is unknown and nothing near it is known, all that there are."""
    if any(f": {NOT_OBEYED}: " in problem for problem in problems):
        return "Whoever can write it decides what this command does: docs/security.md has who may, and how to mend it."
    lost = any(": unknown " in problem and "; did you mean" not in problem for problem in problems)
    return "docs/configuration.md lists every setting." if lost else ""


class LoadedSettings(NamedTuple):
    """The settings, where each came from by dotted path, and the settings file that was read, if any.

    `secret_files` has the file of each secret that one was named for.
    """

    settings: Settings
    origin: Mapping[str, str]
    config_file: str | None
    values: Mapping[str, Any]
    secret_files: Mapping[str, str] = {}


class _Given:
    """One value that one source gives for one setting."""

    __slots__ = ("absolute", "of_company", "origin", "raw", "setting")

    def __init__(
        self, setting: Setting, raw: object, origin: str, absolute: Absolute, of_company: str = ""
    ) -> None:
        self.of_company = of_company
        self.setting = setting
        self.raw = raw
        self.origin = origin
        self.absolute = absolute


def load_settings(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    config: str | None = None,
    cwd: str | None = None,
    home: str | None = None,
    euid: int | None = None,
    system_config: str = SYSTEM_CONFIG,
) -> LoadedSettings:
    """Given flags by dotted setting path (None: not given) and the environment, return all settings.

    `config` is the file of --config; the others stand in for the host. Raise ConfigError with all that is wrong.
    """
    host = Surroundings(environ, cwd, home, euid, system_config)
    values, origin, file, secret_files = resolve(SCHEMA, flags, host, config)
    values["sessions.roots"] = with_places(values["sessions.roots"], values["state.dir"])
    if not is_typed("sessions.companies", origin):
        values["sessions.companies"] = Standing(values["sessions.companies"])
    return LoadedSettings(build(SCHEMA, Settings, values), origin, file, values, secret_files)


def resolve(
    schema: Schema, flags: Mapping[str, object], host: Surroundings, config: str | None = None
) -> tuple[dict[str, Any], dict[str, str], str | None, dict[str, str]]:
    """Given a schema and its sources, return values and origins by path, the file read, and the files of secrets."""
    secret_files: dict[str, str] = {}
    problems: list[str] = []
    wrong: set[str] = set()
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    file, content = find_config(host, config, problems)
    sources = (
        _from_flags(schema, flags, host),
        _from_environment(schema, host, problems),
        _from_file(schema, host, file, content, problems) if file is not None else (),
        _from_host(schema, host),
    )
    strength: dict[str, int] = {}
    for rank, item in ((rank, item) for rank, source in enumerate(sources) for item in list(source)):
        try:
            value = _checked(item)
        except NoSecret as error:
            # Who does not need it goes on without; who does says this.
            unread = UnreadSecret(f"{item.of_company}{item.setting.path}: {error} ({item.origin})")
            value = (unread,) if schema.settings[item.setting.target].kind is SECRETS else unread
        except ValueError as error:
            where = USE if item.setting is schema.use else item.setting.path
            problems.append(f"{item.of_company}{where}: {error} ({item.origin})")
            wrong.add(item.setting.path)
            continue
        target = item.of_company + (USE if item.setting is schema.use else item.setting.target)
        if target not in values:
            values[target], strength[target] = value, rank
            by_file = item.setting.path != item.setting.target
            origin[target] = f"{item.origin} ({item.setting.key})" if by_file else item.origin
            if by_file:
                secret_files[target] = item.absolute(str(item.raw))
    for weaker in _said_by_a_stronger(strength):
        del values[weaker]
    for path, setting in schema.settings.items():
        if setting.target == path and path not in values:
            values[path], origin[path] = setting.default, "default"
    together = [*two_managers(values, origin)]
    if in_order := wrong.isdisjoint(path for ladder in ASCENDING for path in ladder):
        together = [*out_of_order(schema, values, origin), *together]
    problems += [one.told for one in together]
    if in_order:
        stronger_flags(values, origin)
        problems += of_companies_together(schema, values, origin)
    if problems:
        raise ConfigError(problems, (values, origin))
    return values, origin, file, secret_files


def _said_by_a_stronger(strength: Mapping[str, int]) -> Iterator[str]:
    """Where the sessions are is one question with two settings: the answer of the stronger source is the whole one."""
    ranks = {path: strength[path] for path in ("sessions.path", "sessions.roots") if path in strength}
    for path, rank in ranks.items():
        if rank > min(ranks.values()):
            yield path


def build(schema: Schema, root: Any, values: Mapping[str, Any]) -> Any:
    """Given values by dotted path, return the typed settings object."""
    by_section: dict[str, dict[str, Any]] = {name: {} for name in schema.sections}
    for path, value in values.items():
        if not path.startswith((OF_COMPANY, OF_TEMPLATE)):
            section, _, key = path.partition(".")
            by_section[section][key] = value
    sections = {name: section(**by_section[name]) for name, section in schema.sections.items()}
    if not schema.per_company:
        return root(**sections)
    own = own_values(values).items()
    companies = {key: {path: values[where] for path, where in paths.items()} for key, paths in own}
    return root(**sections, companies=Owners(companies))


def require_sessions_path(loaded: LoadedSettings) -> str:
    """Return the sessions path with all its roots. Raise UsageError, saying how to give one, when there is none."""
    where = loaded.settings.sessions.where
    if where is None:
        from baileys_tools.config.near_misses import no_sessions_path

        raise no_sessions_path(os.environ)
    return where


def require_backup_path(loaded: LoadedSettings) -> str:
    """Return the absolute path of the backup repository. Raise UsageError when there is none."""
    if loaded.settings.backup.path is None:
        raise UsageError(
            "No backup repository is given: where do snapshots go?",
            "Give it in one of two ways:\n"
            "  environment    BAILEYS_TOOLS_BACKUP_PATH=/path/to/backups\n"
            "  settings file  backup: {path: /path/to/backups}",
        )
    return loaded.settings.backup.path


def _from_flags(schema: Schema, flags: Mapping[str, object], host: Surroundings) -> Iterator[_Given]:
    absolute = host.absolute_from(host.cwd)
    for path, value in flags.items():
        setting = schema.settings[path]
        if value is not None and value != () and value != []:
            yield _Given(setting, value, f"flag {setting.flag_for(value)}", absolute)


def _from_environment(schema: Schema, host: Surroundings, problems: list[str]) -> Iterator[_Given]:
    absolute = host.absolute_from(host.cwd)
    known = {name: setting for setting in schema.settings.values() for name in setting.env}
    for name, setting in known.items():
        # Empty means not given, as compose files write ${SESSION_PATH:-}.
        if text := host.environ.get(name):
            yield _Given(setting, text, f"environment {name}", absolute)
    own = {name.removeprefix(OWN_PREFIX) for name in (*known, CONFIG_VARIABLE) if name.startswith(OWN_PREFIX)}
    own |= {name.removeprefix(OWN_PREFIX) for name in OUR_OWN_VARIABLES}
    for name in host.environ:
        word = name.removeprefix(OWN_PREFIX)
        if word != name and word not in own:
            problems.append(f"{name}: unknown environment variable{did_you_mean(word, own, OWN_PREFIX)}")


def _from_file(
    schema: Schema, host: Surroundings, file: str, content: bytes, problems: list[str]
) -> Iterator[_Given]:
    from baileys_tools.config.yaml_file import read_yaml

    top, wrong = read_yaml(file, content)
    problems += wrong
    absolute = host.absolute_from(os.path.dirname(file))
    if schema.per_company:
        yield from _of_companies(schema, file, top.value, absolute, problems)
    for name, section in top.value.items():
        if name in ("companies", "templates") and schema.per_company:
            continue
        if name not in schema.sections:
            meant = _meant(schema, "", name, problems)
            problems.append(f"{name}: unknown section in {file}:{section.line}{meant}")
        elif isinstance(section.value, dict):
            for key, node in section.value.items():
                setting = schema.settings.get(f"{name}.{key}")
                if setting is None:
                    meant = _meant(schema, name, key, problems)
                    problems.append(f"{name}.{key}: unknown setting in {file}:{node.line}{meant}")
                elif node.value is not None:
                    yield _Given(setting, node.plain(), f"{file}:{node.line}", absolute)
        elif isinstance(section.value, list) and (key := schema.sections[name].list_key):
            setting = schema.settings[f"{name}.{key}"]
            yield _Given(setting, section.plain(), f"{file}:{section.line}", absolute)
        elif section.value is not None:
            problems.append(f"{name}: has to be a section with settings of its own ({file}:{section.line})")


def _of_companies(
    schema: Schema, file: str, top: Mapping[str, "Node"], absolute: Absolute, problems: list[str]
) -> Iterator[_Given]:
    """What single companies have of their own: `companies: {1001: {use: busy, process: {pm2: shop}}}`."""
    templates = [name for name, _ in _pairs(top.get("templates"), file, "templates", [])]
    for kind in ("templates", "companies"):
        for key, section in _pairs(top.get(kind), file, kind, problems):
            try:
                prefix = f"{kind}.{valid_company_id(key)}."
            except ValueError as error:
                problems.append(f"{kind}: {error} ({file}:{section.line})")
                continue
            for name, keys in _pairs(section, file, prefix[:-1], problems):
                if name == USE and kind == "companies":
                    yield from _used(schema, file, keys, templates, absolute, prefix, problems)
                elif name not in schema.per_company:
                    meant = (
                        "; a template uses no other, so name both in the company: use: [a, b]"
                        if name == USE
                        else did_you_mean(name, (*schema.per_company, USE))
                    )
                    known = ", ".join(schema.per_company)
                    problems.append(
                        f"{prefix}{name}: a company has only {known} of its own ({file}:{keys.line}){meant}"
                    )
                else:
                    yield from _of_section(schema, file, name, keys, absolute, prefix, problems)


def _used(
    schema: Schema,
    file: str,
    node: "Node",
    templates: Sequence[str],
    absolute: Absolute,
    prefix: str,
    problems: list[str],
) -> Iterator[_Given]:
    names = node.value if isinstance(node.value, list) else [node] if node.value is not None else []
    for one in names:
        if isinstance(one.value, str) and one.value not in templates:
            meant = did_you_mean(one.value, templates)
            problems.append(
                f"{prefix}{USE}: there is no template {quoted(one.value)} ({file}:{one.line}){meant}"
            )
    if names:
        yield _Given(schema.use, node.plain(), f"{file}:{node.line}", absolute, prefix)


def _of_section(
    schema: Schema,
    file: str,
    name: str,
    keys: "Node",
    absolute: Absolute,
    prefix: str,
    problems: list[str],
) -> Iterator[_Given]:
    for key, value in _pairs(keys, file, f"{prefix}{name}", problems):
        setting = schema.settings.get(f"{name}.{key}")
        if setting is None:
            meant = _meant(schema, name, key, problems)
            problems.append(f"{prefix}{name}.{key}: unknown setting in {file}:{value.line}{meant}")
        elif setting.for_all:
            problems.append(f"{prefix}{name}.{key}: it is one for all companies ({file}:{value.line})")
        elif value.value is not None:
            yield _Given(setting, value.plain(), f"{file}:{value.line}", absolute, prefix)


def _pairs(node: "Node | None", file: str, path: str, problems: list[str]) -> Iterator[tuple[str, "Node"]]:
    if node is None:
        return
    if isinstance(node.value, dict):
        yield from node.value.items()
    elif node.value is not None:
        problems.append(f"{path}: has to be a section with settings of its own ({file}:{node.line})")


def _from_host(schema: Schema, host: Surroundings) -> Iterator[_Given]:
    absolute = host.absolute_from(host.cwd)
    railway = [name for name in RAILWAY_VARIABLES if host.environ.get(name)]
    if sessions := schema.settings.get("sessions.path"):
        yield from (_Given(sessions, RAILWAY_SESSIONS, f"environment {name}", absolute) for name in railway)
    if state := schema.settings.get("state.dir"):
        yield _Given(state, default_state_dir(host), "default", absolute)


def _checked(item: _Given) -> Any:
    setting = item.setting
    value = setting.kind.read(item.raw, item.absolute)
    if setting.at_least is not None and value is not None and value < setting.at_least:
        floor = setting.show(setting.at_least)
        raise ValueError(f"{setting.show(value)} is below {floor}, the floor that no setting goes below")
    return value


def _meant(schema: Schema, section: str, key: str, problems: list[str]) -> str:
    if len(problems) > MOST_PROBLEMS_SHOWN:
        # Nobody will see it, and ten thousand guesses take longer than everything else.
        return ""
    keys = {name: name.partition(".")[2] for name in schema.settings}
    siblings = [known for name, known in keys.items() if name.startswith(f"{section}.")]
    # Also a known key in the wrong section, or written with its dot.
    elsewhere = [name for name, known in keys.items() if known == key.rpartition(".")[2]]
    guess = did_you_mean(key, siblings if section else [*schema.sections, "companies", "templates"])
    return guess or (f"; did you mean {elsewhere[0]}?" if elsewhere else "")
