"""What a pass tells of keys in a form that the bot cannot use: by the oldest of each kind, which nobody writes anew."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from baileys_tools.config import Settings
from baileys_tools.findings import Finding, Severity
from baileys_tools.sessions.roots import Root
from baileys_tools.watching.looking import look_at_all
from fixtures.lay import lay

NOW = datetime.now(UTC).replace(microsecond=0)


def told(root: Path) -> Finding | None:
    with Root(str(root)) as opened:
        looks, _ = look_at_all(opened, opened.companies(), {}, {}, Settings(), NOW)
    (look,) = looks.values()
    return next((one for one in look.findings if one.code == "key-files-form"), None)


def write_states(path: Path) -> None:
    """As Baileys up to 6.7.18 wrote a sender-key; it is as old as before."""
    seen = path.stat()
    path.write_bytes(base64.b64decode(json.loads(path.read_text())["data"]))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def write_by_index(path: Path) -> None:
    """As a plain `JSON.stringify` writes a `Uint8Array`."""
    pair = {
        half: {str(n): byte for n, byte in enumerate(base64.b64decode(one["data"]))}
        for half, one in json.loads(path.read_text()).items()
    }
    path.write_text(json.dumps(pair))


def test_a_pass_reads_the_oldest_sender_key(tmp_path: Path) -> None:
    root = lay("long-lived-v7", tmp_path, NOW)
    keys = [path for path in root.glob("*/sender-key-*") if "-memory-" not in path.name]
    keys.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
    write_states(keys[-1])
    assert told(root) is None, "a younger one is for inspect to find"
    write_states(keys[0])
    found = told(root)
    assert found is not None
    assert found.severity is Severity.CRITICAL
    assert "only Baileys 6 reads: the bot neither reads nor writes" in found.message


def test_what_a_bot_up_to_6_7_18_writes_is_nothing_to_warn_of(tmp_path: Path) -> None:
    root = lay("healthy-v6", tmp_path, NOW)
    for path in root.glob("*/sender-key-*"):
        if "-memory-" not in path.name:
            write_states(path)
    assert told(root) is None


def test_a_pass_reads_the_lowest_pre_key(tmp_path: Path) -> None:
    root = lay("healthy-v6", tmp_path, NOW)
    lowest = min(root.glob("*/pre-key-*"), key=lambda path: int(path.stem.removeprefix("pre-key-")))
    assert told(root) is None
    write_by_index(lowest)
    found = told(root)
    assert found is not None
    assert found.severity is Severity.WARNING
    assert "only Baileys 7 reads: a 6 cannot read a new chat" in found.message
