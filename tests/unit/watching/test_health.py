"""The rules of health as pure functions: boundaries by table, and what has to hold for any folder at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.finding_codes import CODES
from baileys_tools.findings import Finding, Severity
from baileys_tools.sessions.rules.counting import count_files
from baileys_tools.sessions.rules.creds import Address, Creds, CredsState
from baileys_tools.sessions.rules.folder import FolderFacts, Oddity
from baileys_tools.sessions.rules.fullness import HealthRules, worst_first
from baileys_tools.sessions.rules.inspected import Elsewhere, Inspected
from baileys_tools.sessions.rules.keyfiles import Kind, sort_by_kind
from baileys_tools.sessions.rules.surroundings import Space
from baileys_tools.watching.rules.health import (
    activity_findings,
    cheap_findings,
    host_findings,
    unreadable_folder,
)
from baileys_tools.watching.rules.health_surroundings import space_findings
from baileys_tools.watching.rules.inspection import inspect, kind_rows
from baileys_tools.watching.rules.inspection_rules import broken_findings

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
RULES = HealthRules()
CREDS = Creds(Address("4917000000001", 17), Address("270996591579169", 17), 31, 31, paired=True)
PLENTY = Space(10**12, 10**12, 10**9, 10**9)
SEVERITIES = list(Severity)


class Stat:
    """A file's stat, as far as rules look."""

    def __init__(
        self, age: timedelta = timedelta(), mode: int = 0o100600, uid: int = 1000, size: int = 2
    ) -> None:
        self.st_mtime_ns = int((NOW - age).timestamp()) * 1_000_000_000
        self.st_mode, self.st_uid, self.st_size, self.st_ino = mode, uid, size, 1


def listing(names: Iterable[str], creds: Creds | CredsState = CREDS) -> FolderFacts:
    return FolderFacts(sort_by_kind(names), {}, creds)


def sessions(count: int) -> list[str]:
    return [f"session-49{n:010}.0.json" for n in range(count)]


def by_code(findings: Iterable[Finding]) -> Mapping[str, Finding]:
    found = list(findings)
    assert len({finding.code for finding in found}) == len(found), "a finding is told by its code alone"
    return {finding.code: finding for finding in found}


# --- how full -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counted", "severity", "level", "limit"),
    [
        (149, None, "", 0),
        (150, Severity.WARNING, "warning", 150),
        (169, Severity.WARNING, "warning", 150),
        (170, Severity.CRITICAL, "critical", 170),
        (174, Severity.CRITICAL, "critical", 170),
        (175, Severity.CRITICAL, "trigger", 175),
        (179, Severity.CRITICAL, "trigger", 175),
        (180, Severity.EMERGENCY, "emergency", 180),
        (185, Severity.EMERGENCY, "emergency", 180),
        (186, Severity.EMERGENCY, "danger", 185),
    ],
)
def test_each_level_has_its_severity_and_says_value_limit_and_next_step(counted, severity, level, limit):
    # One of them is creds.json, and a pre-key keeps another finding away.
    names = ["creds.json", "pre-key-30.json", *sessions(counted - 2)]
    found = by_code(cheap_findings("1001", listing(names), RULES, NOW))
    if severity is None:
        assert "file-count" not in found
        return
    finding = found["file-count"]
    assert finding.severity is severity
    assert f"{counted} counted files" in finding.message
    assert f"level {level} (limit {limit})" in finding.message
    assert "baileys-tools cleanup --company 1001" in finding.action


def test_no_message_says_that_a_high_count_causes_a_logout():
    found = cheap_findings("1", listing(["creds.json", *sessions(5_000)]), RULES, NOW)
    text = " ".join(finding.message + finding.action for finding in found).lower()
    assert not any(word in text for word in ("logout", "log out", "logged out", "banned", "disconnect"))


@given(fixed=st.integers(0, 400), removable=st.integers(0, 400), unremovable=st.integers(0, 900))
def test_a_level_that_no_cleanup_can_lower_is_never_more_than_a_warning(fixed, removable, unremovable):
    names = [
        "creds.json",
        "pre-key-30.json",
        *sessions(removable),
        *(f"tctoken-{n}@lid.json" for n in range(fixed)),
    ]
    facts = listing(names)
    found = by_code(cheap_findings("1", facts, RULES, NOW, strictest_leaves=unremovable))
    counted = 2 + fixed + removable
    stay = max(2 + fixed, min(unremovable, counted))
    limits = [150, 170, 175, 180, 186]
    level, reachable = (sum(number >= limit for limit in limits) for number in (counted, stay))
    expected = ["", "warning", "critical", "critical", "emergency", "emergency"][level]
    if level and reachable == level:
        expected = "warning"
    assert (found["file-count"].severity.value if "file-count" in found else "") == expected


