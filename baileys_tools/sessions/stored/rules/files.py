"""A store's records as the files of a folder, and back: what each cell means, and what cannot be understood of them."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from baileys_tools.sessions.rules.keyfiles import Kind, sort_by_kind
from baileys_tools.sessions.rules.records import (
    CREDS,
    Form,
    NoValue,
    RecordName,
    canonical,
    file_name,
    fixed,
    in_form,
    is_canonical,
    is_type,
    misfiled,
    record_of,
)
from baileys_tools.sessions.rules.snapshot import may_be_stored
from baileys_tools.stores.rules.codecs import CODECS, Codec, Unwrapped
from baileys_tools.stores.rules.mapping import RedisMap, SqlMap
from baileys_tools.stores.rules.rows import CREDS_TYPE, Cell, Change


class Misfit(NamedTuple):
    """A row that no client of its store can read, or that nobody knows: where it stands, and why. `meant` is the record
    that it was to be, where that can be told."""

    row: str
    why: str
    meant: RecordName | None = None


class Contents(Mapping[str, bytes]):
    """What the files of a session hold, each made when it is first asked for: most commands look into few of them."""

    def __init__(self, cells: Mapping[str, Cell], mapped: SqlMap | RedisMap) -> None:
        self._cells = cells
        self._mapped = mapped
        self._made: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> bytes:
        if name not in self._made:
            self._made[name] = file_content(self._cells[name], self._mapped)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._cells

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)


class Files(NamedTuple):
    """A session of a store as files: their content by name, the cell of each, what is none, and the names by kind."""

    content: Contents
    cells: Mapping[str, Cell]
    misfits: tuple[Misfit, ...]
    mapped: SqlMap | RedisMap
    kinds: Mapping[Kind, Sequence[str]]

    def unread(self) -> list[str]:
        """Return the names of what cannot be understood, in order; each stays as it is written. All of it is parsed."""
        return sorted(name for name, cell in self.cells.items() if _understood(cell, self.mapped) is None)


def codec_of(mapped: SqlMap | RedisMap) -> Codec:
    """Return how a store writes values."""
    return CODECS[mapped.codec]


def as_files(cells: Iterable[Cell], mapped: SqlMap | RedisMap) -> Files:
    """Given the cells of a session, return them as a folder has them."""
    named = [(_called(cell), cell) for cell in cells]
    kinds = _kinds({name for name, _ in named})
    known = {*chain.from_iterable(kinds.values())}
    by_name: dict[str, Cell] = {}
    misfits: list[Misfit] = []
    for name, cell in named:
        if name in known:
            if name in by_name:
                misfits.append(Misfit(_row(cell), f"the same record as {_row(by_name[name])}"))
            else:
                by_name[name] = cell
        elif record_of(name) is not None:
            misfits.append(Misfit(_row(cell), "a name that no folder can hold"))
        else:
            meant = misfiled(cell.type, cell.id) if cell.type else None
            why = f"filed under {cell.type!r}" if meant else "no record that Baileys knows"
            misfits.append(Misfit(_row(cell), why, meant))
    return Files(Contents(by_name, mapped), by_name, tuple(misfits), mapped, kinds)


def _called(cell: Cell) -> str:
    """Return what the file of a cell is called; "" for a row of no type that Baileys has."""
    type_, key_id, *_ = cell
    if is_type(type_):
        return file_name((type_, key_id))
    if type_:
        return CREDS if type_ == CREDS_TYPE and not key_id else ""
    # A type without an id, or `creds` in a store that calls its creds otherwise, is no record.
    return "" if is_type(key_id[:-1]) or key_id == CREDS_TYPE else fixed(f"{key_id}.json")


def _kinds(names: Collection[str]) -> dict[Kind, list[str]]:
    """Return by kind which names are those of creds or records, and can stand in a folder; told for all of them at
    once. What fits a grammar can."""
    if "\0" in "".join(names):
        names = [name for name in names if "\0" not in name]
    return {
        kind: own if kind.traits.grammar else [name for name in own if may_be_stored(name)]
        for kind, own in sort_by_kind(names).items()
        if kind.traits.is_record or kind is Kind.CREDS
    }


def misfit_cells(cells: Iterable[Cell], files: Files) -> list[tuple[RecordName, Cell]]:
    """Given the cells of a session and what they are as files, return those filed under half a type with what they were
    to be, where that record does not stand rightly."""
    found = {}
    for cell in cells:
        meant = misfiled(cell.type, cell.id) if cell.type and cell.type != CREDS_TYPE else None
        if meant is not None and file_name(meant) not in files.content:
            found[meant] = cell
    return list(found.items())


def _row(cell: Cell) -> str:
    return f"{cell.type}|{cell.id}" if cell.type and cell.type != CREDS_TYPE else cell.id or "creds"


def file_content(cell: Cell, mapped: SqlMap | RedisMap) -> bytes:
    """Given a cell, return the content of its file: canonical, or as it is written where it cannot be understood."""
    written = as_written(cell)
    if not _field_of(cell, mapped) and codec_of(mapped).is_plain and is_canonical(written):
        return written  # whether or not it is a value
    found = _understood(cell, mapped)
    return written if found is None else found


def as_written(cell: Cell) -> bytes:
    """Return what a cell holds, as it is."""
    return cell.text.encode("utf-8", "surrogateescape")


def _field_of(cell: Cell, mapped: SqlMap | RedisMap) -> str:
    return mapped.creds_field if isinstance(mapped, SqlMap) and cell.type == CREDS_TYPE else ""


def _understood(cell: Cell, mapped: SqlMap | RedisMap) -> bytes | None:
    field = _field_of(cell, mapped)
    try:
        text = _from_field(cell.text, field) if field else codec_of(mapped).unwrap(cell.text)
        return canonical(text.encode("utf-8", "surrogateescape"))
    except (Unwrapped, NoValue, UnicodeEncodeError):
        return None


def change_of(
    name: str,
    content: bytes | None,
    before: Cell | None,
    mapped: SqlMap | RedisMap,
    written_ns: int | None = None,
) -> Change | None:
    """Given a file's name and content (None: it is gone) and the cell that it was read from, return what is to change.

    None for a file that is no record: it cannot stand in a store. Raises NoValue for content that no client reads,
    where a record stands or a column takes none.
    """
    cell_text = None if before is None else before.text
    if name == CREDS:
        type_, key_id = CREDS_TYPE, ""
    elif before is not None:
        type_, key_id = before.type, before.id
    else:
        record = record_of(name)
        if record is None:
            return None
        type_, key_id = _place_of(record, mapped)
    if content is None:
        return Change(type_, key_id, cell_text, None)
    codec = codec_of(mapped)
    try:
        text = in_form(content, Form(codec.buffers)).decode()
    except NoValue:
        if before is not None or codec.is_jsonb:
            raise
        # It was no value when it was taken out, and comes back as it stood.
        return Change(type_, key_id, None, content.decode("utf-8", "surrogateescape"), written_ns)
    field = mapped.creds_field if isinstance(mapped, SqlMap) and name == CREDS else ""
    after = _to_field(text, cell_text, field) if field else codec.wrap(text, cell_text)
    return Change(type_, key_id, cell_text, after, written_ns)


def _place_of(record: RecordName, mapped: SqlMap | RedisMap) -> tuple[str, str]:
    key_id = fixed(record.id) if mapped.ids == "fixed" else record.id
    if isinstance(mapped, SqlMap) and not mapped.key:
        return record.type, key_id
    return "", f"{record.type}-{key_id}"


def _from_field(cell: str, field: str) -> str:
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        raise Unwrapped("no JSON") from None
    if not isinstance(found, dict) or field not in found:
        raise Unwrapped(f"no {field} in it")
    return json.dumps(found[field], ensure_ascii=False, separators=(",", ":"))


def _to_field(text: str, before: str | None, field: str) -> str:
    """Put creds back where they were among what else a program keeps with them."""
    try:
        known = json.loads(before) if before else {"keys": {}}
    except (ValueError, RecursionError):
        known = {"keys": {}}
    whole = {field: json.loads(text), **{key: value for key, value in known.items() if key != field}}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
