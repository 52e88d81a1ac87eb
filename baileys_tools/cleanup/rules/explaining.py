"""Why each file of a plan goes or stays."""

from datetime import datetime

from baileys_tools.cleanup.rules.policy import CleanupPlan, Reason, Verdict
from baileys_tools.sessions.rules.clock import nanoseconds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import REMOVED_BY_AGE, Kind, Removed
from baileys_tools.sessions.rules.silence import silent_since

_USUAL_REASON = {
    Removed.NEVER: Reason.PROTECTED,
    Removed.KEPT: Reason.KIND_KEPT,
    Removed.BY_AGE: Reason.YOUNG,
    Removed.BY_NUMBER: Reason.PRE_KEY_NEWEST,
}
"""Why a file stays when nothing more is said of it than the rule of its kind."""


def explain(folder: FolderFacts, plan: CleanupPlan, now: datetime, *, kept: bool = True) -> list[Verdict]:
    """Given a folder and its plan, return the verdict on every file, or with `kept` false on the removed ones."""
    now_ns = nanoseconds(now)
    removed = {name for unit in plan.removals for name in unit}
    verdicts = []
    for kind, names in folder.names.items():
        gone = Reason.PRE_KEY_OVER_LIMIT if kind is Kind.PRE_KEY else Reason.OLD
        usual = Reason.UNKNOWN if kind is Kind.UNKNOWN else _USUAL_REASON[kind.traits.removed]
        has_age = kind in REMOVED_BY_AGE
        for name in names:
            remove = name in removed
            if not (remove or kept):
                continue
            age_ns, silent_ns = None, 0
            if has_age:
                written_ns = folder.stats[name].st_mtime_ns
                age_ns, silent_ns = max(0, now_ns - written_ns), silent_since(plan.silences, written_ns)
            reason = gone if remove else plan.exceptions.get(name, usual)
            verdicts.append(Verdict(name, kind, remove, reason, age_ns, silent_ns))
    return verdicts
