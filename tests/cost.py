"""What each test costs, in seconds of one core: its own and those of the programs it waited for.

Seconds of a clock say little where other work runs beside the tests. At the end it is said what all cost together, and
the dearest are named. CONTRIBUTING.md says what a test of the default run may cost.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Generator

import pytest

LIMIT_S = 10
"""What a test of the default run may cost, with what it makes for others of its kind."""
NAME = "processor seconds"
BEGUN = pytest.StashKey[float]()

elsewhere = 0.0
"""What forks of another process have cost the tests of this one (tests/integration/faults/nursery.py)."""


def used() -> float:
    """Seconds of one core that this process and its ended children have used so far."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return elsewhere + sum(usage.ru_utime + usage.ru_stime for usage in usages)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    item.stash[BEGUN] = used()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "teardown":
        # A report goes from a worker to where the end is told.
        report.user_properties.append((NAME, used() - item.stash[BEGUN]))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    costs: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            costs[getattr(report, "nodeid", "")] += dict(getattr(report, "user_properties", ())).get(NAME, 0)
    total = sum(costs.values())
    if total < LIMIT_S:
        return
    terminalreporter.section(f"{total:.0f} processor seconds; these took more than {LIMIT_S}")
    for test, cost in sorted(costs.items(), key=lambda entry: -entry[1]):
        if cost > LIMIT_S:
            terminalreporter.write_line(f"{cost:6.1f}  {test}")
