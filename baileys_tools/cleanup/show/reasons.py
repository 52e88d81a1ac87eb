"""Why a file stays or goes, in words."""

from __future__ import annotations

from datetime import timedelta

from baileys_tools.cleanup.rules.plan import Reason, Tier, Verdict
from baileys_tools.limits import Limits, Policy
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.units import duration_of, format_age, format_duration


def reason_text(verdict: Verdict, tier: Tier, policy: Policy) -> str:
    limits = policy.emergency if tier is Tier.EMERGENCY else policy.normal
    if tier is not Tier.NORMAL:
        limits = limits.with_unused()
    limit = format_duration(_limit(verdict.kind, limits) or timedelta())
    gentle = policy.gentle
    active_limit = format_duration(gentle.active_group or timedelta())
    age = _age(verdict.age_ns) if verdict.age_ns is not None else ""
    used = f"last used {age} ago{_off(verdict)}"
    emergency = " (emergency limit)" if tier is Tier.EMERGENCY else ""
    texts = {
        Reason.PROTECTED: f"{verdict.kind} is protected: never removed",
        Reason.KIND_KEPT: f"{verdict.kind} is kept at any age",
        Reason.UNKNOWN: "not a file of Baileys as far as its name and links tell: kept",
        Reason.YOUNG: f"{used}, limit {limit}{emergency}",
        Reason.SESSION_STANDS: "a session stands that may use it",
        Reason.UNUSED: f"no session uses it, written {age} ago, limit {limit}",
        Reason.ENOUGH_ROOM: f"{used}: few enough stand (until {gentle.until})",
        Reason.ACTIVE_GROUP: f"{used}, limit {active_limit} in an active group",
        Reason.GROUP_LIVES: f"{used}, but its group lives (keep_own_keys)",
        Reason.CAME_BACK: f"{used}, but it came back before (returners)",
        Reason.UNIT_YOUNG: f"{used}, but one unit with a younger key or memory",
        Reason.MEMORY_FIRST: f"{used}: its memory goes first, the key in a later run",
        Reason.CLEANED_JUST_NOW: "goes in a later run: a message may be on its way since the last",
        Reason.PRE_KEY_NEWEST: f"one of the {limits.pre_keys_keep} highest ids",
        Reason.PRE_KEY_LAST: "the id that Baileys checks at login (nextPreKeyId - 1)",
        Reason.PRE_KEY_NOT_UPLOADED: "not uploaded yet",
        Reason.PRE_KEY_GUARDED: "part of a large upload that the server still hands out",
        Reason.HELD: "kept while the folder is held: rules cannot be applied to it",
        Reason.OLD: f"{used}, limit {limit}{emergency}",
        Reason.PRE_KEY_OVER_LIMIT: f"not one of the {limits.pre_keys_keep} highest ids{emergency}",
    }
    return texts[verdict.reason]


def _limit(kind: Kind, limits: Limits) -> timedelta | None:
    return {
        Kind.SESSION: limits.session_max_age,
        Kind.DEVICE_LIST: limits.device_lists,
        Kind.IDENTITY_KEY: limits.identity_keys,
    }.get(kind, limits.sender_key_max_age)


def _off(verdict: Verdict) -> str:
    if not verdict.silent_ns or verdict.age_ns is None:
        return ""
    return f", of which the bot was off {_age(verdict.silent_ns)}: {_age(verdict.age_ns - verdict.silent_ns)}"


def _age(nanoseconds: int) -> str:
    return format_age(duration_of(nanoseconds))