@given(st.lists(st.integers(1, 2_000), unique=True, max_size=1_200), st.booleans())
def test_the_count_is_what_the_cleanup_policy_counts(ids, guard):
    from baileys_tools.cleanup.rules.policy import plan_cleanup
    from baileys_tools.limits import Limits, Policy

    facts = FolderFacts(
        sort_by_kind(["creds.json", *(f"pre-key-{i}.json" for i in ids)]),
        {f"pre-key-{i}.json": Stat() for i in ids},
        CREDS,
    )
    policy = Policy(Limits(timedelta(days=14), timedelta(days=3), 50), pre_key_guard=guard)
    plan = plan_cleanup(facts, policy, NOW)
    assert count_files(facts, 50, guard=guard).counted == plan.counted_before


@pytest.mark.parametrize(
    ("mappings", "others", "is_said"),
    [(48, 0, False), (50, 47, True), (50, 48, False), (100, 97, True), (100, 98, False)],
)
def test_most_files_are_lid_mappings_from_half_and_fifty_on(mappings, others, is_said):
    names = ["creds.json", "pre-key-30.json", *sessions(others)]
    names += [f"lid-mapping-{n}{end}.json" for n in range(mappings // 2) for end in ("", "_reverse")]
    assert ("mostly-lid-mappings" in by_code(cheap_findings("1", listing(names), RULES, NOW))) is is_said


# --- creds --------------------------------------------------------------------------------------------------

UNPAIRED = CREDS._replace(paired=False)


@pytest.mark.parametrize(
    ("names", "creds", "was_linked", "code"),
    [
        ([], CredsState.MISSING, False, "not-linked-yet"),
        ([], CredsState.MISSING, True, "creds-missing"),
        (["notes.txt"], CredsState.MISSING, False, "creds-missing"),
        (["creds.json"], CredsState.EMPTY, False, "creds-empty"),
        (["creds.json"], CredsState.UNREADABLE, False, "creds-unreadable"),
        (["creds.json"], UNPAIRED, False, "not-linked-yet"),
        (["creds.json"], UNPAIRED, True, "creds-unpaired"),
        (["creds.json", "session-1.0.json"], UNPAIRED, False, "creds-unpaired"),
        (["creds.json", "app-state-sync-key-AAAA.json"], UNPAIRED, False, "creds-unpaired"),
        (["creds.json", "pre-key-1.json"], UNPAIRED, False, "creds-unpaired"),
        (["creds.json", "notes.txt"], UNPAIRED, False, "not-linked-yet"),
    ],
)
def test_what_is_lost_is_told_from_what_has_not_begun(names, creds, was_linked, code):
    found = by_code(cheap_findings("1", listing(names, creds), RULES, NOW, was_linked=was_linked))
    about_creds = [found for found in found if found.startswith(("creds", "not-linked"))]
    assert about_creds == [code]
    expected = Severity.NOTICE if code == "not-linked-yet" else Severity.EMERGENCY
    assert found[code].severity is expected


def test_keys_that_no_version_reads_are_written_anew_before_anything_is_restored():
    creds = CREDS._replace(lacks="noiseKey.private", is_written=True, versions=frozenset())
    (found,) = [
        one
        for one in cheap_findings("1", listing(["creds.json"], creds), RULES, NOW)
        if one.code == "creds-incomplete"
    ]
    assert found.action.index("explain creds-form") < found.action.index("restore --company 1")


# --- keys ---------------------------------------------------------------------------------------------------

GROUP = "120363041234567890@g.us"
OWN, OWN_LID = "4917000000001--17", "270996591579169_1--17"


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        ([f"sender-key-{GROUP}--{OWN}.json", f"sender-key-memory-{GROUP}.json"], set()),
        ([f"sender-key-{GROUP}--{OWN_LID}.json", f"sender-key-memory-{GROUP}.json"], set()),
        ([f"sender-key-memory-{GROUP}.json"], {"memory-without-own-key"}),
        # A peer's key, and that of the account's own phone, are not the bot's.
        ([f"sender-key-{GROUP}--49--0.json", f"sender-key-memory-{GROUP}.json"], {"memory-without-own-key"}),
        ([f"sender-key-{GROUP}--4917000000001--0.json"], set()),
        (["sender-key-memory-status@broadcast.json"], set()),
        ([f"sender-key-{GROUP}--{OWN}.json"], {"own-key-without-memory"}),
        (["lid-mapping-49.json", "lid-mapping-77_reverse.json"], set()),
        (["lid-mapping-49.json"], {"lid-mapping-without-twin"}),
        (["lid-mapping-77_reverse.json"], {"lid-mapping-without-twin"}),
        (["app-state-sync-version-regular.json"], {"app-state-keys-missing"}),
        (["app-state-sync-version-regular.json", "app-state-sync-key-AAAA.json"], set()),
        (["creds.json.bak", "session-1.0.json.tmp", "x~"], {"leftover-files"}),
        (["notes.txt"], {"unknown-files"}),
    ],
)
def test_keys_that_miss_each_other_are_found_by_name(names, codes):
    found = by_code(cheap_findings("1", listing(["creds.json", "pre-key-30.json", *names]), RULES, NOW))
    assert set(found) == codes


