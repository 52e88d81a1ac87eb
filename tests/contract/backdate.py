"""Has the memory of a store that keeps no times say since when each record has stood so, as months of looks would.

python backdate.py STATE < {"<file>": <ms since 1970>, ...}
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from baileys_tools.sessions.stored.rules.ages import FirstSeen, short_hash


def main() -> None:
    written = json.load(sys.stdin)
    for path in Path(sys.argv[1]).rglob("*.seen"):
        memory = FirstSeen.of_text(path.read_text())
        called = {short_hash(memory.key)(name): int(ms) * 1_000_000 for name, ms in written.items()}
        seen = {name: (what, called.get(name, since)) for name, (what, since) in memory.seen.items()}
        path.write_text(memory.with_seen(seen).text())


if __name__ == "__main__":
    main()
