"""Keys in a session folder that miss each other, as far as their names tell."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.counting import is_version_7
from baileys_tools.sessions.rules.creds import VERSIONS, Creds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of, kind_of
from baileys_tools.sessions.rules.senderkeys import STATUS_BROADCAST, is_memory, sort_by_owner
from baileys_tools.units import counted
from baileys_tools.watching.rules.health_stray import kept_elsewhere


def key_findings(company: str, facts: FolderFacts) -> Iterator[Finding]:
    """Given a listing with what `creds.json` says, yield what is missing among the keys."""
    if isinstance(facts.creds, Creds) and facts.creds.paired:
        yield from _form_findings(company, facts, facts.creds)
        yield from _pre_key_findings(company, facts, facts.creds)
        yield from _sender_key_findings(company, facts)
        yield from _app_state_findings(company, facts)
    yield from _mapping_findings(company, facts)


def _form_findings(company: str, facts: FolderFacts, creds: Creds) -> Iterator[Finding]:
    """A client that does not read the form throws at its login. Names show a 7 for certain, and a 6 never quite."""
    is_7 = is_version_7(facts)
    known = creds.versions & VERSIONS
    if creds.lacks or len(known) != 1 or (is_7 and 7 in known):
        return
    (reads,), (throws,) = known, VERSIONS - known
    whose = (
        f"the {throws} that wrote this folder throws at its login"
        if is_7
        else f"a {throws} throws at its login"
    )
    yield Finding(
        "creds-form",
        Severity.CRITICAL if is_7 else Severity.WARNING,
        company,
        f"creds.json has keys in a form that only Baileys {reads} reads: {whose}",
        "Stop the bot and write them in base64, which both read: baileys-tools explain creds-form",
        {"reads": reads},
    )


def unusable(facts: FolderFacts, used_by: Mapping[str, frozenset[int]]) -> list[str]:
    """Given which versions can use each of some keys, return those that the bot may be unable to use."""
    is_7 = is_version_7(facts)
    return sorted(
        name for name, versions in used_by.items() if versions != VERSIONS and not (is_7 and 7 in versions)
    )


def key_form_findings(
    company: str, facts: FolderFacts, names: Iterable[str], used_by: Mapping[str, frozenset[int]]
) -> Iterator[Finding]:
    """Given such keys, yield what comes of them: a client throws at each use, and writes none of them anew.

    Those that a 6 alone can use are what any 6 up to 6.7.18 writes: no harm before its update.
    """
    found = {kind: what for kind, what in _USE.items() if any(kind_of(name) is kind for name in names)}
    if not found:
        return
    versions = VERSIONS.intersection(*(used_by[name] for name in names))
    is_sure = is_version_7(facts) or not versions
    reads = f"only Baileys {min(versions)} reads" if versions else "no version of Baileys reads"
    is_of_6 = versions == frozenset((6,)) and not is_sure
    whose = f"a {min(VERSIONS - versions)}" if versions and not is_sure else "the bot"
    yield Finding(
        "key-files-form",
        Severity.NOTICE
        if is_of_6
        else Severity.CRITICAL
        if is_sure and Kind.SENDER_KEY in found
        else Severity.WARNING,
        company,
        f"{' and '.join(f'{kind}s' for kind in found)} in a form that {reads}: {whose} {', and '.join(found.values())}",
        ("With an update to Baileys 7, stop" if is_of_6 else "Stop")
        + " the bot and write them in base64, which both read: baileys-tools explain key-files-form",
        {"kinds": ", ".join(found), "reads": ", ".join(map(str, sorted(versions)))},
    )


_USE = {
    Kind.PRE_KEY: "cannot read a new chat's first message",
    Kind.SENDER_KEY: "neither reads nor writes in such a group, even where the key is sent again",
}


def _pre_key_findings(company: str, facts: FolderFacts, creds: Creds) -> Iterator[Finding]:
    """`nextPreKeyId - 1` is the one id that Baileys 7 looks for at login (`verifyCurrentPreKeyExists`).

    The bot itself removes each pre-key on first use, so one that is gone means nothing. None at all is a loss: the
    server asks for more before it has given out its last.
    """
    last = (creds.next_pre_key_id or 0) - 1
    if last < 1:
        return
    pre_keys = facts.of(Kind.PRE_KEY)
    if not pre_keys:
        yield Finding(
            "pre-keys-gone",
            Severity.WARNING,
            company,
            f"no pre-key is left of those up to {last}: the first message of each new chat comes late or not at all",
            f"{_UNLESS if kept_elsewhere(facts) else ''}Bring them back: "
            f"{command('baileys-tools restore --company {} --dry-run', company)}. Baileys 7 makes new ones "
            "at its next login.",
            {"pre_keys": 0, "expected_id": last},
        )
    elif f"pre-key-{last}.json" not in pre_keys:
        yield Finding(
            "pre-key-last-missing",
            Severity.NOTICE,
            company,
            f"pre-key {last}, the newest, is gone; {counted(len(pre_keys), 'other')} there",
            "Nothing to do: a new chat may have used it up. Baileys 7 uploads five more at its next login.",
            {"expected_id": last, "pre_keys": len(pre_keys)},
        )


_UNLESS = "Nothing, where the bot keeps its keys in another way (unknown-files). Else: "


class LoneKeys(NamedTuple):
    """Halves of what is one unit (`senderkeys.py` says why): names of files."""

    memories: tuple[str, ...]
    own_keys: tuple[str, ...]


def lone_keys(facts: FolderFacts) -> LoneKeys:
    """Given a listing, return the memories without an own key in their group, and own keys without a memory.

    A key whose owner only its content could tell is nobody's here.
    """
    if not isinstance(facts.creds, Creds) or facts.creds.me is None:
        return LoneKeys((), ())
    found = sort_by_owner(
        facts.of(Kind.SENDER_KEY), facts.of(Kind.SENDER_KEY_MEMORY), facts.creds, facts.owned_by_content
    )
    memories: list[str] = []
    own_keys: list[str] = []
    for unit in found.units:
        if not is_memory(unit[0]):
            own_keys += [name for name in unit if name not in found.untold]
        elif len(unit) == 1 and key_id_of(unit[0], Kind.SENDER_KEY_MEMORY) != STATUS_BROADCAST:
            memories += unit
    return LoneKeys(tuple(memories), tuple(own_keys))


def _sender_key_findings(company: str, facts: FolderFacts) -> Iterator[Finding]:
    lone = lone_keys(facts)
    if lone.memories:
        from baileys_tools.cures.rules.stale_groups import resend_command

        named = [key_id_of(name, Kind.SENDER_KEY_MEMORY) for name in lone.memories]
        groups = len(named)
        yield Finding(
            "memory-without-own-key",
            Severity.WARNING,
            company,
            f"sender-key-memory without the bot's own sender-key in {counted(groups, 'group')}: no member can "
            "read the bot's next message there at first",
            f"have the bot send its key to everybody, undoably, also while it runs: {resend_command(company, named)}",
            {"groups": groups},
        )
    if lone.own_keys:
        yield Finding(
            "own-key-without-memory",
            Severity.NOTICE,
            company,
            f"{counted(len(lone.own_keys), 'sender-key')} of the bot itself without a memory",
            "Nothing to do: the bot sends its key to everybody again with its next message. A cleanup that took an "
            "old memory takes its key at a later run.",
            {"keys": len(lone.own_keys)},
        )


def _mapping_findings(company: str, facts: FolderFacts) -> Iterator[Finding]:
    """A LID mapping is two files, written at once (baileys `Signal/lid-mapping.js`: `storeLIDPNMappings`).

    Which belongs to which only their content tells. After a change of number or LID one of them can stand for
    two, so unequal numbers alone prove nothing; a whole direction that is missing does.
    """
    names = facts.of(Kind.LID_MAPPING)
    reverse = sum(name.endswith("_reverse.json") for name in names)
    forward = len(names) - reverse
    if forward == reverse:
        return
    is_lost = not forward or not reverse
    yield Finding(
        "lid-mapping-without-twin",
        Severity.WARNING if is_lost else Severity.NOTICE,
        company,
        f"{forward} LID mappings by number, but {reverse} by LID",
        f"See which miss their twin: {command('baileys-tools inspect --company {} -v', company)}",
        {"forward": forward, "reverse": reverse},
    )


def _app_state_findings(company: str, facts: FolderFacts) -> Iterator[Finding]:
    versions = len(facts.of(Kind.APP_STATE_SYNC_VERSION))
    if versions and not facts.of(Kind.APP_STATE_SYNC_KEY):
        yield Finding(
            "app-state-keys-missing",
            Severity.WARNING,
            company,
            f"{counted(versions, 'app-state-sync-version file')}, but no app-state-sync-key: what is "
            "archived, pinned or muted cannot be synced",
            "Bring the keys back: "
            f"{command('baileys-tools restore --company {} --dry-run', company)}. Find out what removed "
            "them: this tool never does.",
            {"versions": versions},
        )
