"""A service manager with one unit, which is a real process: `systemctl` as the commands call it, first in PATH.

No systemd is started for it: one that finds itself in the root cgroup, as in a container, moves every process there
is into a cgroup of its own.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

SCRIPT = """#!/bin/sh
# $PPID is the command that asks. What a test wants to happen at a moment stands in a file of that name.
place={place}
echo "$*" >> $place/asked
pid=$(cat $place/pid)
runs() {{ read -r _ _ state _ 2>/dev/null < /proc/$pid/stat && [ "$state" != Z ]; }}
at() {{ if [ -f $place/$1 ]; then . $place/$1; fi; }}
end() {{ if runs; then kill $pid; while runs; do sleep 0.02; done; fi; }}
case "$1" in
  show)
    if runs; then state=active; else state=inactive; fi
    printf 'LoadState=loaded\\nActiveState=%s\\nSubState=x\\nNRestarts=0\\nMainPID=%s\\n' $state $pid;;
  stop) at before-stop; end; at after-stop;;
  restart)
    at before-restart; end
    setsid sleep 600 > /dev/null 2>&1 < /dev/null &
    echo $! > $place/pid
    at after-restart;;
esac
"""


class Unit:
    """The unit of company 1001 and what its manager was told. Closed by `with`, which ends its process."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True)
        (place / "pid").write_text("0")
        script = place / "systemctl"
        script.write_text(SCRIPT.format(place=place))
        script.chmod(0o755)

    def __enter__(self) -> Unit:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.runs:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            while self.runs:
                time.sleep(0.01)

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": f"{self.place}:{os.environ['PATH']}",
            "BAILEYS_TOOLS_PROCESS__SYSTEMD": "bot@{company}",
        }

    @property
    def pid(self) -> int:
        return int((self.place / "pid").read_text() or 0)

    @property
    def runs(self) -> bool:
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    @property
    def told(self) -> list[str]:
        """The verbs of all that was asked but looks."""
        asked = (self.place / "asked").read_text().splitlines()
        return [line.split()[0] for line in asked if not line.startswith("show")]

    def start(self) -> None:
        """Start it, as its manager does, and forget what was told."""
        import subprocess

        subprocess.run([self.place / "systemctl", "restart"], check=True, timeout=30)
        (self.place / "asked").write_text("")

    def at(self, moment: str, script: str) -> None:
        """Have `script` run at before-stop, after-stop, before-restart or after-restart; "" for nothing any more."""
        (self.place / moment).write_text(script)
