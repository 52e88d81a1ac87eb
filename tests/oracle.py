"""A second opinion on the cleanup policy, written from its description and not from the code.

Deliberately plain: tuples and dictionaries, each rule spelled out by brute force, slow where slow is simple.
Nothing of `baileys_tools` is imported, so that a mistake there cannot be repeated here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any, NamedTuple

SECOND = 1_000_000_000
HOUR = 60 * 60 * SECOND
DAY = 24 * HOUR


class OracleFile(NamedTuple):
    """One file of a session folder. `content` matters for sender-keys only."""

    name: str
    mtime_ns: int
    content: bytes | None = None


@dataclass(frozen=True)
class OraclePolicy:
    session_max_age: int = 14 * DAY
    sender_key_max_age: int = 3 * DAY
    max_pre_keys: int = 50
    guard: bool = True
    danger: int = 185
    silence: int = 3 * DAY
    device_lists: int | None = None
    identity_keys: int | None = None
    until: int | None = None
    active_group: int | None = None
    keep_own_keys: bool = False
    returners: tuple[tuple[str, int], ...] = ()
    """Names of files that came back after a cleanup had removed them, and how often."""
    used_before: tuple[tuple[str, int], ...] = ()
    """Names of files that were used more than once, and when before their last use."""

    @property
    def plain(self) -> OraclePolicy:
        """The same without the rules that keep more."""
        return replace(self, until=None, active_group=None, keep_own_keys=False, returners=())

    @property
    def without_the_unused(self) -> OraclePolicy:
        """What no session uses goes as well, once it is an hour old."""
        return replace(self, device_lists=HOUR, identity_keys=HOUR)

    @property
    def strict(self) -> OraclePolicy:
        return replace(
            self.plain.without_the_unused,
            session_max_age=min(self.session_max_age, 7 * DAY),
            sender_key_max_age=min(self.sender_key_max_age, 1 * DAY),
            max_pre_keys=min(self.max_pre_keys, 30),
        )


class OraclePlan(NamedTuple):
    verdicts: dict[str, tuple[str, str]]  # name -> ("keep" | "remove", kind)
    removed: set[str]
    guarded: set[str]
    counted: int
    emergency: bool
    by_age: bool
    cost_contacts: int
    cost_group_senders: int
    cost_pre_keys: int


# --- names --------------------------------------------------------------------------------------------------


@cache
def key_of(name: str) -> str:
    """Return the key that a file belongs to: `X.json.bak` and `X.json.tmp` are one with `X.json`."""
    match = re.fullmatch(r"(.*\.json)\.(bak|tmp)", name, flags=re.DOTALL)
    return match[1] if match and kind_of(match[1]) != "unknown" else name


def keys_of(files: Iterable[OracleFile]) -> list[OracleFile]:
    """Return each key once, as old as the youngest of its files, with what its own file holds."""
    keys: dict[str, OracleFile] = {}
    for file in files:
        name = key_of(file.name)
        content = file.content if file.name == name else None
        before = keys.get(name, OracleFile(name, file.mtime_ns))
        keys[name] = OracleFile(name, max(before.mtime_ns, file.mtime_ns), before.content or content)
    return list(keys.values())


@cache
def kind_of(name: str) -> str:
    """Return the kind that the file name says, "unknown" when it fits no grammar exactly."""
    name = key_of(name)
    if name == "creds.json":
        return "creds"
    for kind, grammar in (
        ("app-state-sync-key", r"app-state-sync-key-.*\.json"),
        ("app-state-sync-version", r"app-state-sync-version-.*\.json"),
        ("lid-mapping", r"lid-mapping-.*\.json"),
        ("device-list", r"device-list-[0-9A-Za-z_-]{1,64}\.json"),
        ("identity-key", r"identity-key-[0-9A-Za-z_-]{1,64}\.[0-9]{1,9}\.json"),
        ("tctoken", r"tctoken-.*\.json"),
        ("contacts-tc-token", r"contacts-tc-token-.*\.json"),
        ("bridge", r"bridge-.*\.json"),
        ("sender-key-memory", r"sender-key-memory-[0-9A-Za-z@._+=-]+\.json"),
        ("sender-key", r"sender-key-(?!memory-)[0-9A-Za-z@._+=-]+--[0-9A-Za-z._-]+--[0-9]+\.json"),
        ("session", r"session-[0-9A-Za-z_-]+\.[0-9]+\.json"),
        ("pre-key", r"pre-key-[1-9][0-9]*\.json"),
    ):
        if re.fullmatch(grammar, name, flags=re.ASCII | re.DOTALL):
            return kind
    return "unknown"


def pre_key_id(name: str) -> int:
    return int(key_of(name).removeprefix("pre-key-").removesuffix(".json"))


def sender_key_parts(name: str) -> tuple[str, str, int]:
    """Return (group, user with its suffix, device) of a sender-key's file name."""
    group, user, device = name.removeprefix("sender-key-").removesuffix(".json").rsplit("--", 2)
    return group, user, int(device)


