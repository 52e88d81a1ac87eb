"""What is known of a bot's process, and what of it a person should know."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from baileys_tools.findings import Finding, Severity


class ProcessFacts(NamedTuple):
    """One look at a process. None: not told.

    `what` names it (`pm2 shop`). `running` is None where nobody could say, and `detail` says why. `restarts` is
    the manager's own count since it knows the process; `memory` is in bytes; `instances` are processes of that
    name; `stopped` is when it last ended, of one that does not run (aware; only systemd tells).
    """

    what: str
    running: bool | None
    detail: str = ""
    pid: int | None = None
    restarts: int | None = None
    memory: int | None = None
    started: datetime | None = None
    instances: int = 1
    stopped: datetime | None = None

    def to_remember(self) -> dict[str, Any]:
        """Return what the next look compares with, as JSON."""
        return {
            "what": self.what,
            "pid": self.pid,
            "restarts": self.restarts,
            "started": _stamp(self.started),
        }


def restarts_since(before: Mapping[str, Any] | None, seen: ProcessFacts) -> int | None:
    """Given what the last look remembered and what is seen now, return how often it was restarted between.

    None for a first look, or where nobody could say. Where the manager counts (PM2, systemd) its counts are
    compared; one that went back began anew. Else another process is one restart.
    """
    if not before or before.get("what") != seen.what or seen.running is None:
        return None
    counted = before.get("restarts")
    if seen.restarts is not None and isinstance(counted, int):
        return seen.restarts - counted if seen.restarts >= counted else seen.restarts
    if seen.pid is None or not isinstance(before.get("pid"), int):
        return None
    return int((seen.pid, _stamp(seen.started)) != (before["pid"], before.get("started")))


def process_findings(company: str, seen: ProcessFacts, since: int | None, burst: int) -> Iterator[Finding]:
    """Given a look at a company's process and its restarts since the last one, yield findings.

    From `burst` restarts on they are one.
    """
    facts: dict[str, int | float | str] = {"process": seen.what}
    if seen.memory is not None:
        facts["memory"] = seen.memory
    if seen.running is False:
        yield Finding(
            "process-down",
            Severity.CRITICAL,
            company,
            f"the bot's process ({seen.what}) does not run" + (f": {seen.detail}" if seen.detail else ""),
            "start it, and see in its log why it ended",
            facts,
        )
    if seen.running is None:
        yield Finding(
            "process-unknown",
            Severity.WARNING,
            company,
            f"whether the bot's process ({seen.what}) runs is not known: {seen.detail}",
            "see that process in the settings names it as its manager does: baileys-tools doctor",
            facts,
        )
    if since is not None and since >= burst:
        yield Finding(
            "restart-burst",
            Severity.WARNING,
            company,
            f"the bot's process ({seen.what}) was restarted {since} times since the last look "
            f"(process.restart_burst: {burst})",
            "see in its log why it ends; each start costs a login, and many of those cost the session",
            facts | {"restarts": since, "limit": burst},
        )


def _stamp(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
