"""Which values do not go together, each of which is valid by itself."""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from baileys_tools.config.companies import own_values
from baileys_tools.config.schema import ASCENDING, MANAGERS
from baileys_tools.config.section import OF_COMPANY, Schema


class Mismatch(NamedTuple):
    """What does not go together: the settings, and it in words that begin with the last of them."""

    paths: tuple[str, ...]
    told: str


def out_of_order(schema: Schema, values: Mapping[str, Any], origin: Mapping[str, str]) -> Iterator[Mismatch]:
    """Yield each setting that has to be raised, as it is not above all those before it."""
    for ladder in ASCENDING:
        steps = [path for path in ladder if path in values]
        for place, path in enumerate(steps[1:], 1):
            highest = max(steps[:place], key=values.__getitem__)
            if values[path] <= values[highest]:
                shown, limit = (schema.settings[one].show(values[one]) for one in (path, highest))
                found, above = f"{shown} ({origin[path]})", f"{limit} ({origin[highest]})"
                told = f"{path}: {found} has to be above {highest}, which is {above}"
                yield Mismatch((path, highest), told)


def of_companies_together(
    schema: Schema, values: Mapping[str, Any], origin: Mapping[str, str]
) -> Iterator[str]:
    """Yield what does not go together once a company has its own values, and those of the patterns that it fits.

    What stands in one template, or under one pattern, is said once of that, however many companies have it.
    """
    own = own_values(values)
    all_values, all_origins = dict(values), dict(origin)
    said = set()
    for company in own:
        where = {path: there for key in own.keys_for(company) for path, there in own[key].items()}
        merged = ChainMap({path: values[there] for path, there in where.items()}, all_values)
        origins = ChainMap({path: origin[there] for path, there in where.items()}, all_origins)
        for one in (*out_of_order(schema, merged, origins), *two_managers(merged, origins)):
            if where.keys().isdisjoint(one.paths):
                continue  # said of all companies
            holders = {where.get(path, path).removesuffix(path) for path in one.paths} - {""}
            line = (holders.pop() if len(holders) == 1 else f"{OF_COMPANY}{company}.") + one.told
            if line not in said:
                said.add(line)
                yield line


def two_managers(values: Mapping[str, Any], origin: Mapping[str, str]) -> Iterator[Mismatch]:
    """Yield what is wrong where a bot is said to run under more than one."""
    paths = (f"process.{manager}" for manager in MANAGERS)
    named = tuple(path for path in paths if values.get(path) is not None)
    if len(named) > 1:
        shown = " and ".join(f"{path} ({origin[path]})" for path in named)
        yield Mismatch(named, f"process: {shown}: give the one that the bot runs under")