@pytest.mark.parametrize(
    "beside",
    [["sessions.json", "pre-keys.json"], ["session", "pre-key", "sender-key"], ["keys.db"]],
    ids=["a file for each type", "a folder for each type", "a database"],
)
def test_keys_in_another_form_are_no_healthy_folder_and_no_proven_loss(beside: list[str]) -> None:
    found = by_code(cheap_findings("1", listing(["creds.json", *beside]), RULES, NOW))
    assert found["unknown-files"].severity is Severity.WARNING
    assert "nothing but" in found["unknown-files"].message
    assert found["pre-keys-gone"].action.startswith("Nothing, where the bot keeps its keys in another way")
    lost = by_code(cheap_findings("1", listing(["creds.json"]), RULES, NOW))
    assert lost["pre-keys-gone"].action.startswith("Bring them back: ")


@pytest.mark.parametrize(
    ("groups", "options"),
    [
        ([GROUP], f"--group {GROUP}"),
        ([GROUP, f"{GROUP[:-5]}1@g.us"], "--group"),
        (["4917-160000000@g.us"], "--all"),
    ],
)
def test_a_memory_without_its_key_is_cured_while_the_bot_runs(groups, options):
    names = ["creds.json", "pre-key-30.json", *(f"sender-key-memory-{group}.json" for group in groups)]
    found = by_code(cheap_findings("1", listing(names), RULES, NOW))["memory-without-own-key"]
    assert f"baileys-tools resend-group-keys --company 1 {options}" in found.action
    assert "4917-" not in found.action


@pytest.mark.parametrize(
    ("unknown", "known", "severity"),
    [
        (9, 1, Severity.NOTICE),
        (9, 0, Severity.WARNING),
        (10, 89, Severity.WARNING),
        (10, 99, Severity.NOTICE),
        (40, 2, Severity.WARNING),
    ],
)
def test_many_files_of_no_known_kind_are_no_healthy_folder(unknown, known, severity):
    strangers = [f"message-secret-4917000000{i:03}.json" for i in range(unknown)]
    names = ["creds.json", *strangers, *(f"session-49170000{i:03}.0.json" for i in range(known))]
    found = by_code(cheap_findings("1", listing(names), RULES, NOW))["unknown-files"]
    assert found.severity is severity
    if severity is Severity.WARNING:
        assert f"{unknown} message-secret-*" in found.message
    assert "4917" not in found.message, "whose number it is"


@pytest.mark.parametrize(
    ("next_id", "ids", "code"),
    [
        (31, [30], None),
        (31, [29], "pre-key-last-missing"),
        (31, [], "pre-keys-gone"),
        (1, [], None),
        (None, [], None),
    ],
)
def test_the_last_pre_key_is_looked_for(next_id, ids, code):
    names = ["creds.json", *(f"pre-key-{i}.json" for i in ids)]
    creds = CREDS._replace(next_pre_key_id=next_id)
    found = by_code(cheap_findings("1", listing(names, creds), RULES, NOW))
    assert list(found) == ([code] if code else [])


# --- time and room ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("idle", "severity"),
    [
        (timedelta(days=13, hours=23), None),
        (timedelta(days=14), Severity.WARNING),
        (timedelta(days=24, hours=23), Severity.WARNING),
        (timedelta(days=25), Severity.CRITICAL),
        (-timedelta(days=1), None),
    ],
)
def test_silence_has_two_limits(idle, severity):
    found = activity_findings("1", NOW - idle, RULES, NOW)
    silent = [finding.severity for finding in found if finding.code == "no-activity"]
    assert silent == ([severity] if severity else [])
    held = [finding.code for finding in found if finding.code != "no-activity"]
    assert held == (["cleanup-held-silent"] if severity is None and idle > timedelta() else [])


