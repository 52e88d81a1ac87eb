"""The keeper that operators write: by prefix and age, at the moment of the life's clock. It states no cost."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

DAYS = {"session-": 14, "sender-key-1": 3, "sender-key-9": 3, "pre-key-": 14}

for line in sys.stdin:
    question = json.loads(line)
    if question["do"] == "cleanup":
        for path in Path(os.environ["BAILEYS_SESSIONS_PATH"], "company_1").iterdir():
            age = question["now"] / 1000 - path.stat().st_mtime
            if any(path.name.startswith(prefix) and age > days * 86_400 for prefix, days in DAYS.items()):
                path.unlink()
    print(
        json.dumps(
            {"cost": {"contacts": 0, "group_senders": 0, "pre_keys": 0, "key_messages": 0, "bundles": 0}}
        ),
        flush=True,
    )
