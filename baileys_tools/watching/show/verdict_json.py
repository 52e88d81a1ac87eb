"""How a company is, as JSON: the same fields in every command's result."""

from typing import Any

from baileys_tools.frame.show.json_text import name_text
from baileys_tools.watching.rules.verdict import CompanyVerdict


def verdict_facts(verdict: CompanyVerdict) -> dict[str, Any]:
    """Given how a company is, return it for JSON: the same two fields in every command's."""
    reason = verdict.reason
    why = (
        None
        if reason is None
        else {"code": reason.code, "severity": reason.severity.value, "message": name_text(reason.message)}
    )
    return {"state": verdict.state.value, "why": why}
