"""What a restore by hand is: python naive_restore.py SNAPSHOT FOLDER copies every file over the folder's."""

from __future__ import annotations

import os
import sys


def main(source: str, target: str) -> None:
    for name in sorted(os.listdir(source)):
        with open(os.path.join(source, name), "rb") as old, open(os.path.join(target, name), "wb") as new:
            new.write(old.read())


main(*sys.argv[1:])
