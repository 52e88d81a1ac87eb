"""The man page, from the real command tree: `python -m baileys_tools.cli.manpage > docs/baileys-tools.1`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from baileys_tools import __version__
from baileys_tools.cli import load_commands
from baileys_tools.cli.all_help import Found, all_of
from baileys_tools.cli.app import app
from baileys_tools.host.topics import TOPICS

_DESCRIPTION = """\
baileys-tools keeps the session folders of WhatsApp bots alive that are built on Baileys. It cleans them by
the rules of the Signal protocol, undoably; it watches them, takes snapshots, and mends a session from one. It
is made for cron, for an operator over SSH, and for CI.
"""


def man_page() -> str:
    """Return the page in the man macros of groff and mandoc."""
    lines = [
        f'.TH BAILEYS-TOOLS 1 "" "baileys-tools {__version__}" "User Commands"',
        ".SH NAME",
        r"baileys\-tools \- keep the session folders of WhatsApp bots alive",
        ".SH SYNOPSIS",
        r".B baileys\-tools",
        r".I COMMAND",
        r"[OPTIONS]",
        ".SH DESCRIPTION",
        *_paragraph(_DESCRIPTION),
        ".SH COMMANDS",
    ]
    for name, command, context in all_commands():
        lines += _command(name, command, context)
    for topic, page in TOPICS.items():
        lines += [f'.SH "{_escaped(topic.replace("-", " ").upper())}"', ".nf", *_raw(page.text()), ".fi"]
    lines += [
        ".SH SEE ALSO",
        ".BR crontab (1),",
        ".BR crontab (5),",
        ".BR age (1),",
        ".BR systemd.timer (5)",
    ]
    return "\n".join(lines) + "\n"


def all_commands() -> Iterator[Found]:
    """Every command that runs something and is shown."""
    load_commands("")
    found = all_of(typer.main.get_command(app))
    return (one for one in found if not hasattr(one[1], "list_commands") and not one[1].hidden)


def _command(name: str, command: Any, context: typer.Context) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f'.SS "{_escaped(name)} {_escaped(pieces)}"'
    about, _, examples = inspect.cleandoc(command.help or "").partition("\b\nExamples:\n")
    yield from _paragraph(about)
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and record[0] != "-h, --help":
            yield ".TP"
            yield rf"\fB{_escaped(record[0])}\fR"
            yield from _raw(record[1])
    if examples:
        yield ".PP"
        yield "Examples:"
        yield ".nf"
        yield from _raw(examples)
        yield ".fi"


def _paragraph(text: str) -> Iterator[str]:
    for part in text.strip().split("\n\n"):
        yield ".PP"
        yield from _raw(part)


def _raw(text: str) -> Iterator[str]:
    for line in text.rstrip("\n").split("\n"):
        escaped = _escaped(line)
        # A dot or an apostrophe at the start would be a request.
        yield r"\&" + escaped if escaped[:1] in (".", "'") else escaped


def _escaped(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")


if __name__ == "__main__":
    print(man_page(), end="")
