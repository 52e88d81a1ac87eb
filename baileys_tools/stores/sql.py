"""Sessions in tables: one text of SQL for each question, for Postgres and SQLite alike."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from baileys_tools.stores.aside import aside
from baileys_tools.stores.cells import LARGEST_SESSION, MOST_RECORDS, TOO_LARGE, TOO_MANY, StoreTrouble
from baileys_tools.stores.dialect import Dialect, quoted_name
from baileys_tools.stores.rules.codecs import CODECS
from baileys_tools.stores.rules.mapping import SqlMap, creds_pair, split_template
from baileys_tools.stores.rules.rows import CREDS_TYPE, Cell, Change, Unit, batches

BATCH = 100
"""Rows of one transaction, where not all have to change at once: a bot waits for its row for a few milliseconds."""

WRITTEN_ONCE = ("app-state-sync-key", "lid-mapping")
"""Types of which a record stays as it was first written, so no cleaner may go by its age."""


class _NotAsItWas(Exception):
    pass


_Statement = tuple[str, tuple[Any, ...]]


def columns_of(mapped: SqlMap) -> dict[str, list[str]]:
    """Return by table the columns that a mapping names."""
    keys = [mapped.value, mapped.tenant, mapped.key, mapped.type, mapped.id, mapped.time]
    found = {mapped.table: [one for one in keys if one]} if mapped.table else {}
    if mapped.creds_table:
        creds = [
            mapped.creds_value,
            mapped.creds_tenant,
            mapped.creds_key,
            mapped.creds_time,
            mapped.creds_row,
        ]
        found.setdefault(mapped.creds_table, []).extend(one for one in creds if one)
    return found


class SqlTables:
    """The records of a mapping, over a connection. `abilities`, `locked` and `said` are the database's own."""

    def __init__(self, mapped: SqlMap, db: Dialect) -> None:
        self.mapped = mapped
        self.db = db
        self.codec = CODECS[mapped.codec]
        self.before, self.after = split_template(mapped.prefix) if mapped.prefix else ("", "")
        self._is_apart = bool(mapped.creds_table)
        self._takes_back: set[str] = set()

    # --- whose ---

    def tenants(self) -> list[str]:
        """As `Store.tenants`."""
        mapped, q = self.mapped, quoted_name
        if mapped.is_of_one:
            found = next(iter(self.db.rows(*self._creds_question("1", ""))), None)
            return [""] if found else []
        if self._is_apart:
            column = self.mapped.creds_tenant
            has = f"{q(mapped.creds_value)} IS NOT NULL"
            sql = f"SELECT {self._as_text(column)} FROM {q(mapped.creds_table)} WHERE {has} ORDER BY 1"
            return [str(row[0]) for row in self.db.rows(sql)]
        if mapped.tenant:
            where, values = self._creds_row()
            sql = f"SELECT {self._as_text(mapped.tenant)} FROM {q(mapped.table)} WHERE {where} ORDER BY 1"
            return [str(row[0]) for row in self.db.rows(sql, values)]
        ending = self.after + mapped.creds
        key = q(mapped.key)
        begins, values = self.begins(self.before)
        sql = f"SELECT {key} FROM {q(mapped.table)} WHERE {begins} AND {_ends(key)} ORDER BY 1"
        rows = self.db.rows(sql, (*values, len(ending), ending))
        return [
            key[len(self.before) : -len(ending)] for (key,) in rows if len(key) > len(self.before + ending)
        ]

    def without_creds(self) -> int:
        """As `Store.without_creds`; 0 where only a prefix would tell, as a name can have any character in it."""
        mapped, q = self.mapped, quoted_name
        if not mapped.tenant:
            return 0
        known = set(self.tenants())
        sql = f"SELECT DISTINCT {self._as_text(mapped.tenant)} FROM {q(mapped.table)}"
        return sum(str(row[0]) not in known for row in self.db.rows(sql))

    # --- reading ---

    def cells(self, tenant: str) -> Iterator[Cell]:
        """As `Store.cells`."""
        with self.db.transaction(writes=False):
            if self._is_apart:
                yield from self._creds_apart(tenant)
            if self.mapped.table:
                yield from self._keys(tenant)

    def _creds_apart(self, tenant: str) -> Iterator[Cell]:
        mapped = self.mapped
        ns = self.db.ns_of(mapped.creds_table, mapped.creds_time) if mapped.creds_time else "NULL"
        value = self.db.text_of(quoted_name(mapped.creds_value), is_json=self.codec.is_jsonb)
        sql, values = self._creds_question(f"{value} AS v, {ns} AS ns", tenant)
        for text, written, size in self.db.rows(self.db.summed(sql, ""), values):
            _require_fit(size)
            if text is not None:
                yield Cell(CREDS_TYPE, "", str(text), _whole(written))

    def _creds_question(self, wanted: str, tenant: str) -> tuple[str, tuple[Any, ...]]:
        mapped, q = self.mapped, quoted_name
        if not self._is_apart:
            where, values = self._creds_row()
            return f"SELECT {wanted} FROM {q(mapped.table)} WHERE {where}", values
        where, values = self._creds_place(tenant)
        return f"SELECT {wanted} FROM {q(mapped.creds_table)} WHERE {where}", values

    def _creds_place(self, tenant: str) -> tuple[str, tuple[Any, ...]]:
        """Where creds stand in a table of their own."""
        mapped, q = self.mapped, quoted_name
        parts: list[str] = []
        values: list[str] = []
        if mapped.creds_tenant:
            where, found = self._whose(mapped.creds_tenant, tenant)
            parts.append(where)
            values.extend(found)
        if mapped.creds_key:
            parts.append(f"{q(mapped.creds_key)} = %s")
            values.append(mapped.creds)
        return " AND ".join(parts) or "1 = 1", tuple(values)

    def _creds_row(self) -> tuple[str, tuple[Any, ...]]:
        """Where creds stand among the keys, whosever they are."""
        mapped, q = self.mapped, quoted_name
        if mapped.key:
            return f"{q(mapped.key)} = %s", (mapped.creds,)
        return f"{q(mapped.type)} = %s AND {q(mapped.id)} = %s", creds_pair(mapped)

    def _keys(self, tenant: str) -> Iterator[Cell]:
        mapped, q = self.mapped, quoted_name
        type_, key_id = ("''", q(mapped.key)) if mapped.key else (q(mapped.type), q(mapped.id))
        ns = self.db.ns_of(mapped.table, mapped.time) if mapped.time else "NULL"
        value = self.db.text_of(q(mapped.value), is_json=self.codec.is_jsonb)
        where, values = self._of(tenant)
        sql = f"SELECT {type_} AS t, {key_id} AS i, {value} AS v, {ns} AS ns FROM {q(mapped.table)} WHERE {where}"
        sql = self.db.summed(sql, "t, i, ")
        skip = len(self.before) + len(tenant) + len(self.after) if mapped.prefix else 0
        creds = None if self._is_apart else (("", mapped.creds) if mapped.key else creds_pair(mapped))
        held = 0
        for number, (type_, key_id, text, written, size) in enumerate(self.db.rows(sql, values)):
            if size:
                _require_fit(size)
            if text is None:
                continue  # in every client the same as missing
            given, text = (str(type_), str(key_id)[skip:]), str(text)
            held += len(text) + len(given[1])
            if held > LARGEST_SESSION or number >= MOST_RECORDS:
                raise StoreTrouble(TOO_LARGE if held > LARGEST_SESSION else TOO_MANY)
            type_, key_id = (CREDS_TYPE, "") if given == creds else given
            yield Cell(type_, key_id, text, None if written is None else int(written))

    def places_of(self, tenant: str) -> dict[str, tuple[str, tuple[Any, ...]]]:
        """Return by table where the rows of a session are, with the values for it."""
        places = {self.mapped.table: self._of(tenant)} if self.mapped.table else {}
        return {**places, self.mapped.creds_table: self._creds_place(tenant)} if self._is_apart else places

    def _of(self, tenant: str) -> tuple[str, tuple[Any, ...]]:
        mapped = self.mapped
        if mapped.tenant:
            return self._whose(mapped.tenant, tenant)
        if mapped.prefix:
            return self.begins(self.before + tenant + self.after)
        return "1 = 1", ()

    def _whose(self, column: str, tenant: str) -> tuple[str, tuple[str, ...]]:
        """Whether a row is a tenant's: found by an index, and compared as it is. To a column of another collation
        (NOCASE, citext) `Bot` and `bot` are one, and they are two sessions."""
        exact = f"{self._as_text(column)} COLLATE {self.db.by_code_point} = %s"
        return f"{quoted_name(column)} = %s AND {exact}", (tenant, tenant)

    def begins(self, prefix: str) -> tuple[str, tuple[Any, ...]]:
        """What keys with a prefix are: found by an index where there is one, and compared as they are. `_` is any
        character to LIKE, and names are full of them."""
        key = quoted_name(self.mapped.key)
        near, values = self.db.near(self.mapped.table, self.mapped.key, prefix) if prefix else ("1 = 1", ())
        return f"{near} AND substr({key}, 1, %s) = %s", (*values, len(prefix), prefix)

    def _as_text(self, column: str) -> str:
        return f"CAST({quoted_name(column)} AS TEXT)"

    def expiries(self, tenant: str, changes: Sequence[Change]) -> list[int | None]:
        """As `Store.expiries`: of keys; creds in a table of their own have no such column."""
        mapped, q = self.mapped, quoted_name
        if not mapped.expires:
            return [None] * len(changes)
        names = [mapped.key] if mapped.key else [mapped.type, mapped.id]
        where, values = self._of(tenant)
        try:
            ns = self.db.ns_of(mapped.table, mapped.expires)
            sql = f"SELECT {', '.join(map(q, names))}, {ns} FROM {q(mapped.table)}"
            rows = self.db.rows(f"{sql} WHERE {where} AND {q(mapped.expires)} IS NOT NULL", values)
            found = {tuple(map(str, name)): _whole(ns) for *name, ns in rows}
        except StoreTrouble:
            return [None] * len(changes)  # an older table without that column
        columns = (self._columns(tenant, one) for one in changes)
        return [found.get(tuple(named.get(name, "") for name in names)) for named in columns]

    def expiring(self, tenant: str) -> int:
        """As `Store.expiring`: rows of kinds that are written once, and that the program's own cleaner will take."""
        mapped, q = self.mapped, quoted_name
        if not mapped.expires:
            return 0
        where, values = self._of(tenant)
        kinds = ", ".join(["%s"] * len(WRITTEN_ONCE))
        sql = f"SELECT count(*) FROM {q(mapped.table)} WHERE {where} AND {q(mapped.type)} IN ({kinds})"
        try:
            (found,) = next(
                iter(self.db.rows(f"{sql} AND {q(mapped.expires)} IS NOT NULL", (*values, *WRITTEN_ONCE)))
            )
        except StoreTrouble:
            return 0  # an older table without that column
        return int(found)

    # --- changing ---

    def change(self, tenant: str, units: Sequence[Unit], *, whole: bool) -> list[bool]:
        """As `Store.change`."""
        if whole:
            return [self._all(tenant, units, lasts=True)] * len(units)
        # A removal that a power cut undoes is made again by the next cleanup; its quarantine stands by then.
        lasts = not all(one.is_removal for one in chain.from_iterable(units))
        return [
            made for batch in aside(batches(units, BATCH)) for made in self._batch(tenant, batch, lasts=lasts)
        ]

    def _batch(self, tenant: str, units: Sequence[Unit], *, lasts: bool) -> list[bool]:
        # Nearly always all of it is as it was, and a savepoint a unit would be three questions in place of one.
        if self._all(tenant, units, lasts=lasts):
            return [True] * len(units)
        with self.db.transaction(writes=True, lasts=lasts):
            return [self._one(tenant, unit) for unit in units]

    def _all(self, tenant: str, units: Sequence[Unit], *, lasts: bool) -> bool:
        changes = [*chain.from_iterable(units)]
        statements = self._statements(tenant, changes)
        if all(one.is_removal for one in changes):
            # What asks the database nothing is put together before a bot has to wait.
            statements = iter([*statements])
        untried = [*filter(self._is_untried, changes)]
        try:
            with self.db.transaction(writes=True, lasts=lasts):
                for change in filter(self._is_untried, untried):
                    self._require_way_back(tenant, change)
                self._make(statements)
        except _NotAsItWas:
            return False
        return True

    def _is_untried(self, change: Change) -> bool:
        """Whether a row goes from a table of which nobody knows yet whether it takes one back."""
        table, is_row = self._place(change)
        return change.is_removal and is_row and table not in self._takes_back

    def _require_way_back(self, tenant: str, change: Change) -> None:
        """Raise StoreTrouble where a row that goes could not come back: a column that only its program fills, a right
        or a trigger can be in the way. One row of each table is tried, in a transaction, of which nothing stays."""
        table, _ = self._place(change)
        self.db.run("SAVEPOINT way_back")
        gone, values = self._statement(tenant, change)
        if self.db.each_changed_one(gone, [values]):
            back = change._replace(before=None, after=change.before, written_ns=time.time_ns())
            try:
                sql, values = self._statement(tenant, back)
                why = "" if self.db.each_changed_one(sql, [values]) else "it takes no row in"
            except StoreTrouble as trouble:
                why = str(trouble)
            if why:
                raise StoreTrouble(
                    f"nothing is removed, as it could not be put back into table {table}: {why}"
                )
            self._takes_back.add(table)
        self.db.run("ROLLBACK TO SAVEPOINT way_back")

    def _place(self, change: Change) -> tuple[str, bool]:
        """Return the table of a record, and whether it is a row there; else it is a value of one that stays."""
        if change.type == CREDS_TYPE and self._is_apart:
            return self.mapped.creds_table, not self.mapped.creds_field
        return self.mapped.table, True

    def _one(self, tenant: str, unit: Unit) -> bool:
        self.db.run("SAVEPOINT unit")
        try:
            self._make(self._statements(tenant, unit))
        except _NotAsItWas:
            self.db.run("ROLLBACK TO SAVEPOINT unit")
            return False
        self.db.run("RELEASE SAVEPOINT unit")
        return True

    def _make(self, statements: Iterator[_Statement]) -> None:
        """Make changes, the like ones in a row at once. Raises _NotAsItWas."""
        for sql, alike in groupby(statements, key=itemgetter(0)):
            if not self.db.each_changed_one(sql, [values for _, values in alike]):
                raise _NotAsItWas

    def _statements(self, tenant: str, changes: Iterable[Change]) -> Iterator[_Statement]:
        return (self._statement(tenant, change) for change in changes)

    def _statement(self, tenant: str, change: Change) -> _Statement:
        mapped, q = self.mapped, quoted_name
        is_creds = change.type == CREDS_TYPE
        apart = is_creds and self._is_apart
        table, _ = self._place(change)
        value = mapped.creds_value if apart else mapped.value
        columns = self._columns(tenant, change)
        time = mapped.creds_time if apart else mapped.time
        if change.before is None:
            if change.after is None:
                raise AssertionError("a change of nothing into nothing")
            names, values = [*columns, value], [*columns.values(), change.after]
            marks = ["%s"] * len(columns) + [self.db.json_value() if self.codec.is_jsonb else "%s"]
            if time and change.written_ns is not None:
                names.append(time)
                values.append(self.db.time_value(table, time, change.written_ns))
                marks.append("%s")
            if mapped.expires and not is_creds and change.expires_ns is not None:
                names.append(mapped.expires)
                values.append(self.db.time_value(table, mapped.expires, change.expires_ns))
                marks.append("%s")
            if apart and mapped.creds_row:
                names.append(mapped.creds_row)
                values.append(tenant)
                marks.append("%s")
            if apart and mapped.creds_field:
                # The row is of a table with more in it, which only its program makes.
                where, known = self._whose(mapped.creds_tenant, tenant)
                text = f"UPDATE {q(table)} SET {q(value)} = %s WHERE {where}"
                return f"{text} AND ({q(value)} IS NULL OR {q(value)} = '')", (change.after, *known)
            text = f"INSERT INTO {q(table)} ({', '.join(map(q, names))}) VALUES ({', '.join(marks)})"
            return f"{text} ON CONFLICT DO NOTHING", tuple(values)
        where, known = self._as_it_was(tenant, change)
        if change.after is None:
            if apart and mapped.creds_field:
                return f"UPDATE {q(table)} SET {q(value)} = NULL WHERE {where}", known
            return f"DELETE FROM {q(table)} WHERE {where}", known
        mark = self.db.json_value() if self.codec.is_jsonb else "%s"
        return f"UPDATE {q(table)} SET {q(value)} = {mark} WHERE {where}", (change.after, *known)

    def _as_it_was(self, tenant: str, change: Change) -> tuple[str, tuple[Any, ...]]:
        """Return the condition, with its values, that a record stands as it was read."""
        columns, q = self._columns(tenant, change), quoted_name
        is_apart = change.type == CREDS_TYPE and self._is_apart
        value = q(self.mapped.creds_value if is_apart else self.mapped.value)
        whose = self.mapped.creds_tenant if is_apart else self.mapped.tenant
        where, known = self._whose(whose, columns.pop(whose)) if whose else ("1 = 1", ())
        where += "".join(f" AND {q(name)} = %s" for name in columns)
        where += f" AND {self.db.text_of(value, is_json=self.codec.is_jsonb)} = %s"
        return where, (*known, *map(str, columns.values()), change.before)

    def _columns(self, tenant: str, change: Change) -> dict[str, str]:
        """Return what names a record, by column."""
        mapped = self.mapped
        is_creds = change.type == CREDS_TYPE
        if is_creds and self._is_apart:
            named = {mapped.creds_tenant: tenant} if mapped.creds_tenant else {}
            return {**named, mapped.creds_key: mapped.creds} if mapped.creds_key else named
        named = {mapped.tenant: tenant} if mapped.tenant else {}
        if mapped.key:
            prefix = self.before + tenant + self.after if mapped.prefix else ""
            return {**named, mapped.key: prefix + (mapped.creds if is_creds else change.id)}
        type_, key_id = creds_pair(mapped) if is_creds else (change.type, change.id)
        return {**named, mapped.type: type_, mapped.id: key_id}

    def try_out(self) -> None:
        """Ask for nothing in all tables and columns that the mapping names. Raises StoreTrouble for what is missing."""
        for table, columns in columns_of(self.mapped).items():
            wanted = ", ".join(map(quoted_name, dict.fromkeys(columns)))
            try:
                for _ in self.db.rows(f"SELECT {wanted} FROM {quoted_name(table)} WHERE 1 = 0"):
                    pass
            except StoreTrouble as trouble:
                raise StoreTrouble(f"table {table}: {trouble}") from None


def _require_fit(size: int | None) -> None:
    if size is not None and size > LARGEST_SESSION:
        raise StoreTrouble(TOO_LARGE)


def _ends(key: str) -> str:
    return f"substr({key}, length({key}) - %s + 1) = %s"


def _whole(written: Any) -> int | None:
    return None if written is None else int(written)
