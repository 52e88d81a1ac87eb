"""What tells one database of SQL from another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

from baileys_tools.stores.cells import StoreTrouble


class Dialect(Protocol):
    """What tells one database from another. `%s` stands for a value in every statement."""

    def run(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement and return its cursor. Raises StoreTrouble."""

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """Yield the rows of a question, few at a time in memory. Raises StoreTrouble."""

    def transaction(self, *, writes: bool, lasts: bool = True) -> AbstractContextManager[None]:
        """A transaction that sees one moment; rolled back when its body raises. A writing one that need not last does
        not wait for the disk: a power cut may undo it, and bots wait for less long."""

    def each_changed_one(self, sql: str, rows: Sequence[Sequence[Any]]) -> bool:
        """Run one statement with the values of each row, in a transaction, and return whether it changed one row with
        each; where it did not, the transaction is to be rolled back. Raises StoreTrouble."""

    def text_of(self, column: str, *, is_json: bool) -> str:
        """Return the expression for a column's text."""

    def ns_of(self, table: str, column: str) -> str:
        """Return the expression for a time column, as nanoseconds since 1970. Raises StoreTrouble."""

    def time_value(self, table: str, column: str, written_ns: int) -> Any:
        """Return a time as a column takes it. Raises StoreTrouble."""

    def json_value(self) -> str:
        """Return the placeholder of a value that goes into a JSON column."""

    by_code_point: str
    """The collation in which a text is equal to itself alone."""

    def summed(self, sql: str, names: str) -> str:
        """Given a question for `names`, a value `v` and a time `ns`, return one that answers these and how many bytes
        of values there are up to each row; beyond what a session may hold, no value comes any more."""

    def near(self, table: str, key: str, prefix: str) -> tuple[str, tuple[Any, ...]]:
        """Return a condition, with its values, that an index of a key column answers and that is true of at least all
        keys with a prefix."""


def quoted_name(name: str) -> str:
    """Return the name of a table or column as SQL has it; a dot tells the schema of a table."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


@contextmanager
def committed(db: Dialect, begin: str) -> Iterator[None]:
    """Run the body in the transaction that a statement begins: committed at its end, rolled back when it raises."""
    try:
        db.run(begin)
        yield
        db.run("COMMIT")
    except BaseException:
        with suppress(StoreTrouble):
            db.run("ROLLBACK")
        raise
