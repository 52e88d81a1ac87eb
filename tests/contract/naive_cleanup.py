"""The cleanup that many bots run: names by prefix, age by mtime, the newest pre-keys by mtime.

It is here to fail: a contract test that it passes would prove nothing.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

DAY_S = 24 * 60 * 60


def main() -> None:
    now = time.time()
    for company in Path(os.environ["BAILEYS_SESSIONS_PATH"]).iterdir():
        for path in company.glob("session-*.json"):
            if now - path.stat().st_mtime > 14 * DAY_S:
                path.unlink()
        for path in company.glob("sender-key-*.json"):
            if path.name.startswith("sender-key-memory-"):
                continue
            if now - path.stat().st_mtime > 3 * DAY_S:
                path.unlink()
        newest_first = sorted(company.glob("pre-key-*.json"), key=lambda path: -path.stat().st_mtime)
        for path in newest_first[50:]:
            path.unlink()


if __name__ == "__main__":
    main()
