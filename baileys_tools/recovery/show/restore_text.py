"""The result of `restore` for people: 80 columns, readable without colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from baileys_tools.frame.show.terminal import WIDTH, Style, counted, wrapped
from baileys_tools.pasted import command
from baileys_tools.recovery.rules.bak import Proof
from baileys_tools.recovery.rules.restore_report import RestoreReport, RestoreStatus
from baileys_tools.sessions.rules.creds import is_creds_copy
from baileys_tools.sessions.rules.restore_plan import (
    Action,
    Mode,
    RestoreCost,
    RestorePlan,
    RestoreReason,
    Traffic,
)
from baileys_tools.units import format_age, printable

_ACTIONS = {
    Action.BRING_BACK: ("bring back", "green"),
    Action.SET_ASIDE: ("set aside", "yellow"),
    Action.LEAVE_OUT: ("leave out", "yellow"),
    Action.KEEP: ("keep", "dim"),
}

_PROOFS = {
    Proof.SAME: "of the login that this folder had last",
    Proof.UNPROVEN: "nothing remembers which login this folder had (no look of monitor-once, no snapshot), so it is "
    "unproven that this is the newest",
    Proof.OTHER: "of another login",
}

_REASONS = {
    RestoreReason.WHOLE: "whole on disk",
    RestoreReason.MISSING: "missing on disk",
    RestoreReason.UNREADABLE: "empty, cut off or unreadable on disk",
    RestoreReason.NO_COPY: "unreadable, and the snapshot has none",
    RestoreReason.UNPAIRED: "replaced by the new identity of a bot that could not read it",
    RestoreReason.IN_SNAPSHOT: "as in the snapshot",
    RestoreReason.NOT_IN_SNAPSHOT: "not in the snapshot",
    RestoreReason.SAME_ACCOUNT: "whole on disk, and of the same account",
    RestoreReason.TRAFFIC_SINCE: "older than messages since: the contact starts afresh",
    RestoreReason.TRAFFIC_UNTOLD: "nothing tells of messages since: the contact starts afresh",
    RestoreReason.OWN_SENDER_KEY: "the bot makes a new own key and tells the group",
    RestoreReason.UNIT_BROKEN: "own key of the group lost: the bot makes a new one",
    RestoreReason.PRE_KEY_ON_DISK: "still offered by the server, perhaps",
    RestoreReason.PEER_KEY_ON_DISK: "whole on disk, and the sender may have made a new one since",
    RestoreReason.REMOVED_BY_POLICY: "removed by the cleanup policy",
    RestoreReason.UNKNOWN: "not written by Baileys",
    RestoreReason.IN_THE_WAY: "the name is taken by something that is not a plain file",
}


def restore_text(report: RestoreReport, style: Style, *, verbose: bool, plan: bool = True) -> str:
    """Given a report, return it as text; without its plan where that was shown already."""
    return "\n".join(_lines(report, style, verbose=verbose) if plan else _outcome(report, style))


def restore_troubles(report: RestoreReport) -> list[str]:
    """Given a report, return a line for each thing that a person has to see even when all is quiet."""
    who = f"company {printable(report.company)}"
    lines = [
        f"{who}: {printable(name)} was left as it is: {why}" for name, why in sorted(report.kept.items())
    ]
    if report.old_run:
        lines.append(
            f"{who}: something wrote into the old folder; it waits for undo, as run {report.old_run}"
        )
    if report.earlier:
        lines.append(f"{who}: {printable(report.earlier)}")
    return lines


def _lines(report: RestoreReport, style: Style, *, verbose: bool) -> Iterator[str]:
    info = report.snapshot
    where = report.target if report.target is not None else report.path
    yield style.paint(f"company {printable(report.company)}", "bold") + f"  {printable(where)}"
    age = format_age(report.now - info.taken_at)
    tag = f", {info.tag}" if info.tag else ""
    if is_creds_copy(info.file):
        when = f"{info.taken_at:%Y-%m-%d %H:%M} UTC ({age} old)"
        yield _item("from", f"{printable(info.file)} of {when}: {_PROOFS[Proof(info.tag)]}")
    else:
        yield _item("snapshot", f"{info.id} of {info.taken_at:%Y-%m-%d %H:%M} UTC ({age} old{tag}), verified")
    if report.earlier:
        yield _item("before", printable(report.earlier))
    if report.plan is None:
        yield _item("files", f"{counted(report.manifest.files, 'file')} as they were")
    else:
        yield from _plan(report.plan, style, verbose=verbose)
    yield from _outcome(report, style)


def _plan(plan: RestorePlan, style: Style, *, verbose: bool) -> Iterator[str]:
    yield _item("mode", _MODES[plan.mode])
    if plan.traffic is Traffic.SINCE:
        yield _item("traffic", f"messages since the snapshot ({printable(plan.traffic_sign)})")
    elif plan.traffic is Traffic.UNTOLD:
        yield _item("traffic", f"nothing on disk tells whether there were messages since{_KEEP_HINT}")
    for action, (word, colour) in _ACTIONS.items():
        groups = Counter(
            (verdict.kind, verdict.reason) for verdict in plan.verdicts if verdict.action is action
        )
        if action is Action.KEEP and not verbose:
            if groups:
                yield _item(style.paint(word, colour), counted(sum(groups.values()), "file"), word)
            continue
        for (kind, reason), number in sorted(groups.items()):
            yield _item(style.paint(word, colour), f"{number:,} {kind}: {_REASONS[reason]}", word)
    if verbose:
        for verdict in plan.verdicts:
            what = f"{_ACTIONS[verdict.action][0]:10}  {printable(verdict.name)}"
            yield f"    {what}  ({_REASONS[verdict.reason]})"
    if plan.next_pre_key_id is not None:
        yield _item("counters", f"nextPreKeyId becomes {plan.next_pre_key_id}, past every pre-key on disk")
    yield _item("cost", _cost(plan.cost))
    if plan.bot_is_unseen and not plan.changes_nothing:
        yield _item("bot", "nothing tells whether it runs: stop it first, or it writes over what comes back")
    for refusal in plan.refusals:
        yield _item(style.paint("refused", "red"), printable(refusal.text), "refused")


_KEEP_HINT = "; if the bot has been off since, --keep-sessions brings sessions back"
_MODES = {
    Mode.REPAIR: "repair: what is missing or unreadable, nothing whole is touched",
    Mode.ROLLBACK: "rollback: the folder becomes the snapshot, as far as the protocol allows",
}


def _cost(cost: RestoreCost) -> str:
    parts = []
    if cost.contacts:
        parts.append(
            f"{counted(cost.contacts, 'contact address', 'contact addresses')} without a session: one resend "
            "each if the contact writes first, none if the bot does"
        )
    if cost.older_sessions:
        parts.append(
            f"at most {counted(cost.older_sessions, 'contact address', 'contact addresses')} with a session older than "
            "messages since: one resend each, whoever writes"
        )
    if cost.group_senders:
        parts.append(f"{counted(cost.group_senders, 'group sender')} without a key: one resend each")
    if cost.older_keys:
        parts.append(
            f"at most {counted(cost.older_keys, 'group sender')} who made a new key since the snapshot: one resend each"
        )
    if cost.pre_keys:
        parts.append(
            f"at most {counted(cost.pre_keys, 'new chat')} that start one resend late: pre-keys that are unreadable, "
            "or were made since the snapshot and are gone, used or lost"
        )
    if cost.pre_keys_untold:
        parts.append(
            "if the bot has uploaded pre-keys since the snapshot (nothing on disk tells), a new chat that gets one "
            "starts one resend late"
        )
    return "; ".join(parts) or "no message is late"


def _outcome(report: RestoreReport, style: Style) -> Iterator[str]:
    if report.forced:
        yield _item("forced", ", ".join(refusal.objection for refusal in report.forced))
    if report.status is RestoreStatus.PLANNED:
        return
    if report.status is RestoreStatus.NOTHING_TO_DO:
        yield _item(style.paint("done", "green"), "nothing to repair: every file is whole", "done")
        return
    done = f"{counted(len(report.brought_back), 'file')} brought back"
    if report.set_aside:
        done += f", {len(report.set_aside):,} set aside ({command('undo --run {}', report.run or '')} puts them back)"
    yield _item(style.paint("done", "green"), done, "done")
    if report.before is not None:
        yield _item("kept", f"the folder as it was is snapshot {report.before.id} ({report.before.tag})")
    if not report.in_one_step:
        yield _item("note", "this file system cannot swap folders in one step: it took two renames")
    for line in restore_troubles(report):
        if line.endswith(report.earlier) and report.earlier:
            continue
        yield _item(style.paint("look", "yellow"), line, "look")


def _item(word: str, text: str, plain: str = "") -> str:
    """Return one line, wrapped, with its word in a column of ten; `plain` is the word without its colour."""
    pad = " " * (10 - len(plain or word))
    return f"  {word}{pad}  " + f"\n{' ' * 14}".join(wrapped(text, WIDTH - 14))
