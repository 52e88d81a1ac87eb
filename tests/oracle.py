"""A second opinion on the cleanup policy, written from its description and not from the code.

Deliberately plain: one pass over plain tuples and dictionaries, each rule spelled out by brute force, slow where
slow is simple. Nothing of `baileys_tools` is imported, so that a mistake there cannot be repeated here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

SECOND = 1_000_000_000
DAY = 24 * 60 * 60 * SECOND

PAIRING_UPLOAD = 812
"""Pre-keys that Baileys 7 uploads when it pairs."""


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


class OraclePlan(NamedTuple):
    verdicts: dict[str, tuple[str, str]]  # name -> ("keep" | "remove", kind)
    guarded: set[str]
    counted: int
    emergency: bool
    by_age: bool
    cost_contacts: int
    cost_group_senders: int
    cost_pre_keys: int

    @property
    def removed(self) -> set[str]:
        return {name for name, (verdict, _) in self.verdicts.items() if verdict == "remove"}


# --- names ---------------------------------------------------------------------------------------------------


def kind_of(name: str) -> str:
    """Return the kind that the file name says, "unknown" when it fits no grammar exactly."""
    if name == "creds.json":
        return "creds"
    for kind, grammar in (
        ("app-state-sync-key", r"app-state-sync-key-.*\.json"),
        ("app-state-sync-version", r"app-state-sync-version-.*\.json"),
        ("lid-mapping", r"lid-mapping-.*\.json"),
        ("device-list", r"device-list-.*\.json"),
        ("identity-key", r"identity-key-.*\.json"),
        ("tctoken", r"tctoken-.*\.json"),
        ("sender-key-memory", r"sender-key-memory-[0-9A-Za-z@._+=-]+\.json"),
        ("sender-key", r"sender-key-(?!memory-).+--.+--[0-9]+\.json"),
        ("session", r"session-[0-9A-Za-z_-]+\.[0-9]+\.json"),
        ("pre-key", r"pre-key-(0|[1-9][0-9]*)\.json"),
    ):
        if re.fullmatch(grammar, name, flags=re.ASCII | re.DOTALL):
            return kind
    return "unknown"


def pre_key_id(name: str) -> int:
    return int(name.removeprefix("pre-key-").removesuffix(".json"))


def sender_key_parts(name: str) -> tuple[str, str, str]:
    """Return (group, user with its suffix, device) of a sender-key's file name."""
    group, user, device = name.removeprefix("sender-key-").removesuffix(".json").rsplit("--", 2)
    return group, user, device


def memory_group(name: str) -> str:
    return name.removeprefix("sender-key-memory-").removesuffix(".json")


# --- whose sender-key ----------------------------------------------------------------------------------------


def address_of(jid: Any) -> tuple[str, str | None] | None:
    """Split `user[:device]@server` into user and device; None when it is no such thing."""
    if not isinstance(jid, str) or "@" not in jid:
        return None
    user, colon, device = jid.split("@", 1)[0].partition(":")
    return (user, device if colon else None) if user else None


def signing_key_says(content: bytes | None) -> bool | None:
    """True: the newest state can sign, so it is our own. False: it cannot. None: not to be told."""
    try:
        outer = json.loads(content or b"")
        states = json.loads(base64.b64decode(outer["data"]))
        private = states[-1]["senderSigningKey"]["private"]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    if isinstance(private, dict) and "data" in private:
        private = private["data"]
    return bool(private) if isinstance(private, str | list | dict) else None


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
    if own_id is not None and own_lid is not None:
        return "peer"
    can_sign = signing_key_says(content)
    if can_sign is None:
        return "untold"
    return "own" if can_sign else "peer"


# --- pre-keys ------------------------------------------------------------------------------------------------


def ids_in_dense_windows(ids: Iterable[int], least_span: int) -> set[int]:
    """All ids that lie in some window [a, b] of at least `least_span` ids with more than half of them present."""
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
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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


def still_pairing_batch(kinds: Iterable[str], creds: dict[str, Any], keep: int) -> bool:
    """A Baileys 7 folder that has uploaded hardly more than what it uploaded when it paired."""
    next_id = whole_number(creds.get("nextPreKeyId"))
    version_7 = any(kind in ("lid-mapping", "device-list", "identity-key") for kind in kinds)
    return version_7 and next_id is not None and PAIRING_UPLOAD < next_id <= PAIRING_UPLOAD + 1 + keep


