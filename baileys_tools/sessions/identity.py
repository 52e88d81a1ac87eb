"""Who a session is: its place, the real path of its folder. Its name is what people type, and no more."""

from collections.abc import Iterable

from baileys_tools.sessions.search.way import Company


def identity_of(company: Company) -> str:
    """Return the place of a company: by what is kept that is about it."""
    return company.place


def identities_of(companies: Iterable[Company]) -> dict[str, str]:
    """Return the place of each company by its id. One that has vanished has a place as well."""
    return {company.id: company.place for company in companies}
