"""Which values do not go together, each of which is valid by itself."""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any

from baileys_tools.config.companies import own_values
from baileys_tools.config.schema import ASCENDING, MANAGERS
from baileys_tools.config.section import OF_COMPANY, Schema


def out_of_order(schema: Schema, values: Mapping[str, Any], origin: Mapping[str, str]) -> Iterator[str]:
    """Yield each setting that has to be raised, as it is not above all those before it."""
    for ladder in ASCENDING:
        steps = [path for path in ladder if path in values]
        for place, path in enumerate(steps[1:], 1):
            highest = max(steps[:place], key=values.__getitem__)
            if values[path] <= values[highest]:
                shown, limit = (schema.settings[one].show(values[one]) for one in (path, highest))
                found, above = f"{shown} ({origin[path]})", f"{limit} ({origin[highest]})"
                yield f"{path}: {found} has to be above {highest}, which is {above}"


def of_companies_together(
    schema: Schema, values: Mapping[str, Any], origin: Mapping[str, str]
) -> Iterator[str]:
    """Yield what does not go together once a company has its own values, and those of the patterns that it fits."""
    own = own_values(values)
    all_values, all_origins = dict(values), dict(origin)
    for company in own:
        where = {path: there for key in own.keys_for(company) for path, there in own[key].items()}
        merged = ChainMap({path: values[there] for path, there in where.items()}, all_values)
        origins = ChainMap({path: origin[there] for path, there in where.items()}, all_origins)
        prefix = f"{OF_COMPANY}{company}."
        if not where.keys().isdisjoint(path for ladder in ASCENDING for path in ladder):
            yield from (prefix + problem for problem in out_of_order(schema, merged, origins))
        if not where.keys().isdisjoint(f"process.{manager}" for manager in MANAGERS):
            yield from two_managers(merged, origins, prefix)


def two_managers(values: Mapping[str, Any], origin: Mapping[str, str], prefix: str = "") -> Iterator[str]:
    """Yield what is wrong where a bot is said to run under more than one."""
    paths = (f"process.{manager}" for manager in MANAGERS)
    named = [path for path in paths if values.get(path) is not None]
    if len(named) > 1:
        shown = " and ".join(f"{path} ({origin[path]})" for path in named)
        yield f"{prefix}process: {shown}: give the one that the bot runs under"