def memory_group(name: str) -> str:
    return name.removeprefix("sender-key-memory-").removesuffix(".json")


# --- whose sender-key ---------------------------------------------------------------------------------------


def address_of(jid: Any) -> tuple[str, int | None] | None:
    """Split `user[:device]@server` into user and device; None when it is no such thing."""
    if not isinstance(jid, str):
        return None
    user, _, device = jid.split("@", 1)[0].partition(":")
    return (user, int(device) if re.fullmatch(r"[0-9]{1,9}", device) else None) if user else None


def signing_key_says(content: bytes | None) -> bool | None:
    """True: the newest state can sign, so it is our own. False: it cannot. None: not to be told.

    A peer's record has no private key in Baileys 6, and an empty buffer in Baileys 7.
    """
    try:
        outer = json.loads(content or b"")
        signing_key = json.loads(base64.b64decode(outer["data"]))[-1]["senderSigningKey"]
        private = signing_key.get("private")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    if isinstance(private, dict):
        private = private.get("data")
    return bool(private)


def owner_of(name: str, content: bytes | None, creds: dict[str, Any]) -> str:
    """Return "own", "peer" or "untold" (which is treated as own)."""
    _, user, device = sender_key_parts(name)
    me = creds.get("me")
    me = me if isinstance(me, dict) else {}
    own_id, own_lid = address_of(me.get("id")), address_of(me.get("lid"))
    for address, suffixes in ((own_id, ("", "_128")), (own_lid, ("", "_1", "_129"))):
        if address is None:
            continue
        own_user, own_device = address
        if user in [own_user + suffix for suffix in suffixes] and own_device in (None, device):
            return "own"
        # As whaileys and Baileys up to 6.4 name it; where creds do not say which device, any may be the bot's.
        doubled = [f"{own_user}{suffix}" for suffix in suffixes]
        named_user, _, named_device = user.rpartition("-")
        if device == 0 and named_user in doubled and named_device == str(own_device or named_device):
            return "own"
    if own_id is not None and own_lid is not None:
        return "peer"
    can_sign = signing_key_says(content)
    if can_sign is None:
        return "untold"
    return "own" if can_sign else "peer"


# --- what Baileys 7 still uses ------------------------------------------------------------------------------


def has_lids(files: Iterable[OracleFile]) -> bool:
    return any(kind_of(file.name) == "lid-mapping" for file in files)


def session_is_used(name: str, files: Sequence[OracleFile]) -> bool:
    """One by phone number is a leftover where that user has a LID, unless a device list lets it be moved there."""
    user = name.removeprefix("session-").rsplit(".", 2)[0]
    names = [file.name for file in files]
    return not (f"lid-mapping-{user}.json" in names and f"device-list-{user}.json" not in names)


def sender_key_is_used(name: str, files: Sequence[OracleFile]) -> bool:
    """With LIDs a key by phone number is a leftover where the group's newest key is one by LID."""
    group, user, _ = sender_key_parts(name)
    keys = [
        (file.mtime_ns, "_" in sender_key_parts(file.name)[1])
        for file in files
        if kind_of(file.name) == "sender-key" and sender_key_parts(file.name)[0] == group
    ]
    return not has_lids(files) or "_" in user or not max(keys)[1]


# --- pre-keys -----------------------------------------------------------------------------------------------


def ids_in_dense_windows(ids: Iterable[int], least_span: int) -> set[int]:
    """All ids in some window [a, b] that spans at least `least_span` ids and has more than half of them."""
    ordered = sorted(set(ids))
    inside: set[int] = set()
    for first, low in enumerate(ordered):
        for last in range(len(ordered) - 1, first - 1, -1):
            span = ordered[last] - low + 1
            if span >= least_span and 2 * (last - first + 1) > span:
                inside.update(ordered[first : last + 1])
                break  # the windows from here that end sooner add nothing
    return inside


def whole_number(value: Any) -> int | None:
    # JavaScript tells no 31.0 from 31.
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
    return int(value) if is_whole and value >= 0 else None


def pre_keys_to_go(ids: Iterable[int], keep: int, creds: dict[str, Any]) -> set[int]:
    """The ids that the rule gives up, before any guard."""
    going = set(sorted(ids, reverse=True)[keep:])
    next_id = whole_number(creds.get("nextPreKeyId"))
    first_unuploaded = whole_number(creds.get("firstUnuploadedPreKeyId"))
    if next_id is not None:
        going.discard(next_id - 1)
    if first_unuploaded is not None:
        going = {number for number in going if number < first_unuploaded}
    return going


