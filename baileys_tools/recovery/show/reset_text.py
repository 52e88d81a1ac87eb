"""What `reset` prints, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baileys_tools.frame.show.json_text import envelope, name_text
from baileys_tools.frame.show.terminal import wrapped
from baileys_tools.pasted import command
from baileys_tools.units import counted, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Protocol

    from baileys_tools.bots.show.bot_json import OneRequest
    from baileys_tools.errors import ExitCode
    from baileys_tools.sessions.rules.snapshot import SnapshotInfo

    class Report(Protocol):
        """What a reset did."""

        @property
        def company(self) -> str: ...
        @property
        def path(self) -> str: ...
        @property
        def now(self) -> datetime: ...
        @property
        def files(self) -> int: ...
        @property
        def account(self) -> str: ...
        @property
        def run(self) -> str: ...
        @property
        def before(self) -> SnapshotInfo | None: ...
        @property
        def unsaved(self) -> str: ...
        @property
        def kept_for(self) -> str: ...
        @property
        def earlier(self) -> str: ...
        @property
        def forced(self) -> Sequence[str]: ...
        @property
        def objections(self) -> Sequence[str]: ...
        @property
        def has_api(self) -> bool: ...
        @property
        def pairing(self) -> OneRequest | None: ...
        @property
        def trouble(self) -> str: ...
        @property
        def exit_code(self) -> ExitCode: ...


def plan_text(report: Report) -> str:
    """Given what a reset would do, return it for whoever has to say yes."""
    who = f" of {report.account}" if report.account else ""
    return "\n".join(
        [
            f"company {printable(report.company)}  {printable(report.path)}",
            *_wrapped(
                f"{counted(report.files, 'file')}{who} would be set aside, undoably for {report.kept_for}, and the "
                "bot would have to be paired anew with a QR code. WhatsApp refuses new devices for hours at times: "
                "what is set aside stays until a pairing has succeeded."
            ),
            *_wrapped(report.unsaved),
        ]
    )


def reset_text(report: Report) -> str:
    """Given what a reset did, or would do, return it as text."""
    if not report.run:
        refused = [
            f"  would be refused: {printable(sign)} (--force goes on all the same)"
            for sign in report.objections
        ]
        return "\n".join([plan_text(report), *refused, "  dry run: nothing was touched"])
    lines = [f"company {printable(report.company)}  {printable(report.path)}"]
    if report.earlier:
        lines += _wrapped(report.earlier)
    lines += [f"  overridden: {printable(sign)}" for sign in report.forced]
    lines += _wrapped(f"{counted(report.files, 'file')} set aside for {report.kept_for}; to have them back:")
    lines.append(f"  {command('baileys-tools undo --company {} --run {}', report.company, report.run)}")
    if report.before is not None:
        lines += _wrapped(f"the last snapshot of it is {report.before.file}")
    if report.unsaved:
        lines += _wrapped(report.unsaved)
    if report.trouble:
        lines += _wrapped(report.trouble)
    if report.pairing is not None:
        lines += _wrapped(report.pairing.said)
        lines += _wrapped(report.pairing.next_step)
    elif not report.has_api:
        lines += _wrapped("No bot_api is configured: start the bot, and scan the QR code that it shows.")
    elif report.trouble or not report.pairing:
        lines += _wrapped(f"Pair it with: {command('baileys-tools qr --company {}', report.company)}")
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return wrapped(printable(text), 80, "  ")


def reset_json(report: Report) -> str:
    """Given what a reset did, or would do, return its JSON document."""
    pairing = report.pairing
    result = {
        "company": name_text(report.company),
        "path": name_text(report.path),
        "status": "reset" if report.run else "planned",
        "files": report.files,
        "account": report.account,
        "run": report.run or None,
        "kept_for": report.kept_for,
        "snapshot": report.before.file if report.before is not None else None,
        "unsaved": report.unsaved,
        "overridden": [name_text(sign) for sign in report.forced],
        "objections": [name_text(sign) for sign in report.objections],
        "paired": pairing.done if pairing is not None else None,
        "trouble": report.trouble or (pairing.said if pairing is not None and not pairing.done else ""),
        "earlier": report.earlier,
    }
    return envelope("reset", report.now, report.exit_code, result)
