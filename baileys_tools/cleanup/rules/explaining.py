"""Why each file of a plan goes or stays."""

from datetime import datetime

from baileys_tools.cleanup.rules.plan import CleanupPlan, Reason, Verdict
from baileys_tools.sessions.rules.clock import nanoseconds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import REMOVED_BY_AGE, REMOVED_IF_UNUSED, Kind, Removed
from baileys_tools.sessions.rules.silence import silent_since

_USUAL_REASON = {
    Removed.NEVER: Reason.PROTECTED,
    Removed.KEPT: Reason.KIND_KEPT,
    Removed.BY_AGE: Reason.YOUNG,
    Removed.IF_UNUSED: Reason.KIND_KEPT,
    Removed.BY_NUMBER: Reason.PRE_KEY_NEWEST,
}
"""Why a file stays when nothing more is said of it than the rule of its kind."""

_WHY_REMOVED = {Removed.BY_NUMBER: Reason.PRE_KEY_OVER_LIMIT, Removed.IF_UNUSED: Reason.UNUSED}


def explain(folder: FolderFacts, plan: CleanupPlan, now: datetime, *, kept: bool = True) -> list[Verdict]:
    """Given a folder and its plan, return the verdict on every file, or with `kept` false on the removed ones."""
    now_ns = nanoseconds(now)
    removed = {name for unit in plan.removals for name in unit}
    verdicts = []
    for kind, names in folder.names.items():
        gone = _WHY_REMOVED.get(kind.traits.removed, Reason.OLD)
        usual = Reason.UNKNOWN if kind is Kind.UNKNOWN else _USUAL_REASON[kind.traits.removed]
        has_age = kind in REMOVED_BY_AGE | REMOVED_IF_UNUSED
        for name in names:
            remove = name in removed
            if not (remove or kept):
                continue
            age_ns, silent_ns = None, 0
            if has_age and name in folder.stats:
                written_ns = folder.stats[name].st_mtime_ns
                age_ns, silent_ns = max(0, now_ns - written_ns), silent_since(plan.silences, written_ns)
            reason = gone if remove else plan.exceptions.get(name, usual)
            verdicts.append(Verdict(name, kind, remove, reason, age_ns, silent_ns))
    return verdicts