class PreKeys:
    """What the ids, the times and the counter say of the server's pre-keys: docs/policy.md, "The guard"."""

    def __init__(self, written: dict[int, int], creds: dict[str, Any], *, seven: bool) -> None:
        self.ids = set(written)
        self.counter = whole_number(creds.get("nextPreKeyId")) or 0
        self.seven = seven
        self.made = max(self.counter - 1, *self.ids, 0)
        self.bursts = bursts_of(written)
        self.longest = 862 if seven else 35
        self.of_uploads = {i for burst in self.bursts if _span(burst) <= self.longest for i in burst}
        self.of_receipts = {burst[0] for burst in self.bursts if len(burst) == 1 and self.room(burst) < 5}
        fives = [burst for burst in self.bursts[1:] if len(burst) == _span(burst) == 5]
        self.grows = seven and sum(burst[0] - 1 in self.ids for burst in fives) >= 10

    def room(self, burst: list[int]) -> int:
        """How many ids the upload that left this burst can have had."""
        below = max((i for i in self.ids if i < burst[0]), default=0)
        above = min((i for i in self.ids if i > burst[-1]), default=self.made + 1)
        return above - below - 1

    def used_up_past(self, end: int) -> int:
        return max(0, self.made - end) - sum(i > end for i in self.ids)

    def guarded(self) -> set[int]:
        first = self.first_by_times()
        if first is None:
            found = self.of_uploads | (self.by_ids() - self.of_uploads)
        else:
            found = {i for i in self.ids if i >= first}
        return (found | self.lowest()) - self.of_receipts

    def first_by_times(self) -> int | None:
        if not self.bursts:
            return None
        anew = [b for b in self.bursts[1:] if self.seven and 100 <= _span(b) <= 862]
        base = anew[-1] if anew else self.bursts[0]
        first = base[0] if anew else None
        if self.has_run_low(base):
            size = 5 if self.seven else 30
            uploads = [b for b in self.bursts if b[0] >= base[0] and len(b) > 1 and self.room(b) >= size]
            for number, upload in enumerate(uploads):
                if number and (not self.seven or upload[0] - 1 in self.ids):
                    first = uploads[number - 1][0]
        return first

    def has_run_low(self, base: list[int]) -> bool:
        if self.grows or (not self.seven and _span(base) <= 60):
            return True
        size = min([size for size in (30, 50, 200, 812) if size >= _span(base)], default=_span(base))
        return 2 * len(base) <= size and self.used_up_past(base[0] + size - 1) > 50

    def by_ids(self) -> set[int]:
        found = ids_in_dense_windows(self.ids, 200)
        if self.seven:
            for size in (50, 200, 812):
                if size < self.counter and self.used_up_past(size) <= 50:
                    found |= {i for i in self.ids if i <= size}
            if self.counter > 1_624:
                again = (i for i in self.ids if i > 812)
                found |= {i for i in again if self.used_up_past(min(i + 811, self.counter - 1)) <= 50}
        return found

    def lowest(self) -> set[int]:
        if self.grows or not self.ids:
            return set()
        start = end = min(self.ids)
        while end + 1 in self.ids and end - start < 9:
            end += 1
        fits = 3 <= end - start + 1 <= 9 and len(self.ids) > end - start + 1
        return {i for i in range(start, end + 1) if i < start + 5} if fits else set()

    def cost(self, gone: set[int]) -> int:
        counts = gone - self.of_receipts
        untimed = ids_in_dense_windows(self.ids, 30) | {i for i in self.ids if self.seven and i <= 812}
        surely = counts & (self.guarded() | (untimed - self.of_uploads))
        return len(surely) + min(5, len(counts - surely))


def _span(burst: list[int]) -> int:
    return burst[-1] - burst[0] + 1


def bursts_of(written: dict[int, int]) -> list[list[int]]:
    """The ids that were written together, lowest first; nothing where the times tell nothing apart."""
    moments = sorted(written.values())
    begins = [at for n, at in enumerate(moments) if n == 0 or at - moments[n - 1] > 10 * SECOND]
    if len(begins) < 2:
        return []
    number = {i: sum(begin <= at for begin in begins) for i, at in written.items()}
    reaches: dict[int, int] = {}
    for i in written:
        reaches[number[i]] = max(i, reaches.get(number[i], 0))
    bursts: list[list[int]] = []
    end = 0
    for i in sorted(written):
        if i > end:
            bursts.append([])
        bursts[-1].append(i)
        end = max(end, reaches[number[i]])
    return bursts


def pre_keys_of(files: Iterable[OracleFile], creds: dict[str, Any], gone: Set[int] = frozenset()) -> PreKeys:
    """What a folder says once the pre-keys `gone` have left it."""
    kinds = {kind_of(file.name) for file in files}
    seven = not kinds.isdisjoint(("lid-mapping", "device-list", "identity-key"))
    written = {pre_key_id(file.name): file.mtime_ns for file in files if kind_of(file.name) == "pre-key"}
    return PreKeys({i: at for i, at in written.items() if i not in gone}, creds, seven=seven)


