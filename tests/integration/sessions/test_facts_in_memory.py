"""What a plan is told of a session in memory is what a scan of its folder says."""

import os
from pathlib import Path

import pytest

from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import sort_by_kind
from baileys_tools.sessions.scan import scan_folder
from baileys_tools.sessions.stored.rules.facts import facts_of
from tests.stores.shapes import SESSION


def plain(facts: FolderFacts) -> FolderFacts:
    return facts._replace(
        names={kind: [*names] for kind, names in facts.names.items()},
        stats={name: (one.st_size, one.st_mtime_ns) for name, one in facts.stats.items()},  # type: ignore[misc]
    )


@pytest.mark.parametrize("unused", [True, False])
@pytest.mark.parametrize("kept", [0, 50, 10_000])
@pytest.mark.parametrize("without", ["", "creds.json"])
def test_facts_of_files_in_memory_are_those_of_their_folder(
    unused: bool, kept: int, without: str, tmp_path: Path
) -> None:
    content, times = {}, {}
    for number, path in enumerate(sorted(SESSION.glob("*.json"))):
        if path.name == without:
            continue
        content[path.name], times[path.name] = path.read_bytes(), 1_700_000_000_000_000_000 + number
        (tmp_path / path.name).write_bytes(content[path.name])
        os.utime(tmp_path / path.name, ns=(times[path.name], times[path.name]))
    folder = os.open(tmp_path, os.O_RDONLY)
    scanned = scan_folder(folder, kept, unused=unused)
    os.close(folder)
    assert isinstance(scanned.creds, Creds) is not bool(without)
    assert len(scanned.stats) > (20 if kept < 10_000 else 5)
    assert plain(facts_of(content, sort_by_kind(content), times, kept, unused=unused)) == plain(scanned)
