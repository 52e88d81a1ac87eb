"""What a cleanup script usually does: look at the age, then unlink. The harness must catch it losing writes.

python naive_unlink.py FOLDER [--at-once]

By default all ages are read before the first file goes, as any script with a list of "files to delete" does.
`--at-once` looks and unlinks file by file: the best that stat and unlink can do.
"""

from __future__ import annotations

import sys
import time
from os import scandir, stat, unlink

MAX_AGE_SECONDS = 14 * 24 * 3600


def is_old(path: str) -> bool:
    try:
        return time.time() - stat(path).st_mtime > MAX_AGE_SECONDS
    except FileNotFoundError:
        return False


folder = sys.argv[1]
paths = [entry.path for entry in scandir(folder) if entry.name.startswith("session-")]
if "--at-once" not in sys.argv:
    paths = [path for path in paths if is_old(path)]
for path in paths:
    if "--at-once" not in sys.argv or is_old(path):
        unlink(path)