def guarded_at_last(going: Set[int], judged: Callable[[Set[int]], PreKeys]) -> set[int]:
    """Of ids over the limit, those guarded when nothing more goes. `judged` takes ids that are gone already."""
    gone: set[int] = set()
    while found := going - gone - judged(gone).guarded():
        gone |= found
    return set(going - gone)


# --- the plan -----------------------------------------------------------------------------------------------


def clock_is_plausible(files: Iterable[OracleFile], now_ns: int) -> bool:
    watched = ("session", "sender-key", "sender-key-memory", "creds")
    mtimes = [file.mtime_ns for file in files if kind_of(file.name) in watched]
    if mtimes and not -DAY <= now_ns - max(mtimes) <= 365 * DAY:
        return False
    for moment in mtimes:
        until = [other for other in mtimes if other <= moment]
        after = [other for other in mtimes if other > moment]
        leapt = after and min(after) - max(until) > 365 * DAY and now_ns - min(mtimes) > 365 * DAY
        if leapt and len(until) > len(after) and len(mtimes) >= 10:
            return False
    return True


def off_times(
    files: Iterable[OracleFile], seen: Sequence[tuple[int, int]], now_ns: int
) -> list[tuple[int, int]]:
    """When the bot was off: spans (from, to) of over a day without a write that somebody saw, or the last of all.

    `seen` are looks at the folder: when, and what the newest write was then.
    """
    watched = ("session", "sender-key", "sender-key-memory", "creds")
    writes = {file.mtime_ns for file in files if kind_of(file.name) in watched} | {
        written for _, written in seen
    }
    writes = {min(moment, now_ns) for moment in writes}
    spans = set()
    for moment in writes:
        later = [other for other in writes if other > moment]
        # Still going on, or over for less than six hours: nobody has to have seen it.
        if (
            not [other for other in writes if moment < other <= now_ns - 6 * HOUR]
            and moment <= now_ns - 6 * HOUR
        ):
            spans.add((moment, min(later, default=now_ns)))
        elif later:
            looks = [at for at, _ in seen if moment < at < min(later)]
            if looks:
                spans.add((moment, min(later) if min(later) - max(looks) <= DAY else max(looks)))
    return sorted((start, end) for start, end in spans if end - start > DAY)


def lived(mtime_ns: int, off: Iterable[tuple[int, int]], now_ns: int) -> int:
    """How old a file is: without what lies in a time when the bot was off."""
    age = max(0, now_ns - mtime_ns)
    for start, end in off:
        if mtime_ns < end:
            age -= end - max(start, mtime_ns)
    return age


def is_off(
    files: Iterable[OracleFile], seen: Sequence[tuple[int, int]], policy: OraclePolicy, now_ns: int
) -> bool:
    known = ("session", "sender-key", "sender-key-memory", "creds")
    writes = [file.mtime_ns for file in files if kind_of(file.name) in known] + [
        written for _, written in seen
    ]
    return bool(policy.silence and writes) and now_ns - max(writes) > policy.silence


def told_by_creds(files: Iterable[OracleFile], creds: dict[str, Any]) -> bool:
    """Whether creds.json has the login that its files speak of: else it is lost, or kept in a way of its own."""
    identity = ("noiseKey", "signedIdentityKey", "signedPreKey", "registrationId", "advSecretKey")
    me = creds.get("me")
    address = address_of(me.get("id")) if isinstance(me, dict) else None
    if address is None and not (me is None or me == ""):
        return False
    if address is not None and address[1] is not None and creds.get("account"):
        pairs = [
            creds.get("noiseKey"),
            creds.get("signedIdentityKey"),
            (creds.get("signedPreKey") or {}).get("keyPair"),
        ]
        counters: list[Any] = [creds.get(name) for name in ("nextPreKeyId", "firstUnuploadedPreKeyId")]
        return (
            bool((creds.get("signedPreKey") or {}).get("signature"))
            and all(creds.get(name) for name in identity)
            and all(pair and pair.get("private") and pair.get("public") for pair in pairs)
            and all(type(one) in (int, float) and float(one).is_integer() and one >= 0 for one in counters)
        )
    after_login = ("pre-key", "session", "sender-key", "app-state-sync-key")
    return not any(kind_of(file.name) in after_login for file in files)


