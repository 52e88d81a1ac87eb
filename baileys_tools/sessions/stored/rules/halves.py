"""What a change of a session in two stores leaves half done, where it dies between them: noted before, told after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from baileys_tools.stores.rules.rows import CREDS_TYPE, Cell, Change


def note_of(changes: Iterable[Change]) -> str:
    """Given changes that belong together, return what tells later whether the keys' part was made alone; "" where it
    cannot be: creds that go, go first."""
    creds = key = None
    for one in changes:
        if one.type == CREDS_TYPE:
            creds = one
        else:
            key = key or one
    if creds is None or creds.after is None or key is None:
        return ""
    # All keys change at once or none does, so one of them tells.
    return json.dumps({"creds": _digest(creds.before), "key": [key.type, key.id, _digest(key.after)]})


def is_half(note: str, cells: Iterable[Cell]) -> bool:
    """Given a note and the cells of the session as they are, return whether its keys are new and its creds are not."""
    try:
        told = json.loads(note)
        wanted, (type_, key_id, after) = told["creds"], told["key"]
    except (ValueError, KeyError, TypeError):
        return False
    found = {(cell.type, cell.id): cell.text for cell in cells}
    creds, key = found.get((CREDS_TYPE, "")), found.get((type_, key_id))
    return bool(_digest(creds) == wanted and _digest(key) == after)


def _digest(text: str | None) -> str:
    return "" if text is None else hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