@pytest.mark.parametrize(
    ("free", "free_inodes", "found"),
    [
        (500_000_000, 10_000, []),
        (499_999_999, 10_000, [("disk-low", "warning")]),
        (49_999_999, 10_000, [("disk-low", "critical")]),
        (500_000_000, 9_999, [("inodes-low", "warning")]),
        (500_000_000, 999, [("inodes-low", "critical")]),
    ],
)
def test_room_has_two_limits(free, free_inodes, found):
    space = Space(10**12, free, 10**6, free_inodes)
    assert [(one.code, one.severity.value) for one in space_findings("", space, RULES)] == found


def test_a_file_system_without_a_limit_on_inodes_is_never_short_of_them():
    assert list(space_findings("1", Space(10**12, 10**12, 0, 0), RULES)) == []


def test_no_companies_is_an_emergency_only_where_there_were_some():
    assert host_findings(3, "/srv") == []
    assert [one.severity for one in host_findings(0, "/srv")] == [Severity.WARNING]
    (lost,) = host_findings(0, "/srv", companies_before=4)
    assert lost.severity is Severity.EMERGENCY
    assert "where there were 4" in lost.message
    assert "ls -ld /srv" in lost.action
    (lost,) = host_findings(0, "redis://h/0", companies_before=4, store_trouble="connection refused")
    assert lost.message.endswith(", where there were 4: connection refused")
    assert "ls -ld" not in lost.action
    assert [one.code for one in host_findings(1, "/srv", state_trouble="it is full")] == ["state-unreadable"]


# --- for any folder -----------------------------------------------------------------------------------------

KINDS_OF_NAMES = st.one_of(
    st.text(min_size=1, max_size=30).filter(lambda text: "/" not in text and "\0" not in text),
    st.builds("session-{}.{}.json".format, st.integers(0, 99), st.integers(0, 9)),
    st.builds("pre-key-{}.json".format, st.integers(1, 1_000)),
    st.builds(
        "sender-key-{}--{}--{}.json".format,
        st.sampled_from([GROUP, "status@broadcast"]),
        st.sampled_from(["49", "4917000000001", "270996591579169_1"]),
        st.sampled_from([0, 17]),
    ),
    st.builds("sender-key-memory-{}.json".format, st.sampled_from([GROUP, "status@broadcast"])),
    st.builds("lid-mapping-{}{}.json".format, st.integers(0, 20), st.sampled_from(["", "_reverse"])),
    st.sampled_from(["creds.json", "device-list-4.json", "app-state-sync-version-regular.json", "a.bak"]),
)
ANY_CREDS = st.one_of(
    st.sampled_from(CredsState),
    st.builds(
        Creds,
        me=st.sampled_from([None, Address("4917000000001", 17), Address("4917000000001", None)]),
        lid=st.sampled_from([None, Address("270996591579169", 17)]),
        next_pre_key_id=st.none() | st.integers(0, 1_000),
        first_unuploaded_pre_key_id=st.none() | st.integers(0, 1_000),
        paired=st.booleans(),
    ),
)
ANY_COMPANY = st.text(
    st.characters() | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF), min_size=1, max_size=20
)


@given(ANY_COMPANY, st.sets(KINDS_OF_NAMES, max_size=60), ANY_CREDS, st.booleans())
def test_whatever_is_in_a_folder_findings_are_documented_printable_and_in_order(
    company, names, creds, was_linked
):
    found = cheap_findings(company, listing(names, creds), RULES, NOW, was_linked=was_linked)
    by_code(found)
    for finding in found:
        assert SEVERITIES.index(finding.severity) <= [str(one) for one in SEVERITIES].index(
            CODES[finding.code].worst
        )
        assert finding.company == company
        assert (finding.message + finding.action).isprintable()
        assert all(isinstance(value, int | float | str) for value in finding.facts.values())
        assert "4917000000001" not in finding.message + finding.action + str(finding.facts)
    assert found == worst_first(found)


@given(st.sets(KINDS_OF_NAMES, max_size=60), ANY_CREDS)
def test_a_deep_look_says_nothing_twice_and_misses_nothing_that_a_cheap_one_says(names, creds):
    facts = listing(names, creds)
    stats = {name: Stat() for kind in facts.names.values() for name in kind}
    seen = Inspected(facts, stats, False, PLENTY, present=frozenset(names))
    deep = by_code(inspect("1", "", seen, Elsewhere(), RULES, NOW).findings)
    cheap = by_code(cheap_findings("1", facts, RULES, NOW))
    assert set(cheap) - {"lid-mapping-without-twin"} <= set(deep)
    assert sum(sum(row.by_age) for row in kind_rows(seen, NOW)) == facts.file_count