def plan(
    files: Sequence[OracleFile],
    creds: Any,
    policy: OraclePolicy,
    now_ns: int,
    seen: Sequence[tuple[int, int]] = (),
) -> OraclePlan:
    """Return what the policy asks for. `creds` is the parsed creds.json, None where there is none to read."""
    files = keys_of(files)
    uncounted = sum(kind_of(file.name) in ("contacts-tc-token", "bridge") for file in files)
    if not isinstance(creds, dict) or not told_by_creds(files, creds):
        everything = {file.name: ("keep", kind_of(file.name)) for file in files}
        # How dense the ids lie can be seen without creds.
        told = creds if isinstance(creds, dict) else {}
        _, guarded_ids, _ = _removed(files, told, policy, now_ns, seen)
        guarded = {f"pre-key-{number}.json" for number in guarded_ids}
        return OraclePlan(
            everything, set(), guarded, len(files) - uncounted - len(guarded), False, False, 0, 0, 0
        )

    removed, guarded_ids, following = _removed(files, creds, policy, now_ns, seen)
    guarded = {f"pre-key-{number}.json" for number in guarded_ids}
    counted = len(files) - uncounted - len(guarded)
    plausible = clock_is_plausible(files, now_ns)
    if plausible and is_off(files, seen, policy, now_ns):
        everything = {file.name: ("keep", kind_of(file.name)) for file in files}
        return OraclePlan(everything, set(), guarded, counted, False, False, 0, 0, 0)
    emergency = False
    # With a clock in doubt nothing is known of how full the folder would be.
    if plausible and counted - len(removed) - following >= policy.danger:
        _, held_back, _ = _removed(files, creds, replace(policy, guard=True), now_ns, seen)
        # The mildest that helps. Being strict where it does not help would cost messages every day and gain nothing:
        # then only what is free is done. Whether more than the limits helps is asked as if the guard were on.
        last_resort = replace(policy, device_lists=HOUR, identity_keys=HOUR)
        removed = _removed(files, creds, last_resort, now_ns, seen)[0]
        for limits in (policy.plain, policy.plain.without_the_unused, policy.strict):
            judged = limits if limits == policy.plain else replace(limits, guard=True)
            going, back, following = _removed(files, creds, judged, now_ns, seen)
            if judged.max_pre_keys != policy.max_pre_keys:
                back = held_back
            if len(files) - uncounted - len(back) - len(going) - following < policy.danger:
                removed = _removed(files, creds, limits, now_ns, seen)[0]
                emergency = limits == policy.strict
                break

    contacts = sum(kind_of(name) == "session" and session_is_used(name, files) for name in removed)
    contents = {file.name: file.content for file in files}
    senders = 0
    for name in removed:
        if kind_of(name) == "sender-key":
            owner = owner_of(name, contents[name], creds)
            senders += owner == "untold" or (owner == "peer" and sender_key_is_used(name, files))
    gone = {pre_key_id(name) for name in removed if kind_of(name) == "pre-key"}
    pre_keys = pre_keys_of(files, creds).cost(gone)

    verdicts = {
        file.name: ("remove" if file.name in removed else "keep", kind_of(file.name)) for file in files
    }
    by_age = clock_is_plausible(files, now_ns)
    return OraclePlan(verdicts, removed, guarded, counted, emergency, by_age, contacts, senders, pre_keys)


def _pre_key_ids(files: Iterable[OracleFile]) -> list[int]:
    return [pre_key_id(file.name) for file in files if kind_of(file.name) == "pre-key"]


def session_stands(name: str, files: Iterable[OracleFile]) -> bool:
    """Whether somebody's session is there that a device list, or an identity key, may be needed for."""
    kind, address = kind_of(name), name.removesuffix(".json").removeprefix(f"{kind_of(name)}-")
    for file in files:
        if file.name.startswith("session-"):
            of = file.name.removeprefix("session-").removesuffix(".json")
            if (
                of == address
                if kind == "identity-key"
                else _number(of.rpartition(".")[0]) == _number(address)
            ):
                return True
    return False


def _number(user: str) -> str:
    return user.split("_")[0]


