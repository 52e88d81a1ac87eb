"""`serve` that is killed (-9) right before the Nth thing that it does for an action: a file of it, or its process.

Arguments: N, then those of the command.
"""

from __future__ import annotations

import os
import signal
import sys

EVENTS = ("open", "os.rename", "os.remove", "subprocess.Popen")
FOLDER = "/page/actions/"


def main() -> None:
    left = int(sys.argv.pop(1))

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event not in EVENTS:
            return
        # A look is a process as well, and has nothing to do with any action.
        words = arguments[1] if event == "subprocess.Popen" else arguments
        texts = [os.fsdecode(one) for one in words if isinstance(one, str | bytes)]  # type: ignore[attr-defined]
        is_of_one = "baileys_tools" in texts if event == "subprocess.Popen" else FOLDER in "".join(texts)
        left -= is_of_one
        if is_of_one and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    from baileys_tools.cli import main as begin

    begin()


if __name__ == "__main__":
    main()
