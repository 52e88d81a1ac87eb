"""Cleans, watches, undoes and tries rules for lives_contract.mjs: one question a line, at the moment of its clock."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from baileys_tools.cleanup.cleaning import run_cleanup
from baileys_tools.cleanup.kept_uses import KEY
from baileys_tools.cleanup.show.cleanup_json import cleanup_json
from baileys_tools.cleanup.show.policy_text import policy_json
from baileys_tools.cleanup.trying import try_policies
from baileys_tools.cleanup.undoing import run_undo
from baileys_tools.config import load_settings
from baileys_tools.state import memory
from baileys_tools.state.database import open_state
from baileys_tools.watching.monitor import run_monitor


def main() -> None:
    root, home = os.environ["BAILEYS_SESSIONS_PATH"], os.environ["HOME"]
    loaded = load_settings({}, dict(os.environ), home=home, cwd=home)
    for line in sys.stdin:
        question = json.loads(line)
        now = datetime.fromtimestamp(question["now"] / 1000, UTC)
        answer: dict[str, Any] = {}
        if question["do"] == "cleanup":
            report = run_cleanup(loaded.settings, root, now)
            (company,) = json.loads(cleanup_json(report, kept_files=False))["companies"]
            answer = {"status": company["status"], "cost": company["plan"]["cost"]}
        elif question["do"] == "watch":
            with open_state(loaded.settings.state.dir, now) as state:
                run_monitor(loaded, state, now, notify=False)
        elif question["do"] == "try":
            tried = try_policies(loaded.settings, root, now, question["days"])
            with open_state(loaded.settings.state.dir, now) as state:
                (uses,) = memory.recall_all(state, KEY).values()
            answer = {"tried": json.loads(policy_json(tried)), "uses": uses}
        else:
            run_undo(loaded.settings, root, now)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
