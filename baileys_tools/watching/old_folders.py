"""What rollbacks have left beside session folders, as findings."""

from collections.abc import Sequence
from datetime import datetime

from baileys_tools.findings import Finding
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.watching.rules.health_surroundings import old_folder_findings


def left_beside(root: Root, company: Company, now: datetime) -> list[Finding]:
    """Return what a rollback has left beside the folder of a company. Where no name says so, that costs nothing."""
    if not root.may_have_left(company):
        return []
    from baileys_tools.sessions.leftovers import old_folders_beside

    try:
        with root.open(company) as folder:
            return list(old_folder_findings(company.id, old_folders_beside(root, company, folder, now)))
    except OSError:
        return []  # that it cannot be opened is a finding already


def left_without_company(root: Root, companies: Sequence[Company], now: datetime) -> list[Finding]:
    """Return what rollbacks have left of companies that have no folder."""
    if not root.left:
        return []
    from baileys_tools.sessions.leftovers import old_folders_without_company

    return list(old_folder_findings("", old_folders_without_company(root, companies, now)))
