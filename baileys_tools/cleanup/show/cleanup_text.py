"""The result of `cleanup` for people: 80 columns, readable without colour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from textwrap import fill

from baileys_tools.cleanup.rules.cleanup_report import CleanupReport, CompanyCleanup, Status
from baileys_tools.cleanup.rules.cost import Cost
from baileys_tools.cleanup.rules.plan import CleanupPlan, PolicyHold, Tier, Verdict
from baileys_tools.cleanup.show.reasons import reason_text
from baileys_tools.frame.show.terminal import WIDTH, Style, companies_named, counted, together, wrapped
from baileys_tools.limits import Policy
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.keyfiles import REMOVABLE, Kind
from baileys_tools.sessions.rules.removals import Outcome, Removals
from baileys_tools.thresholds import Level
from baileys_tools.units import format_duration, format_size, printable

LEVEL_COLOURS = {
    Level.HEALTHY: ("green",),
    Level.WARNING: ("yellow",),
    Level.CRITICAL: ("yellow", "bold"),
    Level.TRIGGER: ("magenta", "bold"),
    Level.EMERGENCY: ("red",),
    Level.DANGER: ("red", "bold"),
}


MOST_BLOCKS = 3
"""Above so many companies each has one line, and its block with --verbose."""

_TIERS = {
    Tier.NORMAL: "",
    Tier.UNUSED: "; with what no session uses, as the folder is too full",
    Tier.EMERGENCY: "; emergency limits",
}


def cleanup_text(
    report: CleanupReport,
    policy_of: Callable[[str], Policy],
    style: Style,
    *,
    verbose: bool,
    undo_window: timedelta = timedelta(),
) -> str:
    """Given a report, and what gives a company's policy, return it as text: a block for each company, then the sums.

    A company with nothing to do and nothing to say has one line, unless `verbose`, and so has each of more than three
    that nothing is wrong with; those that one and the same thing stopped are one block.
    `undo_window` is how long a cleanup can be undone.
    """
    stopped = together((company.id, _stopped_by(company)) for company in report.companies)
    lines: list[str] = []
    is_fleet = len(report.companies) > MOST_BLOCKS
    width = max((len(printable(company.id)) for company in report.companies), default=0)
    for company in report.companies:
        why = _stopped_by(company)
        if why and company.id != stopped[why][0]:
            continue
        if not verbose and (_says_nothing_else(company) if is_fleet else _is_one_line(company)):
            one_line = _fleet_line(company, style, min(width, 20)) if is_fleet else _one_line(company, style)
            lines.append(one_line)
            continue
        if lines and lines[-1]:
            lines.append("")
        others = stopped[why] if why else ()
        lines += _company(company, policy_of(company.id), style, verbose=verbose, others=others)
    if lines and lines[-1]:
        lines.append("")
    lines += _summary(report, style, undo_window)
    if is_fleet and not verbose:
        lines += _more(report)
    return "\n".join(lines)


def _stopped_by(company: CompanyCleanup) -> str:
    """Return why nothing was looked at, the same for all companies that the same thing stopped; "" for no such."""
    if company.plan is not None:
        return ""
    if company.status is Status.LOCKED:
        return ("" if company.held_too_long else "locked by ") + printable(company.trouble)
    if company.status is Status.CONNECTED:
        return "its bot is connected (cleanup.when_connected: skip)"
    return printable(company.trouble)


def _is_one_line(company: CompanyCleanup) -> bool:
    return company.plan is not None and not company.plan.remove_count and _says_nothing_else(company)


def _says_nothing_else(company: CompanyCleanup) -> bool:
    """Whether all that is to be said of a company is what its plan removes: no trouble, and nothing odd."""
    plan = company.plan
    removals = company.removals
    return (
        plan is not None
        and not plan.holds
        and (removals is None or removals.count(Outcome.REMOVED) == removals.undoable == plan.remove_count)
        and not company.purge_errors
        and plan.emergency_would_leave is None
        and not company.failed_files
        and not company.oddities
        and not company.mended
        and not company.snapshot_trouble
        and not company.earlier_restore
    )


def _fleet_line(company: CompanyCleanup, style: Style, width: int) -> str:
    plan = company.plan
    assert plan is not None
    level = plan.level_after
    who = style.paint(f"{printable(company.id):{width}}", "bold")
    done = plan.remove_count if company.removals is None else company.removals.count(Outcome.REMOVED)
    counts = f"{plan.counted_before:>7,} -> {plan.counted_after:<6,}"
    size = plan.bytes_to_free if company.removals is None else company.removals.bytes_freed
    verb = "would remove" if company.removals is None else "removed"
    removed = f"{verb} {done:,} ({format_size(size)})" if done else "nothing to remove"
    return f"{who}  {style.paint(f'{level:9}', *LEVEL_COLOURS[level])} {counts} {removed}"


def _one_line(company: CompanyCleanup, style: Style) -> str:
    plan = company.plan
    assert plan is not None
    level = style.paint(plan.level_after, *LEVEL_COLOURS[plan.level_after])
    files = counted(plan.files, "file")
    if plan.guarded_pre_keys:
        files += f", {plan.counted_before:,} counted"
    verb = "to purge" if company.removals is None else "purged"
    purge = f", {company.purged_files:,} {verb}" if company.purged_files else ""
    who = style.paint(f"company {printable(company.id)}", "bold")
    return f"{who}  {level}, {files}: nothing to remove{purge}"


def trouble_lines(report: CleanupReport) -> list[str]:
    """Given a report, return one line for each thing that a person has to see even when all is quiet."""
    lines = []
    failed = together(
        (
            company.id,
            printable(company.trouble) if company.status is Status.FAILED or company.held_too_long else "",
        )
        for company in report.companies
    )
    lines += [f"{companies_named(ids)}: {why}" for why, ids in failed.items()]
    for company in report.companies:
        who = f"company {printable(company.id)}"
        lines += [f"{who}: {why}" for why in _why_held(company)]
        if company.snapshot_trouble:
            lines.append(f"{who}: no snapshot before the cleanup: {printable(company.snapshot_trouble)}")
        if company.removals and company.removals.without_undo:
            lines.append(f"{who}: {_without_undo(company.removals)}")
        errors = {**(company.removals.errors if company.removals else {}), **company.purge_errors}
        lines += [f"{who}: {printable(name)} was not removed: {error}" for name, error in errors.items()]
        lines += [f"{who}: {printable(odd.name)} {odd.what}" for odd in company.oddities if odd.failed]
    return lines


def _without_undo(removals: Removals) -> str:
    return f"{counted(removals.without_undo, 'file')} removed without undo: the disk is full"


def _company(
    company: CompanyCleanup, policy: Policy, style: Style, *, verbose: bool, others: Sequence[str] = ()
) -> Iterator[str]:
    if len(others) > 1:
        yield style.paint(fill(companies_named(others), WIDTH, break_long_words=False), "bold")
    else:
        yield style.paint(f"company {printable(company.id)}", "bold") + f"  {printable(company.path)}"
    if why := _stopped_by(company):
        failed = company.status is Status.FAILED
        yield _item(style.paint("failed", "red") if failed else "skipped", why)
    if company.plan is not None:
        yield from _plan(company.plan, style)
        yield from (_item(style.paint("held", "red"), why) for why in _why_held(company))
        if verbose:
            yield from (_verdict(verdict, company.plan.tier, policy, style) for verdict in _sorted(company))
        if company.oddities:
            yield from _oddities(company, verbose=verbose)
    if company.removals is None and company.purged_files:
        due = counted(company.purged_files, "file")
        yield _item("purge", f"{due} whose undo window is over would leave the quarantine for good")
    if company.removals is not None:
        yield from _result(company, company.removals, style, verbose=verbose)
    yield ""


def _plan(plan: CleanupPlan, style: Style) -> Iterator[str]:
    guarded = (
        f", {counted(plan.guarded_pre_keys, 'guarded pre-key')} left out" if plan.guarded_pre_keys else ""
    )
    before, after = (
        style.paint(level, *LEVEL_COLOURS[level]) for level in (plan.level_before, plan.level_after)
    )
    yield _item("files", f"{plan.files:,}, of which {plan.counted_before:,} count{guarded}")
    yield _item(
        "level", f"{before} -> {after} ({plan.counted_before:,} -> {plan.counted_after:,} counted files)"
    )
    if plan.by_kind:
        yield _item("kinds", _by_kind(plan.by_kind))
    if plan.emergency_would_leave is not None:
        yield _item("note", _why_still_full(plan))
    if not plan.remove_count:
        yield _item("remove", "nothing")
        return
    listed = _by_kind(plan.removed_by_kind)
    tier = _TIERS[plan.tier]
    yield _item("remove", f"{plan.remove_count:,} ({format_size(plan.bytes_to_free)}{tier}): {listed}")
    yield _item("cost", cost_text(plan.cost))


def _by_kind(counts: Mapping[Kind, int]) -> str:
    # A no-break space keeps a kind and its number on one line; _item makes it a plain one again.
    return ", ".join(f"{kind}\xa0{count:,}" for kind, count in counts.items())


def _why_still_full(plan: CleanupPlan) -> str:
    stay = plan.files - sum(plan.by_kind.get(kind, 0) for kind in REMOVABLE)
    return (
        f"the folder stays full: even the emergency limits would leave {plan.emergency_would_leave:,} counted "
        f"files, so they are not applied; {stay:,} files are of kinds that always stay. Cleaning cannot bring "
        "it lower, and a working session is no worse for it."
    )


def cost_text(cost: Cost) -> str:
    """Given what a plan costs, return it in a sentence."""
    parts = []
    if cost.contacts:
        parts.append(f"{counted(cost.contacts, 'contact')}, if they write first")
    if cost.group_senders:
        parts.append(f"{counted(cost.group_senders, 'group member')} (per group)")
    if cost.pre_keys:
        parts.append(f"at most {counted(cost.pre_keys, 'new chat')} that the server gives a removed pre-key")
    delayed = (
        "next message delayed by one resend for " + "; ".join(parts) if parts else "no message is delayed"
    )
    if not cost.key_messages:
        return delayed
    sent = f"{delayed}; {counted(cost.key_messages, 'device')} in groups sent the bot's key once more"
    return f"{sent}, {cost.bundles:,} of them over a new session" if cost.bundles else sent


def _why_held(company: CompanyCleanup) -> Iterator[str]:
    holds = company.plan.holds if company.plan is not None else ()
    if PolicyHold.CREDS in holds:
        first = (
            "May this user and the bot read it (ls -l, chown, chmod 600)? If so: stop"
            if company.creds_refused
            else "Stop"
        )
        yield (
            f"creds.json is {company.creds_problem}: nothing is removed until the session is whole again. "
            f"{first} the bot and restore creds.json before it writes a new identity over it."
        )
    if PolicyHold.CLOCK in holds:
        yield (
            "the clock does not fit the files (the newest is over a day in the future or over a year old, or "
            "most were written over a year before the rest): nothing is removed by age. Check the date of "
            "this host."
        )
    if PolicyHold.SILENT in holds:
        yield (
            "the bot is off: nothing was written for longer than cleanup.silence, and what waits for it needs every "
            "key. Nothing is removed until it writes again."
        )


def _sorted(company: CompanyCleanup) -> list[Verdict]:
    # What is odd about a file is said once, below.
    odd = {oddity.name for oddity in company.oddities}
    verdicts = [verdict for verdict in company.verdicts if verdict.name not in odd]
    return sorted(verdicts, key=lambda verdict: (not verdict.remove, verdict.kind, verdict.name))


def _verdict(verdict: Verdict, tier: Tier, policy: Policy, style: Style) -> str:
    name, reason = printable(verdict.name), reason_text(verdict, tier, policy)
    word = style.paint("remove", "red") if verdict.remove else style.paint("keep  ", "green")
    # On one line where there is room, with the reasons in a column.
    fits = len(name) <= 32 and 44 + len(reason) <= WIDTH
    return f"    {word} {name:32} {reason}" if fits else f"    {word} {name}\n           {reason}"


def _oddities(company: CompanyCleanup, *, verbose: bool) -> Iterator[str]:
    entries = counted(len(company.oddities), "entry", "entries")
    yield _item("left alone", f"{entries} not plain files, or with other hard links")
    if verbose:
        for odd in company.oddities:
            yield f"    keep   {printable(odd.name)}\n           {odd.what}"


def _result(company: CompanyCleanup, removals: Removals, style: Style, *, verbose: bool) -> Iterator[str]:
    removed = removals.count(Outcome.REMOVED)
    if removed:
        yield _item("done", style.paint(f"{counted(removed, 'file')} removed", "green"))
    others = (
        (Outcome.ALREADY_GONE, "were already gone"),
        (Outcome.CHANGED, "changed meanwhile and were kept"),
        (Outcome.IN_USE, "were in use by the bot and were kept"),
        (Outcome.WITH_UNIT, "were kept with the rest of their unit"),
        (Outcome.FAILED, "could not be removed"),
    )
    for outcome, what in others:
        if number := removals.count(outcome):
            yield _item("", f"{number:,} {what}")
    for name, error in {**removals.errors, **company.purge_errors}.items():
        yield _item(style.paint("failed", "red"), f"{printable(name)}: {error}")
    if removals.without_undo:
        yield _item("", _without_undo(removals))
    if company.earlier_restore:
        yield _item("mended", printable(company.earlier_restore))
    if company.snapshot_trouble:
        yield _item("no snapshot", printable(company.snapshot_trouble))
    if company.mended:
        yield _item("mended", f"{counted(len(company.mended), 'file')} of an interrupted run put back")
    if company.purged_files:
        yield _item("purged", f"{counted(company.purged_files, 'file')} whose undo window was over")
    if verbose and removed and not removals.leases:
        yield _item("", "write leases are not offered here: each file was checked again, no more")


def _more(report: CleanupReport) -> Iterator[str]:
    """Say how the blocks are seen, and what all that goes costs together."""
    costs = [company.plan.cost for company in report.companies if company.plan is not None]
    if any(map(any, costs)):
        yield _item("cost", cost_text(Cost(*map(sum, zip(*costs, strict=True)))))
    yield _item("more", "--verbose shows each company's block and files, --company ID one")


def _summary(report: CleanupReport, style: Style, undo_window: timedelta) -> Iterator[str]:
    plans = [company.plan for company in report.companies if company.plan is not None]
    done = [company.removals for company in report.companies if company.removals is not None]
    yield style.paint("total", "bold") + (
        f"  {counted(len(report.companies), 'company', 'companies')}, "
        f"{counted(sum(plan.files for plan in plans), 'file')}"
    )
    if report.dry_run:
        to_remove = sum(plan.remove_count for plan in plans)
        size = format_size(sum(plan.bytes_to_free for plan in plans))
        yield _item("dry run", f"nothing was touched; {counted(to_remove, 'file')} would go ({size})")
    else:
        removed = sum(removals.count(Outcome.REMOVED) for removals in done)
        size = format_size(sum(removals.bytes_freed for removals in done))
        if report.run is not None:
            # They take up their room until then.
            kept_for = format_duration(undo_window)
            aside = sum(removals.undoable for removals in done)
            text = f"{counted(aside, 'file')} moved aside ({size}, freed after {kept_for})"
            if report.without_undo:
                text += f", {report.without_undo:,} more without undo: the disk is full"
            yield _item("removed", text)
        else:
            yield _item("removed", f"{counted(removed, 'file')}, {size} freed" if removed else "nothing")
        if purged := sum(company.purged_files for company in report.companies):
            size = format_size(sum(company.purged_bytes for company in report.companies))
            yield _item("purged", f"{counted(purged, 'file')} whose undo window was over, {size} freed")
        if removed and report.run is not None:
            # Not wrapped: it is there to be copied.
            yield f"  undo       {command('baileys-tools undo --run {}', report.run)}"
    troubled = [company for company in report.companies if company.status is not Status.PLANNED]
    for status in (Status.FAILED, Status.LOCKED, Status.HELD, Status.SILENT, Status.CONNECTED):
        if number := sum(company.status is status for company in troubled):
            yield _item(status.value, counted(number, "company", "companies"))


def _item(label: str, text: str) -> str:
    # Painted labels carry invisible characters, so the pad is counted from what is seen.
    seen = len(label) if not label.startswith("\x1b") else len(label.split("m", 1)[1]) - 4
    head = "  " + label + " " * max(1, 11 - seen)
    if len(text) + 13 > WIDTH and "\x1b" not in text:
        text = "\n".join(wrapped(text, WIDTH - 13))
    return head + text.replace("\n", "\n" + " " * 13).replace("\xa0", " ")
