"""What a shell is offered at the TAB key. Whatever goes wrong here, it is offered nothing and hears nothing."""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import typer

from baileys_tools.cli.quick import sessions_flags

PLAIN = frozenset(string.ascii_letters + string.digits + "._@+-")
"""The characters of a name that is offered. What zsh is offered it evaluates, bash splits it and expands its patterns,
and whoever can make a folder chooses its name."""


def settled(environ: Mapping[str, str], meant: Callable[[Sequence[str]], list[str]]) -> dict[str, str]:
    """Given the environment of a completion and what the words before the last one mean, return it with them as meant.

    typer completes an option behind its command alone. The names are those of typer (`_completion_classes.py`): bash
    gives all words and which of them is typed, zsh and fish the line up to there. A line with an open quote stays.
    """
    import shlex

    try:
        line = shlex.split(environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS") or "")
        at = int(environ.get("COMP_CWORD") or len(line) - (not environ["_TYPER_COMPLETE_ARGS"].endswith(" ")))
    except (ValueError, KeyError):
        return {}
    before = [*line[:1], *meant(line[1:at])]
    if before == line[:at]:
        return {}
    typed = shlex.join([*before, *line[at : at + 1]]) + " " * (at >= len(line))
    return {"COMP_WORDS": typed, "COMP_CWORD": str(len(before)), "_TYPER_COMPLETE_ARGS": typed}


def wanted_command(environ: Mapping[str, str]) -> str:
    """Given the environment of a completion, return the command that is typed, "" when it is not known yet."""
    words = (environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS") or "").split()
    return words[1] if len(words) > 2 else ""


def complete_company(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the companies in the sessions path, by id or by folder, that begin with what is typed.

    Only those with a plain name: any other can be typed, in quotes, by whoever means it. One listing of one folder;
    no session folder is opened.
    """
    from baileys_tools.config import load_settings
    from baileys_tools.errors import BaileysToolsError
    from baileys_tools.sessions.names import COMPANY_PREFIX
    from baileys_tools.sessions.roots import Root

    try:
        flags = sessions_flags(ctx.params.get("sessions"))
        settings = load_settings(flags, os.environ, config=ctx.params.get("config")).settings
        if settings.sessions.where is None:
            return []
        with Root(settings.sessions.where) as root:
            companies = root.companies(settings.sessions.multitenancy)
    except (BaileysToolsError, OSError):
        return []
    by_folder = COMPANY_PREFIX if incomplete.startswith(COMPANY_PREFIX) else ""
    names = [by_folder + company.id for company in companies]
    return [name for name in names if name.startswith(incomplete) and PLAIN.issuperset(name)]


def complete_snapshot(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the numbers of a company's snapshots that begin with what is typed, and `latest`. No archive is opened."""
    from baileys_tools.config import load_settings
    from baileys_tools.errors import BaileysToolsError
    from baileys_tools.snapshots.repository import Repository

    try:
        settings = load_settings({}, os.environ, config=ctx.params.get("config")).settings
        company = ctx.params.get("company")
        if settings.backup.path is None or not isinstance(company, str):
            return []
        with Repository(settings.backup.path) as repository:
            names = [info.id for info in reversed(repository.snapshots(company)) if not info.damaged]
    except (BaileysToolsError, OSError):
        return []
    return [name for name in ("latest", *names) if name.startswith(incomplete)]


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the runs that can be undone, the newest first, that begin with what is typed. Nothing is touched."""
    from baileys_tools.cleanup.undo_runs import list_undo
    from baileys_tools.config import load_settings
    from baileys_tools.errors import BaileysToolsError

    flags = sessions_flags(ctx.params.get("sessions")) | {
        "sessions.companies": ctx.params.get("company") or None
    }
    try:
        settings = load_settings(flags, os.environ, config=ctx.params.get("config")).settings
        if settings.sessions.where is None:
            return []
        report = list_undo(settings, settings.sessions.where, datetime.now(UTC))
    except (BaileysToolsError, OSError):
        return []
    runs = sorted({run.run for company in report.companies for run in company.runs}, reverse=True)
    return [run for run in runs if run.startswith(incomplete) and PLAIN.issuperset(run)]


def complete_mode(incomplete: str) -> list[str]:
    """Return the ways to restore that begin with what is typed."""
    from baileys_tools.sessions.rules.restore_plan import Mode

    return [mode for mode in Mode if mode.startswith(incomplete)]


def complete_finding(incomplete: str) -> list[str]:
    """Return the codes of findings that begin with what is typed."""
    from baileys_tools.finding_codes import CODES

    return [code for code in sorted(CODES) if code.startswith(incomplete)]


def complete_topic(incomplete: str) -> list[str]:
    """Return what `help` has a text on that begins with what is typed."""
    from baileys_tools.cli.groups import GROUPS
    from baileys_tools.finding_codes import CODES
    from baileys_tools.host.pages import page_names
    from baileys_tools.host.topics import TOPICS

    known = dict.fromkeys(["commands", *TOPICS, *GROUPS, *CODES, *page_names()])
    return [word for word in known if word.startswith(incomplete)]


def complete_code(incomplete: str) -> list[str]:
    """Return the codes of findings, diagnoses and states that begin with what is typed."""
    from baileys_tools.finding_codes import CODES
    from baileys_tools.host.meanings import WORDS

    return [code for code in sorted({*CODES, *WORDS}) if code.startswith(incomplete)]
