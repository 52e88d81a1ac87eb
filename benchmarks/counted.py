"""What each rule costs over many lives, counted without the client: a second a life (docs/policy.md).

    python -m benchmarks.counted [--seeds 1 2 3] [--days 60]

The lives are those of `make rules` (agenda.mjs), each lived by `try_rule` with every use of every key known. Beside the
rules, `until` is counted with other orders of what goes first; the last of them knows who writes next.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from baileys_tools.cleanup.rules.trying import PastCost, try_rule
from baileys_tools.cleanup.rules.uses import DAY, MEMORY, OWN, PEER, SESSION, Use, Uses
from baileys_tools.limits import Gentle, Policy
from benchmarks.rules import NAMES

UNTIL = 120
NEVER = 10_000 * DAY
_ROOMY = Policy()._replace(thresholds=Policy().thresholds._replace(danger=10_000))


class ByAge(Use):
    """A key of which no use before the last is known, as without a state: the oldest goes first."""

    __slots__ = ()

    def used_before(self, last: int) -> int:
        """Return 0, the same for all."""
        return 0


class ByThirdUse(Use):
    """A key that goes by its last use but two, and of equals by the last but one."""

    __slots__ = ()

    def used_before(self, last: int) -> int:
        """Return both in one number."""
        before = super().used_before(last)
        return super().used_before(before) * NEVER + before


class Foreseen(Use):
    """A key of which the next use is known: the one that is used latest, or never again, goes first."""

    __slots__ = ()

    def used_before(self, last: int) -> int:
        """Return what is the lower the longer it takes until the next use."""
        return NEVER - min((end for end in self.gaps[1::2] if end > last), default=NEVER)


ORDERS = {"by age alone": ByAge, "by the third use": ByThirdUse, "foreseen": Foreseen}


def agendas(seeds: list[int], days: int) -> Iterator[dict[str, Any]]:
    """Return who writes when in each life."""
    command = ["node", str(Path(__file__).with_name("agenda.mjs")), str(days), *map(str, seeds)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    yield from map(json.loads, told.splitlines())


def uses_of(agenda: Mapping[str, Any], make: Callable[..., Use] = Use) -> Uses:
    """Given who writes when, return when each key of the bot's folder is used, in minutes since 1970."""
    used: dict[tuple[str, str, object], set[int]] = defaultdict(set)
    for moment in agenda["moments"]:
        at, group = round(moment["day"] * DAY), f"{moment.get('group')}"
        match moment["does"]:
            case "contactWrites":
                used[SESSION, "", (moment["contact"], moment["device"])].add(at)
            case "botWrites":
                # It writes to all devices of the contact, and to the account's phone.
                for device, _ in enumerate(agenda["contacts"][moment["contact"]]["devices"]):
                    used[SESSION, "", (moment["contact"], device)].add(at)
                used[SESSION, "", "phone"].add(at)
            case "memberWrites":
                used[PEER, group, moment["member"]].add(at)
            case "botSends":
                used[OWN, group, None].add(at)
                used[MEMORY, group, None].add(at)
    found = {}
    for key, moments in used.items():
        ordered = sorted(moments)
        gaps = tuple(chain.from_iterable(pairwise(ordered)))
        found[str(key)] = make(*key[:2], ordered[0], ordered[-1], gaps)
    return Uses(1, round(max(moment["day"] for moment in agenda["moments"]) * DAY), found)


def counted(uses: Uses, policy: Policy, days: int) -> PastCost:
    """Return what a cleanup a day by a policy costs, at the hour at which rules.mjs has it."""
    end = datetime.fromtimestamp(0, UTC) + timedelta(days=days + 0.55)
    return try_rule(uses, policy, 0, (), end, days)


def lived(agenda: Mapping[str, Any], days: int) -> dict[str, PastCost]:
    """Given one life, return what each rule costs in it, and `until` by other orders."""
    found = {
        name or "default": counted(uses_of(agenda), rule.of(_ROOMY), days) for name, rule in NAMES.items()
    }
    until = _ROOMY._replace(gentle=Gentle(until=UNTIL))
    for order, make in ORDERS.items():
        found[f"until: {UNTIL}, {order}"] = counted(uses_of(agenda, make), until, days)
    return found


def main() -> None:
    """Print for each rule how many group messages are late in each life, and the files kept on average."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--days", type=int, default=60)
    asked.add_argument("--seeds", type=int, nargs="+", default=list(range(1, 16)))
    wanted = asked.parse_args()
    lives = [lived(agenda, wanted.days) for agenda in agendas(wanted.seeds, wanted.days)]
    whole = sum(life["default"].group_messages for life in lives)
    for rule in lives[0]:
        costs = [life[rule] for life in lives]
        late = [cost.group_messages for cost in costs]
        files = sum(cost.files for cost in costs) / len(costs)
        of_each = " ".join(f"{count:>3}" for count in late)
        print(f"{rule:44} {sum(late):>6,} {sum(late) / whole:>5.0%} {files:>4.0f} files  {of_each}")


if __name__ == "__main__":
    main()
