"""The schema as people read it: a commented settings file, and docs/configuration.md.

`python -m baileys_tools.config.describe > docs/configuration.md` writes the page anew.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from inspect import cleandoc

from baileys_tools.config.companies import key_in
from baileys_tools.config.schema import SCHEMA
from baileys_tools.config.section import OF_COMPANY, OF_TEMPLATE, USE, Schema, Section, Setting

_FILE_HEADING = """\
# Settings of baileys-tools. Each line that is commented out shows its default:
# take away the # in front of a setting to change it. The others were in force
# when this file was written.
#
# A flag is stronger than an environment variable, which is stronger than this
# file. Times are written like 14d, 36h, 90m or 1d12h. Paths are relative to the
# folder of this file. 'baileys-tools config show' says what is in force.
"""

_PAGE_HEADING = """\
# Configuration

Every setting has a default, so that `baileys-tools cleanup --sessions PATH` needs no configuration. A value
given in more than one place is taken from the first of:

1. a **flag**,
2. an **environment variable**,
3. a **settings file** in YAML: the one that `--config` names, else the one that `BAILEYS_TOOLS_CONFIG` names,
   else the first that exists of `~/.config/baileys-tools/config.yaml` (under `XDG_CONFIG_HOME` when that is set),
   `/etc/baileys-tools/config.yaml` and `./baileys-tools.yaml`,
4. the **default**.

`baileys-tools config init` writes a settings file with what is in force now, but for secrets that only a
variable holds, and every other setting in a comment. `config check` looks for mistakes, and `config show`
prints every value with where it came from.

Mistakes are errors, never ignored, and all of them are reported at once: unknown settings and unknown
`BAILEYS_TOOLS_...` variables, values of the wrong type, values below a floor, a named file that does not
exist. A value is checked also when a stronger source overrides it. A settings file, or a file with a secret, that
others than the caller and root can have written is refused by every command ([security.md](security.md)).

## Values

- **Durations**: `14d`, `36h`, `90m`, `1d12h`, `2w`, `0`. `m` is minutes.
- **Switches**: `true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0`.
- **Paths**: `~` is the home folder. A relative path in a settings file starts at that file's folder, any
  other at the working folder.
- **Lists**: a YAML list, or words with commas between them.
- **Requests**: `GET /status/{company}`, or a mapping (in a variable: JSON), as `bot_api` below says.
- An empty environment variable, and `null` in the file, count as not given.
- The file is plain YAML: anchors, aliases, merge keys and tags are refused, as is a file over 1 MiB.

## Settings
"""

_PAGE_END = """\
## Single companies

In the settings file, a company can have values of its own for PER_COMPANY.
The others hold for all that have none. What is marked "For all companies." above is one for all. Values that several
companies share are a template, and a key may be a pattern of ids:

```yaml
bot_api: {preset: ai-admin, url: "http://127.0.0.1:3000"}
templates:
  busy:
    thresholds: {warning: 700, critical: 750, trigger: 800, emergency: 850, danger: 900}
    cleanup: {keep_own_keys: true}
companies:
  "shop-*": {use: busy}
  shop-7:
    cleanup: {until: 150}
  1002:
    use: [busy]
    bot_api: {url: "http://127.0.0.1:3002", name: bakery}
    process: {pm2: "bot-{company}"}
```

For each setting the most specific key that gives it wins: an id before any pattern, and of two patterns (`*`, `?`,
`[0-9]`) the one with more letters of its own. Within one key its own values win over those of its templates, and a
later template over an earlier one. So `shop-7` has the thresholds of `busy` and an `until` of its own. A flag on the
command line is stronger than all of them, a variable is weaker. `config show --company ID` says what is in force for a
company, and where it came from.

## Environment

Every setting can be given as `BAILEYS_TOOLS_<SECTION>__<KEY>`, with two underscores between the two:
`BAILEYS_TOOLS_PRE_KEYS__KEEP=80`. Besides, these are read, as bots and their operators already have them,
the stronger first where there are two for one setting:

