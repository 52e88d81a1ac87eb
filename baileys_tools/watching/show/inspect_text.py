"""The result of `inspect` for people: 80 columns, readable without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import fill

from baileys_tools.frame.show.terminal import WIDTH, Style, counted
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.inspected import Inspected
from baileys_tools.sessions.rules.snapshot import mask_account
from baileys_tools.sessions.rules.surroundings import Snapshots
from baileys_tools.thresholds import Level
from baileys_tools.units import format_age, format_duration, format_size, printable
from baileys_tools.watching.rules.inspection import (
    AGE_LIMITS,
    Inspection,
    KindRow,
    baileys_version,
    count_of,
    kind_rows,
)
from baileys_tools.watching.rules.verdict import CompanyState
from baileys_tools.watching.show.findings_text import findings_text

_LEVEL_COLOURS = {
    Level.HEALTHY: ("green",),
    Level.WARNING: ("yellow",),
    Level.CRITICAL: ("magenta", "bold"),
    Level.TRIGGER: ("magenta", "bold"),
    Level.EMERGENCY: ("red", "bold"),
    Level.DANGER: ("red", "bold"),
}
_STATE_COLOURS = {
    CompanyState.HEALTHY: ("green",),
    CompanyState.WARNING: ("yellow",),
    CompanyState.CRITICAL: ("magenta", "bold"),
    CompanyState.EMERGENCY: ("red", "bold"),
    CompanyState.UNREADABLE: ("red", "bold"),
    CompanyState.GONE: ("red", "bold"),
}
_BAR = 36


def inspect_text(inspection: Inspection, style: Style, *, verbose: bool, block: str = "#") -> str:
    """Given an inspection, return it as text. `block` is the character that bars are made of."""
    head = style.paint(f"company {printable(inspection.company)}", "bold")
    lines = [f"{head}  {printable(inspection.path)}"]
    verdict = inspection.verdict
    why = f": {verdict.code}" if verdict.code else ""
    lines.append(_item("state", style.paint(verdict.state, *_STATE_COLOURS[verdict.state]) + why))
    if inspection.seen is not None:
        lines += _folder(inspection, inspection.seen, style)
        rows = kind_rows(inspection.seen, inspection.now)
        if rows:
            lines += ["", *_kinds(rows, style), "", *_histogram(rows, block)]
    lines += ["", *findings_text(inspection.findings, style, _names(inspection) if verbose else {})]
    return "\n".join(lines)


def _folder(inspection: Inspection, seen: Inspected, style: Style) -> Iterator[str]:
    count, level = count_of(seen, inspection.rules)
    guarded = f"; {counted(count.guarded, 'guarded pre-key')} left out" if count.guarded else ""
    shown = style.paint(level, *_LEVEL_COLOURS[level])
    yield _item("level", f"{shown}: {count.counted:,} of {counted(count.files, 'file')} count{guarded}")
    yield _item("account", _account(seen))
    if seen.last_activity is not None:
        yield _item("last write", f"{format_age(inspection.now - seen.last_activity)} ago")
    kept = f", and {format_size(seen.kept_bytes)} in quarantine" if seen.kept_bytes else ""
    yield _item("size", format_size(seen.size) + kept)
    space = seen.space
    files = f", room for {space.free_inodes:,} more files" if space.inodes else ""
    yield _item("disk", f"{format_size(space.free)} free of {format_size(space.size)}{files}")
    yield _item("snapshots", _snapshots(inspection.elsewhere.snapshots, inspection))
    if (last := inspection.elsewhere.last_cleanup) is not None:
        yield _item("cleanup", f"{format_age(inspection.now - last.at)} ago, {last.words}")


def _account(seen: Inspected) -> str:
    creds = seen.folder.creds
    if not isinstance(creds, Creds):
        return f"unknown: creds.json is {creds}"
    linked = "linked" if creds.paired else "not linked"
    version = baileys_version(seen)
    masked = mask_account(creds)
    text = f"{masked}, {linked}" if masked else linked
    return f"{text}; written by Baileys {version}, as its files tell" if version else text


def _snapshots(snapshots: Snapshots | None, inspection: Inspection) -> str:
    if snapshots is None:
        return "no repository configured (backup.path)"
    if snapshots.newest is None:
        return "not known" if snapshots.trouble else "none"
    age = format_age(inspection.now - snapshots.newest.taken_at)
    current = ", and nothing has changed since" if snapshots.is_current else ""
    return f"newest is {snapshots.newest.id}, {age} old{current}; {snapshots.stored:,} whole"


def _kinds(rows: Sequence[KindRow], style: Style) -> Iterator[str]:
    ages = [f"<{format_duration(limit)}" for limit in AGE_LIMITS] + ["older"]
    yield style.paint(
        f"  {'kind':22} {'files':>7} {'size':>9}" + "".join(f"{age:>6}" for age in ages), "bold"
    )
    for row in rows:
        numbers = "".join(f"{_short(number):>6}" for number in row.by_age)
        yield f"  {row.kind:22} {row.files:>7,} {format_size(row.size):>9}{numbers}"


def _short(number: int) -> str:
    """Five characters at most, so that the columns stand apart."""
    if not number:
        return "."
    return str(number) if number < 100_000 else f"{number // 1_000}k"


def _histogram(rows: Sequence[KindRow], block: str) -> Iterator[str]:
    sums = [sum(row.by_age[i] for row in rows) for i in range(len(AGE_LIMITS) + 1)]
    limits = [format_duration(limit) for limit in AGE_LIMITS]
    names = [f"under {limits[0]}", *(f"{a} to {b}" for a, b in pairwise(limits))]
    most = max(1, *sums)
    for name, number in zip([*names, f"over {limits[-1]}"], sums, strict=True):
        # Something is never shown as nothing.
        length = max(1, round(number * _BAR / most)) if number else 0
        yield f"  {name:22} {number:>7,} {block * length}".rstrip()


def _names(inspection: Inspection) -> dict[str, list[str]]:
    odd = {}
    if inspection.seen is not None:
        odd = {oddity.name: oddity.what for oddity in inspection.seen.folder.oddities}
    return {
        code: [
            printable(name) + (f" ({printable(odd[name])})" if code == "odd-entries" else "")
            for name in names
        ]
        for code, names in inspection.evidence.items()
    }


def _item(label: str, text: str) -> str:
    head = f"  {label:11}"
    if len(text) + len(head) > WIDTH and "\x1b" not in text:
        text = fill(text, WIDTH - len(head), break_long_words=False, break_on_hyphens=False)
    return head + text.replace("\n", "\n" + " " * len(head))
