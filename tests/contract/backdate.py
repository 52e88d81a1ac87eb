"""Has the memory of a store that keeps no times say since when each record has stood so, as months of looks would.

python backdate.py STATE < {"<file>": <ms since 1970>, ...}
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from baileys_tools.sessions.stored.rules.files import short_hash


def main() -> None:
    written = json.load(sys.stdin)
    for path in Path(sys.argv[1]).rglob("*.seen"):
        memory = json.loads(path.read_text())
        key = bytes.fromhex(memory["key"])
        for name, ms in written.items():
            called = short_hash(key)(name)
            if called in memory["seen"]:
                memory["seen"][called][1] = int(ms) * 1_000_000
        path.write_text(json.dumps(memory))


if __name__ == "__main__":
    main()
