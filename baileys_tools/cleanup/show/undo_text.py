"""The result of `undo`, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.frame.show.terminal import Style, companies_named, counted, together
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.undo import CompanyUndo, Late, UndoReason, UndoRun
from baileys_tools.units import format_size, printable

_KEPT = {
    UndoReason.NEWER_STANDS: "stayed in quarantine: the bot has written a newer one",
    UndoReason.UNIT_MOVED_ON: "stayed in quarantine: the bot has a newer own key or memory for the group",
    UndoReason.LID_TWIN: "stayed in quarantine: the bot would write them over the contact's session by LID",
    UndoReason.WITH_UNIT: "stayed in quarantine with an own key that could not be put back",
    UndoReason.KEY_GONE: "stayed in quarantine: the own key that it speaks of is gone",
    UndoReason.TAKEN_LATER: "stayed in quarantine: a later run took newer ones, and the others have gone on from those",
    UndoReason.FOREIGN: "stayed: no plain file, so nothing that a cleanup puts there",
    UndoReason.FAILED: "could not be put back",
}


_NAME_WIDTH = 24
"""So long a name leaves room for the rest of its line on a terminal of 80 columns."""


def undo_list_text(companies: Sequence[CompanyUndo], style: Style) -> str:
    """Given the companies, return which runs can be undone, the newest first, each with its companies."""
    runs: dict[str, list[tuple[CompanyUndo, UndoRun, str]]] = {}
    for company in companies:
        last = next((run for run in reversed(company.runs) if run.is_cleanup), None)
        for run in company.runs:
            late = _late(*run.late) if run is last and run.late is not None else ""
            runs.setdefault(run.run, []).append((company, run, late))
    if not runs:
        return "\n".join(["nothing to undo: no removed file is in quarantine", *undo_troubles(companies)])
    width = min(max(len(printable(company.id)) for company in companies if company.runs), _NAME_WIDTH)
    head = f"{'run, company':{width + 2}}  removed      size  late so far, of at most"
    lines = [style.paint(head, "bold")]
    for name, parts in sorted(runs.items(), reverse=True):
        first = parts[0][1]
        lines.append(f"{name}  {_short(first.what) or '-'}, {first.started:%Y-%m-%d %H:%M} UTC")
        for company, run, late in parts:
            line = f"  {printable(company.id):{width}}  {run.files:>7,}  {format_size(run.size):>8}  {late}"
            lines.append(line.rstrip())
    return "\n".join([*lines, *undo_troubles(companies)])


def _late(most: Late, paid: Late) -> str:
    """As `paid_of`, within a column."""
    return (
        f"{paid.contacts:,} of {counted(most.contacts, 'chat')}, "
        f"{paid.group_senders:,} of {most.group_senders:,} in groups"
    )


def paid_of(most: Late, paid: Late) -> str:
    """Given what the last cleanup costs at most and what of that was paid, return it in words (`report`)."""
    late = f"{counted(paid.contacts, 'chat')}, {counted(paid.group_senders, 'group message')} late so far"
    return f"last cleanup: {late}, of {most.contacts:,} and {most.group_senders:,}"


def _short(command: str) -> str:
    return command.removesuffix("-once")


def undo_text(
    run: str | None,
    companies: Sequence[CompanyUndo],
    style: Style,
    *,
    verbose: bool,
    what: str = "",
    planned: bool = False,
) -> str:
    """Given what was undone, or would be, and the command that had made it, return it as text."""
    if run is None:
        resets = [
            f"  company {printable(company.id)} {_set_aside(found)} at {found.started:%Y-%m-%d %H:%M} UTC; "
            "to have it back:\n"
            f"  {command('baileys-tools undo --company {} --run {}', company.id, found.run)}"
            for company in companies
            for found in company.runs
            if found.whole_folder
        ]
        return "\n".join(
            ["nothing to undo: no removed file is in quarantine", *resets, *undo_troubles(companies)]
        )
    by = f" ({_short(what)})" if what else ""
    lines = [style.paint(f"undo of run {run}{by}", "bold")]
    for company in companies:
        lines += _company(company, style, verbose=verbose, planned=planned)
    lines += undo_troubles([company for company in companies if company.trouble])
    if planned:
        lines.append("nothing was touched")
    return "\n".join(lines)


def _set_aside(run: UndoRun) -> str:
    return "was reset" if run.is_reset else "was rolled back, its old folder set aside"


def _company(company: CompanyUndo, style: Style, *, verbose: bool, planned: bool) -> Iterator[str]:
    if company.trouble:
        return
    back = counted(company.count(UndoReason.BACK), "file")
    yield f"  company {printable(company.id)}: " + style.paint(
        f"{back} would be put back" if planned else f"{back} put back", "cyan" if planned else "green"
    )
    if company.late is not None and any(company.late):
        contacts, members, new = company.late
        said = f"{counted(contacts, 'chat')}, {counted(members, 'group message')}, {counted(new, 'new chat')}"
        yield f"    its bot has gone on since: late at most {said}"
    for reason, what in _KEPT.items():
        if number := company.count(reason):
            yield f"    {number:,} {what.replace('stayed', 'would stay', 1) if planned else what}"
    for name, twin in islice(company.twins.items(), 1):
        yield f"    to have {printable(name)} instead: stop the bot, move {printable(twin)} away, undo again by --run"
    if not company.count(UndoReason.BACK):
        yield "    an earlier cleanup is undone by --run (see undo --list)"
    for name, error in company.errors.items():
        yield f"    failed {printable(name)}: {error}"
    if verbose:
        for name, reason in sorted((company.reasons or {}).items()):
            beside = f"  (beside {printable(company.twins[name])})" if name in company.twins else ""
            yield f"    {'back' if reason is UndoReason.BACK else 'kept'}  {printable(name)}{beside}"


def undo_troubles(companies: Sequence[CompanyUndo]) -> list[str]:
    """Given the companies, return a line for whatever could not be done."""
    stopped = together((company.id, printable(company.trouble)) for company in companies)
    lines = [f"  {companies_named(ids)}: {trouble}" for trouble, ids in stopped.items()]
    for company in companies:
        troubles = [f"{name} was not put back: {error}" for name, error in company.errors.items()]
        lines += [f"  company {printable(company.id)}: {printable(trouble)}" for trouble in troubles]
    return lines


def undo_json(
    root: str,
    now: datetime,
    exit_code: ExitCode,
    run: str | None,
    companies: Sequence[CompanyUndo],
    *,
    planned: bool = False,
) -> str:
    """Given a list of runs, or what was undone, return it as JSON (docs/json/undo.schema.json)."""
    return envelope(
        "undo",
        now,
        exit_code,
        {
            "sessions_path": name_text(root),
            "dry_run": planned,
            "run": run,
            "companies": [_document(each) for each in companies],
        },
    )


def _cost(run: UndoRun) -> dict[str, Any]:
    """Return what a cleanup costs at most and what was paid so far, null for any other run."""
    both = {"promised": run.promised, "paid": run.paid}
    return {
        name: late._asdict() if run.is_cleanup and late is not None else None for name, late in both.items()
    }


def _document(company: CompanyUndo) -> dict[str, Any]:
    document: dict[str, Any] = {
        "company": name_text(company.id),
        "trouble": company.trouble,
        "locked": company.locked,
        "runs": [
            {
                "run": run.run,
                "started": timestamp(run.started),
                "files": run.files,
                "bytes": run.size,
                "reset": run.is_reset,
                "whole_folder": run.whole_folder,
                "by": run.what,
                **_cost(run),
            }
            for run in company.runs
        ],
    }
    if company.reasons is not None:
        document["put_back"] = company.count(UndoReason.BACK)
        document["late"] = None if company.late is None else company.late._asdict()
        document["files"] = [
            {
                "file": name_text(name),
                "outcome": reason.value,
                "beside": name_text(company.twins.get(name, "")),
            }
            for name, reason in sorted(company.reasons.items())
        ]
    return document