@given(
    st.dictionaries(st.integers(0, 6).map(str), st.integers(10, 16).map(str), max_size=7),
    st.dictionaries(st.integers(10, 16).map(str), st.integers(0, 6).map(str), max_size=7),
)
def test_a_mapping_is_alone_when_the_file_it_points_to_is_not_there(forward, reverse):
    mappings = {f"lid-mapping-{a}.json": b for a, b in forward.items()}
    mappings |= {f"lid-mapping-{a}_reverse.json": b for a, b in reverse.items()}
    facts = listing(["creds.json", "pre-key-30.json", *mappings])
    stats = {name: Stat() for name in mappings}
    seen = Inspected(facts, stats, False, PLENTY, mappings=mappings, present=frozenset(mappings))
    alone = [a for a, lid in forward.items() if lid not in reverse]
    alone += [a for a, number in reverse.items() if number not in forward]
    evidence = inspect("1", "", seen, Elsewhere(), RULES, NOW).evidence
    assert len(evidence.get("lid-mapping-without-twin", [])) == len(alone)


@given(ANY_COMPANY, st.text(max_size=40))
def test_no_error_of_the_system_reaches_a_terminal_raw(company, why):
    finding = unreadable_folder(company, why)
    assert (finding.message + finding.action).isprintable()


def test_the_age_table_counts_each_file_once_and_a_future_file_as_new():
    ages = [-5, 0, 0.9, 1, 2.9, 3, 6.9, 7, 13.9, 14, 29.9, 30, 400]
    names = sessions(len(ages))
    stats = {name: Stat(timedelta(days=age)) for name, age in zip(names, ages, strict=True)}
    (row,) = kind_rows(Inspected(listing(names), stats, False, PLENTY), NOW)
    assert (row.kind, row.files, row.size) == (Kind.SESSION, 13, 26)
    assert row.by_age == (3, 2, 2, 2, 2, 2)
    assert (row.newest, row.oldest) == (timedelta(), timedelta(days=400))


@pytest.mark.parametrize(
    ("names", "said"),
    [([], "missing, and no other file is there:"), (["session-1.0.json"], "missing, beside 1 other file:")],
)
def test_what_else_is_left_of_a_session_is_said(names, said):
    facts = listing(names, CredsState.MISSING)
    (found,) = [
        one for one in cheap_findings("1", facts, HealthRules(), NOW, was_linked=True) if "creds" in one.code
    ]
    assert said in found.message


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("creds.v2.json", "Does the bot itself keep its creds as creds.v2.json?"),
        ("creds.json.enc", "Does the bot itself keep its creds as creds.json.enc?"),
        ("creds.json.backup.1790000000000", "Stop the bot before it writes"),
        ("creds.backup.json", "Stop the bot before it writes"),
        ("creds.json~", "Stop the bot before it writes"),
    ],
)
def test_missing_creds_beside_others_may_be_no_loss(name: str, told: str) -> None:
    facts = listing(["session-4917.0.json"], CredsState.MISSING)._replace(creds_copies=(name,))
    found = by_code(cheap_findings("1001", facts, RULES, NOW))["creds-missing"]
    assert found.action.startswith(told) and f"{name} is there" in found.action


def test_a_link_that_leads_nowhere_may_be_a_volume_that_is_not_mounted() -> None:
    link = Oddity("creds.json", "a symbolic link")
    facts = listing(["session-4917.0.json"], CredsState.MISSING)._replace(oddities=(link,))
    found = by_code(cheap_findings("1001", facts, RULES, NOW))
    assert found["creds-missing"].message.startswith("creds.json is a symbolic link, and what it leads to")
    assert found["creds-missing"].action.startswith("Is its volume mounted")
    assert "creds-linked" not in found


@pytest.mark.parametrize(
    ("names", "way"),
    [
        (["session-4917.0.json"], "renew-sessions --company 1001 --broken"),
        (["session-4917.0.json", "pre-key-3.json"], "restore --company 1001"),
        (["app-state-sync-key-AAAAAA.json"], "restore --company 1001"),
    ],
)
@pytest.mark.parametrize("code", ["key-files-torn", "key-files-empty"])
def test_torn_sessions_alone_are_renewed_and_not_restored(code: str, names: list[str], way: str) -> None:
    (found,) = broken_findings("1001", {code: names})
    assert f"baileys-tools {way} --dry-run" in found.action