def _removed(
    files: Sequence[OracleFile],
    creds: dict[str, Any],
    limits: OraclePolicy,
    now_ns: int,
    seen: Sequence[tuple[int, int]],
) -> tuple[set[str], set[int], int]:
    """Return the names to remove under `limits`, the pre-key ids that the batch guard held back, and how many own keys
    wait for their memory to go first."""
    removed: set[str] = set()
    bare: dict[str, str] = {}  # own keys without a memory, by their group: one goes with the others
    off = off_times(files, seen, now_ns)

    def older(file: OracleFile, limit: int) -> bool:
        return lived(file.mtime_ns, off, now_ns) > limit

    returned = dict(limits.returners)

    def too_old(file: OracleFile, limit: int) -> bool:
        times = returned.get(file.name, 0)
        return older(file, max(limit, min(limit * 2**times, 60 * DAY)))

    groups = [(file, group_of(file.name)) for file in files if kind_of(file.name).startswith("sender-key")]

    def somebody_wrote(group: str, within: int) -> bool:
        return any(not older(file, within) for file, of in groups if of == group)

    def stays_as_active(file: OracleFile) -> bool:
        """The limit is another one where anybody wrote within the usual one."""
        if limits.active_group is None or not somebody_wrote(group_of(file.name), limits.sender_key_max_age):
            return False
        return not older(file, limits.active_group)

    memories_first: dict[str, int] = {}
    if clock_is_plausible(files, now_ns):
        units: dict[str, list[OracleFile]] = {}
        for file in files:
            kind = kind_of(file.name)
            if kind == "session" and too_old(file, limits.session_max_age):
                removed.add(file.name)
            elif kind == "sender-key-memory":
                units.setdefault(memory_group(file.name), []).append(file)
            elif kind == "sender-key":
                if owner_of(file.name, file.content, creds) == "peer":
                    if too_old(file, limits.sender_key_max_age) and not stays_as_active(file):
                        removed.add(file.name)
                else:
                    units.setdefault(sender_key_parts(file.name)[0], []).append(file)
        for group, members in units.items():
            by_the_bot = any(not older(member, limits.session_max_age) for member in members)
            lives = by_the_bot or somebody_wrote(group, limits.sender_key_max_age)
            if (lives and limits.keep_own_keys) or any(stays_as_active(member) for member in members):
                continue
            if all(too_old(member, limits.sender_key_max_age) for member in members):
                memories = {member.name for member in members if kind_of(member.name) == "sender-key-memory"}
                removed |= memories or {member.name for member in members}
                memories_first |= dict.fromkeys(memories, len(members) - 1)
                bare.update({} if memories else {member.name: group for member in members})

    ids = _pre_key_ids(files)
    going = pre_keys_to_go(ids, limits.max_pre_keys, creds)
    guarded: set[int] = set()
    if limits.guard:
        guarded = guarded_at_last(going, lambda gone: pre_keys_of(files, creds, gone))
    removed |= {f"pre-key-{number}.json" for number in going - guarded}
    if limits.until is not None:
        stand = sum(kind_of(file.name) in ("session", "sender-key") for file in files) + len(going - guarded)
        before = dict(limits.used_before)
        uses = {file.name: (before.get(file.name, 0), file.mtime_ns) for file in files}
        removed = oldest(removed, bare, memories_first, uses, stand, limits.until)
    if clock_is_plausible(files, now_ns):
        for kind, limit in (("device-list", limits.device_lists), ("identity-key", limits.identity_keys)):
            for file in files:
                # Without a LID mapping they are what tells that the folder is one of Baileys 7.
                alone = (
                    kind_of(file.name) == kind and not session_stands(file.name, files) and has_lids(files)
                )
                if alone and limit is not None and too_old(file, limit):
                    removed.add(file.name)
    return removed, guarded, sum(keys for memory, keys in memories_first.items() if memory in removed)


def group_of(name: str) -> str:
    return memory_group(name) if kind_of(name) == "sender-key-memory" else sender_key_parts(name)[0]


def oldest(
    removed: set[str],
    bare: dict[str, str],
    memories_first: dict[str, int],
    uses: dict[str, tuple[int, int]],
    stand: int,
    until: int,
) -> set[str]:
    """Of what may go, what goes where no more than `until` files are to stand, down to 10 below: by when it was used
    before its last use, then by that. A memory counts as the keys that follow it."""
    going: set[str] = set()
    # Of equally old ones: pre-keys by number, the others by name.
    while stand > until or (going and stand > until - 10):
        together = {name: {name} for name in removed - going}
        for name in together:
            if name in bare:
                together[name] = {other for other in removed if bare.get(other) == bare[name]}
        if not together:
            break
        first = min(
            together,
            key=lambda name: (
                max(uses[one][0] for one in together[name]),
                max(uses[one][1] for one in together[name]),
                len(min(together[name])),
                min(together[name]),
            ),
        )
        stand -= memories_first.get(first, len(together[first]))
        going |= together[first]
    return going


# --- folders to try it on -----------------------------------------------------------------------------------

ME, ME_DEVICE, LID = "919585510685", 17, "270996591579169"
GROUPS = ("120363041234567890@g.us", "919585510685-1602@g.us", "status@broadcast")

KEPT_NAMES = (
    "app-state-sync-key-AAAAAB____.json",
    "app-state-sync-key-AAAA+w==.json",
    "app-state-sync-version-regular_high.json",
    "lid-mapping-919585510685.json",
    "lid-mapping-270996591579169_reverse.json",
    "device-list-4917000000001.json",
    "identity-key-4917000000001_1.0.json",
    "tctoken-270996591579169@lid.json",
    "tctoken-__index.json",
    "contacts-tc-token-491@s.whatsapp.net.json",
    "bridge-session-1.0.json",
    "lid-mapping-.json",
)

