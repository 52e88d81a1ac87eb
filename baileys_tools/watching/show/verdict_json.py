"""How a company is, as JSON: the same fields in every command's result."""

from typing import Any

from baileys_tools.frame.show.json_text import name_text
from baileys_tools.watching.rules.verdict import CompanyVerdict


def verdict_facts(verdict: CompanyVerdict | None) -> dict[str, Any]:
    """Given how a company is (None: nobody could look), return it for JSON: two fields."""
    if verdict is None:
        return {"state": None, "why": None}
    reason = verdict.reason
    if reason is None:
        return {"state": verdict.state.value, "why": None}
    why = {"code": reason.code, "severity": reason.severity.value, "message": name_text(reason.message)}
    return {"state": verdict.state.value, "why": why}