"""

_ENVIRONMENT_END = """\
| `BAILEYS_TOOLS_CONFIG` | the settings file |
| `RAILWAY_PROJECT_ID`, `RAILWAY_PROJECT_NAME` | `sessions.path` is `/app/persistent-session` unless given |
"""


def commented_file(given: Mapping[str, str] = {}, schema: Schema = SCHEMA) -> str:
    """Return a settings file: every section, and every setting in a comment but those `given`, as YAML by path."""
    parts = [_FILE_HEADING]
    for name, section in schema.sections.items():
        lines = [*_comment(cleandoc(section.__doc__ or ""), ""), f"{name}:"]
        for setting in _settings_of(schema, section):
            value = given.get(setting.path)
            line = f"  #{setting.key}: {_example(setting)}" if value is None else f"  {setting.key}: {value}"
            lines += [*_comment(_about(setting), "  "), line.rstrip()]
        parts.append("\n".join(lines) + "\n")
    for prefix, about in (
        (OF_TEMPLATE, "What companies have that use it."),
        (OF_COMPANY, "What single ones have."),
    ):
        parts += _of_their_own(prefix, about, given)
    return "\n".join(parts)


def _of_their_own(prefix: str, about: str, given: Mapping[str, str]) -> Iterator[str]:
    """Yield the section of templates or of single companies, where there is any."""
    paths = [path for path in given if path.startswith(prefix)]
    owners: dict[str, dict[str, dict[str, str]]] = {}
    for path in paths:
        sections = owners.setdefault(key_in(path), {})
        if not path.endswith(f".{USE}"):
            name, key = path.rsplit(".", 2)[1:]
            sections.setdefault(name, {})[key] = given[path]
    if owners:
        lines = [f"# {about}", f"{prefix[:-1]}:"]
        for owner, sections in owners.items():
            lines.append(f"  {as_yaml(owner)}:")
            if use := given.get(f"{prefix}{owner}.{USE}"):
                lines.append(f"    {USE}: {use}")
            for name, values in sections.items():
                lines += [f"    {name}:", *(f"      {key}: {value}" for key, value in values.items())]
        yield "\n".join(lines) + "\n"


def as_yaml(text: str) -> str:
    """Given the text of a value, return it as it stands in the settings file."""
    return (
        text if re.fullmatch(r"[0-9A-Za-z/][\w./-]*", text) and text.lower() != "null" else json.dumps(text)
    )


def reference_page(schema: Schema = SCHEMA) -> str:
    """Return the text of docs/configuration.md."""
    parts = [_PAGE_HEADING]
    for name, section in schema.sections.items():
        rows = [
            f"### `{name}`",
            "",
            cleandoc(section.__doc__ or ""),
            "",
            "| setting | default | flag | meaning |",
        ]
        rows.append("|---|---|---|---|")
        for setting in _settings_of(schema, section):
            flag = ", ".join(f"`{word}`" for word in setting.flag.split("/") if word)
            rows.append(f"| `{setting.path}` | {_default(setting)} | {flag} | {_about(setting)} |")
        parts.append("\n".join(rows) + "\n")
    known = [(setting, setting.env[1:]) for setting in schema.settings.values() if setting.env[1:]]
    rows = [
        f"| {', '.join(f'`{name}`' for name in names)} | `{setting.path}` |\n" for setting, names in known
    ]
    return (
        "\n".join(parts)
        + "\n"
        + _PAGE_END.replace("PER_COMPANY", ", ".join(f"`{name}`" for name in schema.per_company))
        + "| variable | gives |\n|---|---|\n"
        + "".join(rows)
        + _ENVIRONMENT_END
    )


def _settings_of(schema: Schema, section: type[Section]) -> list[Setting]:
    return [found for found in schema.settings.values() if found.path.startswith(f"{section.section_name}.")]


def _about(setting: Setting) -> str:
    floor = f" At least {setting.show(setting.at_least)}." if setting.at_least is not None else ""
    one = " For all companies." if setting.for_all else ""
    return setting.about + floor + one


def _default(setting: Setting) -> str:
    return setting.default_text or f"`{setting.show(setting.default)}`"


def _example(setting: Setting) -> str:
    return "" if setting.default_text else setting.show(setting.default)


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


if __name__ == "__main__":
    print(reference_page(), end="")
