"""What each rule costs over sixty days of the real client: the table of docs/policy.md. Run by `make rules`.

Each seed is one life (see rules.mjs), lived once by each rule with a cleanup a day. With `--json FILE` the results are
kept there as they come, a line each, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from baileys_tools.cleanup.rules.trying import RULES, Rule

HERE = Path(__file__).parent
KEEPER = HERE.parent / "tests" / "contract" / "keeper.py"
VERSIONS = ("baileys6", "baileys7")
NAMES = {
    ", ".join(f"{path.removeprefix('cleanup.')}: {value}" for path, value in rule.settings.items()): rule
    for rule in RULES
}


def lived(version: str, seed: int, rule: str, days: int) -> dict[str, Any]:
    """Live one life by one rule and return what rules.mjs says of it."""
    with tempfile.TemporaryDirectory(prefix="rules-") as home:
        kept = ("PATH", "LANG", "NODE_OPTIONS")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        env |= {"HOME": home, "TMPDIR": home, "BAILEYS_TOOLS_STATE_DIR": f"{home}/state"}
        env |= {
            "PYTHONPATH": str(HERE.parent),
            "BAILEYS_TOOLS_THRESHOLDS__DANGER": "1000",
            **_variables(NAMES[rule]),
        }
        script = f"--baileys {version} --seed {seed} --days {days}".split() + (["--try"] if not rule else [])
        command = ["node", str(HERE / "rules.mjs"), *script, "--", sys.executable, str(KEEPER)]
        told = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    report: dict[str, Any] = json.loads(told)
    return {**report, "rule": rule, "days": days}


def _variables(rule: Rule) -> dict[str, str]:
    return {
        f"BAILEYS_TOOLS_{path.upper().replace('.', '__')}": value for path, value in rule.settings.items()
    }


def _all(wanted: argparse.Namespace) -> Iterator[dict[str, Any]]:
    path: Path | None = wanted.json
    done = {}
    if path is not None and path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            one = json.loads(line)
            done[one["baileys"], int(one["seed"]), one["rule"], one["days"]] = one
    for seed, version, rule in product(wanted.seeds, VERSIONS, NAMES):
        life = done.get((version, seed, rule, wanted.days))
        if life is None:
            life = lived(version, seed, rule, wanted.days)
            if path is not None:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(life) + "\n")
        print(_row(life), file=sys.stderr, flush=True)
        yield life


def _row(life: Mapping[str, Any]) -> str:
    group, contact = life["by_kind"]["member"], life["by_kind"]["contact"]
    return (
        f"{life['baileys']} seed {life['seed']} {life['rule']}: {group['failures']} of {group['attempts']} / "
        f"{life['kept']}, contacts {contact['failures']} of {contact['attempts']}, own key {life['key_messages']}"
    )


def table(lives: list[dict[str, Any]]) -> str:
    """Given lives, return the table of docs/policy.md: the sums over the seeds, files on average."""
    lines = [
        "| rule | group messages late | files | chats late | own key sent again |",
        "|---|---|---|---|---|",
    ]
    for rule in NAMES:
        cells = [[], [], [], []]  # type: list[list[str]]
        for version in VERSIONS:
            of = [life for life in lives if (life["rule"], life["baileys"]) == (rule, version)]
            if not of:
                continue
            late = [[life["by_kind"][kind] for life in of] for kind in ("member", "contact")]
            for cell, kind in zip((cells[0], cells[2]), late, strict=True):
                failures, attempts = (sum(one[what] for one in kind) for what in ("failures", "attempts"))
                cell.append(f"{failures:,} of {attempts:,}")
            cells[1].append(str(round(sum(life["kept"] for life in of) / len(of))))
            cells[3].append(f"{sum(life['key_messages'] for life in of):,}")
        lines.append(f"| {rule or 'default'} | " + " | ".join("; ".join(cell) for cell in cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Live all lives, print the table, and return 1 where something failed that no plan had stated."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--days", type=int, default=60)
    asked.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    asked.add_argument("--json", type=Path)
    lives = list(_all(asked.parse_args()))
    print(table(lives))
    bad = [life for life in lives if life["unstated"] or life["lost"]]
    for life in bad:
        print(f"{life['baileys']} seed {life['seed']} {life['rule']}: {life['unstated']} {life['lost']}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
