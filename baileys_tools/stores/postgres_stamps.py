"""What tells one state of a session in Postgres from another: one question for all, and no value is read for it.

Each version of a row has a place of its own (`ctid`) and the transaction that wrote it (`xmin`), so the sum over a
session's rows moves with whatever is written, inserted or removed. After a restart of the server, which could be
another one by then, no sum is as before.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from baileys_tools.stores.dialect import Dialect, quoted_name
from baileys_tools.stores.rules.mapping import SqlMap
from baileys_tools.stores.sql import SqlTables, columns_of

FEW = 10
"""Sessions that are asked for one by one: an index finds each of them."""
_SUM = "concat(count(*), ' ', sum(hashtextextended(concat(ctid, ' ', xmin), 0)))"
_PLAIN = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND NOT relhassubclass AND oid IN ({})"
"""Rows of a view, a foreign table or partitions have no such marks, or not all of them."""


def stamps(tables: SqlTables, db: Dialect, tenants: Collection[str]) -> dict[str, str]:
    """As `Store.stamps`."""
    mapped = tables.mapped
    names = [quoted_name(table) for table in columns_of(mapped)]
    with db.transaction(writes=False):
        marks = ", ".join(["CAST(%s AS regclass)"] * len(names))
        (plain,) = next(iter(db.rows(_PLAIN.format(marks), names)))
        if plain != len(names):
            return {}
        (began,) = next(iter(db.rows("SELECT pg_postmaster_start_time()")))
        if len(tenants) <= FEW:
            found = {one: "; ".join(_of_one(tables, db, one)) for one in tenants}
        else:
            found = _of_all(tables, db, tenants)
    return {tenant: f"{began} {text}" for tenant, text in found.items()}


def _of_one(tables: SqlTables, db: Dialect, tenant: str) -> list[str]:
    return [
        str(row[0])
        for table, (where, values) in tables.places_of(tenant).items()
        for row in db.rows(f"SELECT {_SUM} FROM {quoted_name(table)} WHERE {where}", values)
    ]


def _of_all(tables: SqlTables, db: Dialect, tenants: Collection[str]) -> dict[str, str]:
    """Sessions of a prefix whose names begin alike, up to what stands behind a name, share what is told of them."""
    mapped = tables.mapped
    after = tables.after
    if not mapped.tenant and (not mapped.prefix or not after):
        return {}
    apart = {mapped.creds_table: mapped.creds_tenant} if mapped.creds_table else {}
    if not all(apart.values()):
        return {}
    sums: dict[str, list[str]] = {}
    for group, total in db.rows(*_grouped(tables, mapped)) if mapped.table else ():
        sums.setdefault(str(group), []).append(str(total))
    for table, column in apart.items():
        sql = f"SELECT CAST({quoted_name(column)} AS TEXT), {_SUM} FROM {quoted_name(table)} GROUP BY 1"
        for group, total in db.rows(sql):
            sums.setdefault(str(group), []).append(f"; {total}")
    groups = {tenant: tenant.split(after)[0] if mapped.prefix else tenant for tenant in tenants}
    return {tenant: "".join(sums[group]) for tenant, group in groups.items() if group in sums}


def _grouped(tables: SqlTables, mapped: SqlMap) -> tuple[str, tuple[Any, ...]]:
    table = quoted_name(mapped.table)
    if mapped.tenant:
        return f"SELECT CAST({quoted_name(mapped.tenant)} AS TEXT), {_SUM} FROM {table} GROUP BY 1", ()
    where, values = tables.begins(tables.before)
    whose = f"split_part(substr({quoted_name(mapped.key)}, %s), %s, 1)"
    sql = f"SELECT {whose}, {_SUM} FROM {table} WHERE {where} GROUP BY 1"
    return sql, (len(tables.before) + 1, tables.after, *values)
