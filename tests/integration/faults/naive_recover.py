"""What a recovery by hand is: python naive_recover.py SNAPSHOT FOLDER removes the folder and copies the snapshot."""

from __future__ import annotations

import os
import shutil
import sys


def main(source: str, target: str) -> None:
    shutil.rmtree(target)
    os.mkdir(target)
    for name in sorted(os.listdir(source)):
        shutil.copy2(os.path.join(source, name), os.path.join(target, name))


main(*sys.argv[1:])
