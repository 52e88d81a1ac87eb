"""What a server of Postgres is, and what stands in the way there, in words: `config check` says it."""

from __future__ import annotations

from baileys_tools.stores.dialect import Dialect, quoted_name
from baileys_tools.stores.rules.mapping import SqlMap
from baileys_tools.stores.sql import columns_of

_ROW_SECURITY = "SELECT row_security_active(CAST(%s AS regclass))"
_BYTES = """
SELECT 1 FROM pg_attribute
WHERE attrelid = CAST(%s AS regclass) AND attname = %s AND atttypid = CAST('bytea' AS regtype)
"""

_FOR_PREFIXES = """
SELECT count(*) FROM pg_index i
JOIN pg_opclass o ON o.oid = i.indclass[0]
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = CAST(%s AS regclass) AND a.attname = %s AND i.indisvalid AND i.indpred IS NULL
  AND o.opcname IN ('text_pattern_ops', 'varchar_pattern_ops')
"""
"""Whether there is an index that LIKE can ask, whatever the order of texts."""


_UNFILLED = """
SELECT CAST(attname AS TEXT) FROM pg_attribute
WHERE attrelid = CAST(%s AS regclass) AND attnum > 0 AND attnotnull AND NOT atthasdef AND attidentity = ''
  AND NOT attisdropped ORDER BY attnum
"""
"""Columns of which a row has to have a value, and gets none by itself."""


def said(mapped: SqlMap, db: Dialect, *, is_by_code_point: bool) -> list[str]:
    """As `Store.said`; where tenants stand in a prefix, also by whether its texts are ordered by code points."""
    (version,) = next(iter(db.rows("SHOW server_version")))
    found = [f"PostgreSQL {version}"]
    (read_only,) = next(iter(db.rows("SHOW transaction_read_only")))
    if read_only == "on":
        found.append(
            "the server takes no changes (a standby, or default_transaction_read_only of this user): sessions can "
            "be watched and backed up, not cleaned"
        )
    for table, columns in columns_of(mapped).items():
        sql = "SELECT bool_and(has_table_privilege(%s, p)) FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) p"
        (writes,) = next(iter(db.rows(sql, (quoted_name(table),))))
        if not writes:
            found.append(f"table {table} can be read only, with the rights of this user")
        (is_partly_seen,) = next(iter(db.rows(_ROW_SECURITY, (quoted_name(table),))))
        if is_partly_seen:
            found.append(
                f"table {table} has row-level security: this user sees and changes only what its policies let it"
            )
        unfilled = [name for (name,) in db.rows(_UNFILLED, (quoted_name(table),)) if name not in columns]
        if unfilled and not (table == mapped.creds_table and mapped.creds_field):
            names = ", ".join(map(quoted_name, unfilled))
            found.append(
                f"nothing is removed from table {table}, as it could not be put back: only the bot's program fills "
                f"{names}. Name the time of the last write (`time`), and have the owner give others a default: "
                f"ALTER TABLE {quoted_name(table)} ALTER {quoted_name(unfilled[0])} SET DEFAULT gen_random_uuid()"
            )
    for table, column in ((mapped.table, mapped.value), (mapped.creds_table, mapped.creds_value)):
        if table and any(db.rows(_BYTES, (quoted_name(table), column))):
            found.append(f"column {column} of table {table} is bytea, and only texts and JSON are read")
    if mapped.prefix and not is_by_code_point and not _has_index_for_prefixes(mapped, db):
        table, key = quoted_name(mapped.table), quoted_name(mapped.key)
        found.append(
            f"table {mapped.table} is searched whole for each session, as its texts are in no order of code "
            f"points; its owner may help it: CREATE INDEX CONCURRENTLY ON {table} ({key} text_pattern_ops)"
        )
    return found


def _has_index_for_prefixes(mapped: SqlMap, db: Dialect) -> bool:
    ((found,),) = db.rows(_FOR_PREFIXES, (quoted_name(mapped.table), mapped.key))
    return bool(found)