# --- the plan ------------------------------------------------------------------------------------------------


def clock_is_plausible(files: Iterable[OracleFile], now_ns: int) -> bool:
    watched = ("session", "sender-key", "sender-key-memory", "pre-key", "creds")
    mtimes = [file.mtime_ns for file in files if kind_of(file.name) in watched]
    return not mtimes or -DAY <= now_ns - max(mtimes) <= 365 * DAY


def plan(files: Sequence[OracleFile], creds: Any, policy: OraclePolicy, now_ns: int) -> OraclePlan:
    """Return what the policy asks for. `creds` is the parsed creds.json, None when it is missing or unreadable."""
    if not isinstance(creds, dict):
        everything = {file.name: ("keep", kind_of(file.name)) for file in files}
        return OraclePlan(everything, set(), len(files), False, False, 0, 0, 0)

    normal_removed, guarded_ids = _removed(files, creds, policy, policy.max_pre_keys, now_ns)
    guarded = {f"pre-key-{number}.json" for number in guarded_ids}
    counted = len(files) - len(guarded)
    emergency = counted - len(normal_removed) >= policy.danger
    removed = normal_removed
    if emergency:
        limits = replace(
            policy,
            session_max_age=min(policy.session_max_age, 7 * DAY),
            sender_key_max_age=min(policy.sender_key_max_age, 1 * DAY),
            max_pre_keys=min(policy.max_pre_keys, 30),
        )
        removed, _ = _removed(files, creds, limits, policy.max_pre_keys, now_ns)
    keep_pre_keys = min(policy.max_pre_keys, 30) if emergency else policy.max_pre_keys

    contacts = sum(kind_of(name) == "session" for name in removed)
    contents = {file.name: file.content for file in files}
    senders = sum(
        kind_of(name) == "sender-key" and owner_of(name, contents[name], creds) != "own" for name in removed
    )
    going = pre_keys_to_go(_pre_key_ids(files), keep_pre_keys, creds)
    offered = ids_in_dense_windows(going, 30)
    if still_pairing_batch([kind_of(file.name) for file in files], creds, policy.max_pre_keys):
        offered |= {number for number in going if number <= PAIRING_UPLOAD}
    pre_keys = sum(f"pre-key-{number}.json" in removed for number in offered)

    verdicts = {
        file.name: ("remove" if file.name in removed else "keep", kind_of(file.name)) for file in files
    }
    by_age = clock_is_plausible(files, now_ns)
    return OraclePlan(verdicts, guarded, counted, emergency, by_age, contacts, senders, pre_keys)


def _pre_key_ids(files: Iterable[OracleFile]) -> list[int]:
    return [pre_key_id(file.name) for file in files if kind_of(file.name) == "pre-key"]


def _removed(
    files: Sequence[OracleFile], creds: dict[str, Any], limits: OraclePolicy, normal_keep: int, now_ns: int
) -> tuple[set[str], set[int]]:
    """Return the names to remove under `limits` and the pre-key ids that the batch guard held back."""
    removed: set[str] = set()

    def older(file: OracleFile, limit: int) -> bool:
        return max(0, now_ns - file.mtime_ns) > limit

    if clock_is_plausible(files, now_ns):
        units: dict[str, list[OracleFile]] = {}
        for file in files:
            kind = kind_of(file.name)
            if kind == "session" and older(file, limits.session_max_age):
                removed.add(file.name)
            elif kind == "sender-key-memory":
                units.setdefault(memory_group(file.name), []).append(file)
            elif kind == "sender-key":
                if owner_of(file.name, file.content, creds) == "peer":
                    if older(file, limits.sender_key_max_age):
                        removed.add(file.name)
                else:
                    units.setdefault(sender_key_parts(file.name)[0], []).append(file)
        for members in units.values():
            if all(older(member, limits.sender_key_max_age) for member in members):
                removed |= {member.name for member in members}

    going = pre_keys_to_go(_pre_key_ids(files), limits.max_pre_keys, creds)
    guarded: set[int] = set()
    if limits.guard:
        guarded = ids_in_dense_windows(going, 200)
        if still_pairing_batch([kind_of(file.name) for file in files], creds, normal_keep):
            guarded |= {number for number in going if number <= PAIRING_UPLOAD}
    removed |= {f"pre-key-{number}.json" for number in going - guarded}
    return removed, guarded