UNKNOWN_NAMES = (
    "session-1.0.json.temp",
    "device-list-.json",
    "device-list-1.0.json",
    "identity-key-1.json",
    "identity-key-.0.json",
    "identity-key-1@lid.0.json",
    "session-1.0.json.bak.bak",
    "session-1.0.bak",
    "session-1.json.bak",
    "notes.json.tmp",
    "session-1.0.JSON",
    "Session-1.0.json",
    " session-1.0.json",
    "session-1.0.json\n",
    "session-1.0",
    "session-1.json",
    "session-.json",
    "session-.0.json",
    "session-1.-1.json",
    "session-1.\u0663.json",
    "session-\u0661.0.json",
    "session-a b.0.json",
    "session-\x1b[31m.0.json",
    "session-1.0\u202e.json",
    "sessions-1.0.json",
    "pre-key-0.json",
    "pre-key-007.json",
    "pre-key-.json",
    "pre-key--5.json",
    "pre-key-5.5.json",
    "pre-key-1e3.json",
    "pre-key-\u0663.json",
    "pre-key-5 .json",
    "sender-key-1@g.us.json",
    "sender-key-1@g.us--2.json",
    "sender-key-1@g.us--2--x.json",
    "sender-key-1@g.us--2--.json",
    "sender-key-1@g.us--2--\u0663.json",
    "sender-key---2--0.json",
    "sender-key-memory-.json",
    "sender-key-memory-1@g.us\n.json",
    "app-state-sync-foo.json",
    "creds.json.old",
    "creds.JSON",
    "xcreds.json",
    ".json",
    "notes.txt",
)


def sender_key_record(*private_keys: Any) -> bytes:
    """Return a sender-key file as Baileys writes it, one state a private key; None leaves the field out."""
    states = [
        {
            "senderKeyId": number,
            "senderChainKey": {"iteration": 0, "seed": {"type": "Buffer", "data": [1]}},
            "senderSigningKey": {"public": {"type": "Buffer", "data": [5, 2]}}
            | ({} if private is None else {"private": private}),
            "senderMessageKeys": [],
        }
        for number, private in enumerate(private_keys)
    ]
    text = base64.b64encode(json.dumps(states).encode()).decode()
    return json.dumps({"type": "Buffer", "data": text}).encode()


PRIVATE, EMPTY = {"type": "Buffer", "data": [1, 2, 3]}, {"type": "Buffer", "data": []}

SENDER_KEY_CONTENTS = (
    sender_key_record(PRIVATE),
    sender_key_record(EMPTY),
    sender_key_record(None),
    sender_key_record(PRIVATE, EMPTY),
    sender_key_record(EMPTY, PRIVATE),
    sender_key_record(),
    b"",
    b"{",
    b"[]",
    b'{"type":"Buffer","data":"%%%"}',
    b'{"type":"Buffer","data":"bnVsbA=="}',
)


class Tree(NamedTuple):
    """A session folder to be. `creds` are the bytes of creds.json, None where there is no such file."""

    files: list[OracleFile]
    creds: bytes | None

    @property
    def parsed_creds(self) -> Any:
        try:
            return json.loads(self.creds or b"")
        except ValueError:
            return None


def random_tree(rng: Random, policy: OraclePolicy, now_ns: int) -> Tree:
    """Make up a folder near the edges that the policy draws: ages at the limits, ids at the counters."""
    limits = (policy.session_max_age, policy.sender_key_max_age, 7 * DAY, 1 * DAY)
    # Now and then the whole folder is old, up to what no clock can explain.
    shift = rng.choice((0,) * 24 + (100 * DAY, 360 * DAY, 366 * DAY))

    def mtime() -> int:
        near = rng.choice(limits) + rng.choice((-SECOND, -1, 0, 1, SECOND))
        far = rng.randrange(0, 40 * DAY)
        future = -rng.choice((SECOND, DAY, DAY + 1, 2 * DAY)) if rng.random() < 0.03 else 0
        return now_ns - shift - rng.choice((near, near, far, 0, future))

    files: dict[str, bytes | None] = {}
    for name in rng.sample(KEPT_NAMES, rng.choice((0, 0, 1, 3))):
        files[name] = None
    for name in rng.sample(UNKNOWN_NAMES, rng.choice((0, 1, 3))):
        files[name] = None
    for _ in range(rng.choice((0, 1, 4, 12))):
        user = f"49170000000{rng.randrange(30):02}" + rng.choice(("", "_1", "_128", "_129"))
        files[f"session-{user}.{rng.choice((0, 3, 99))}.json"] = None
    if rng.random() < 0.5:
        files["lid-mapping-4917000000001.json"] = None
    for _ in range(rng.choice((0, 0, 2, 8))):
        user = f"49170000000{rng.randrange(30):02}"
        files[f"device-list-{user}.json"] = None
        files[f"identity-key-{user}{rng.choice(('', '_1', '_128'))}.{rng.choice((0, 3, 99))}.json"] = None
    for group in rng.sample(GROUPS, rng.choice((0, 1, 2, 3))):
        if rng.random() < 0.6:
            files[f"sender-key-memory-{group}.json"] = None
        for _ in range(rng.choice((0, 1, 2, 4))):
            user = rng.choice((ME, LID, LID, "4917000000001", ME + "7", ME[:-1]))
            user += rng.choice(("", "", "_1", "_128", "_129", f"-{ME_DEVICE}"))
            device = rng.choice((ME_DEVICE, ME_DEVICE, 0, 3))
            files[f"sender-key-{group}--{user}--{device}.json"] = rng.choice(SENDER_KEY_CONTENTS)
    ids = _random_pre_key_ids(rng)
    for number in ids:
        files[f"pre-key-{number}.json"] = None

    creds = _random_creds(rng, ids)
    if rng.random() < 0.3:  # written by the next Baileys
        for name in [name for name in files if kind_of(name) != "unknown" and rng.random() < 0.3]:
            files |= {f"{name}.{ending}": b"" for ending in rng.choice((["bak"], ["tmp"], ["bak", "tmp"]))}
            if rng.random() < 0.2:
                del files[name]
    tree = [OracleFile(name, mtime(), content) for name, content in files.items()]
    if creds is not None:
        age = rng.choice(
            (12 * HOUR,) * 7 + (0, 0, 20 * DAY, 365 * DAY, 365 * DAY + 1, 400 * DAY, -DAY, -DAY - 1)
        )
        tree.append(OracleFile("creds.json", now_ns - shift - age))
    rng.shuffle(tree)
    return Tree(tree, creds)


