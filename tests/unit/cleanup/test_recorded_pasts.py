"""What `policy try` says of lives of the real client, against what they cost (`make rules`, the default rule).

Each file of fixtures/pasts is what the cleanups of one life had noted at its end, and how many group messages were late
in it.
"""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path

import pytest

from baileys_tools.cleanup.rules.trying import try_rule
from baileys_tools.cleanup.rules.uses import days_known, read_uses
from baileys_tools.limits import Policy

PASTS = sorted((Path(__file__).parents[3] / "fixtures" / "pasts").iterdir())


@pytest.mark.parametrize("path", PASTS, ids=[path.name for path in PASTS])
def test_the_default_rule_would_have_cost_what_it_did(path: Path) -> None:
    past = json.loads(gzip.decompress(path.read_bytes()))
    now, uses = datetime.fromisoformat(past["now"]), read_uses(*past["uses"])
    policy = Policy()
    roomy = policy._replace(thresholds=policy.thresholds._replace(danger=1_000))
    found = try_rule(uses, roomy, 10, (), now, min(past["days"], days_known(uses, now)))
    assert past["late"] > 50
    assert abs(found.group_messages - past["late"]) <= past["late"] * 0.2
