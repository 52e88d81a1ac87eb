"""Whose sessions a store holds: tenants that are there twice, or called as no company can be."""

from collections.abc import Sequence

from baileys_tools.units import quoted, some_of


def twins(tenants: Sequence[str]) -> list[str]:
    """Given tenants, return those that stand there as `company_<tenant>` as well: a migration of one program files
    `962302` and `company_962302`."""
    known = set(tenants)
    return [one for one in tenants if f"company_{one}" in known]


def told_of_twins(found: Sequence[str]) -> str:
    """Given what `twins` returned, return it in words, "" for none."""
    if not found:
        return ""
    return f"in the store twice, with and without company_: {some_of(list(found))}; one of each is stale"


def told_of_nameless(found: Sequence[str]) -> str:
    """Given tenants whose names no company can have, return it in words, "" for none."""
    if not found:
        return ""
    return f"called as no company can be, and so looked after by nobody: {some_of([quoted(one) for one in found])}"