def _random_pre_key_ids(rng: Random) -> set[int]:
    shape = rng.random()
    if shape < 0.6:
        return set(rng.sample(range(1, 40), rng.choice((0, 0, 0, 1, 5))))
    if shape < 0.8:  # one batch after the other, and leftovers below
        top = rng.choice((60, 90, 840, 862, 863, 864, 2_000, 16_777_215))
        batch = set(range(max(1, top - rng.choice((30, 52, 80))), top))
        return batch | {rng.randrange(1, top) for _ in range(rng.choice((0, 5, 20)))}
    if shape < 0.96:  # leftovers of a long life
        top = rng.choice((813, 843, 844, 862, 863, 864, 5_000))
        return set(rng.sample(range(1, top), rng.choice((31, 51, 60, 80))))
    # Around the batch guard: span 200, half of it present.
    low, span = rng.choice((1, 400)), rng.choice((198, 199, 200, 201, 240))
    there = rng.sample(range(low, low + span), span // 2 + rng.choice((-1, 0, 1, 20)))
    above = low + span + rng.choice((0, 1, 30, 300))
    return {*there, low, low + span - 1, *range(above, above + rng.choice((29, 30, 50, 51)))}


def _random_creds(rng: Random, ids: set[int]) -> bytes | None:
    damage = rng.random()
    if damage < 0.06:
        return rng.choice((None, None, b"", b"\0" * 40, b'{"me":', b"[]", b"null", b"\xff\xfe\xfd"))
    next_id = max(ids, default=0) + 1
    key = {"type": "Buffer", "data": "eA=="}
    pair = {"private": key, "public": key}
    creds: dict[str, Any] = {
        "me": {"id": f"{ME}:{ME_DEVICE}@s.whatsapp.net", "lid": f"{LID}:{ME_DEVICE}@lid"},
        "account": {"details": "eA=="},
        "nextPreKeyId": next_id,
        "firstUnuploadedPreKeyId": next_id,
        "noiseKey": pair,
        "signedIdentityKey": pair,
        "signedPreKey": {"keyPair": pair, "signature": key, "keyId": 1},
        "registrationId": 1,
        "advSecretKey": "eA==",
    }
    if rng.random() < 0.05:  # of nobody, or in a form of its own
        del creds[rng.choice(("account", "noiseKey", "signedPreKey", "advSecretKey", "registrationId"))]
    for path, values in (
        ("id", (None, f"{ME}@s.whatsapp.net", 7, "", ":17@s.whatsapp.net", f"{ME}:x@s.whatsapp.net")),
        ("lid", (None, None, f"{LID}@lid", f"{LID}:3@lid", "@lid", ["x"])),
    ):
        if rng.random() < 0.2:
            creds["me"][path] = rng.choice(values)
    if rng.random() < 0.05:
        creds["me"] = rng.choice((None, [], "me", {}))
    if rng.random() < 0.25:
        creds["firstUnuploadedPreKeyId"] = max(0, next_id - rng.choice((1, 5, 55, next_id)))
    if rng.random() < 0.15:
        creds["nextPreKeyId"] = rng.choice((None, "31", 31.0, True, 0, 813, 843, 844, 863, 864))
    if ids and rng.random() < 0.15:
        creds["nextPreKeyId"] = rng.choice(sorted(ids)) + 1
    if rng.random() < 0.1:
        creds["firstUnuploadedPreKeyId"] = rng.choice((None, "1", 1.5, False))
    return json.dumps(creds).encode()
