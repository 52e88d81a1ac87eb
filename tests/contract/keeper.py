"""Does to a folder what lives_contract.mjs asks for: one question a line, each at the moment of its clock."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from baileys_tools.cleanup.cleaning import run_cleanup
from baileys_tools.cleanup.show.cleanup_json import cleanup_json
from baileys_tools.cleanup.show.policy_text import policy_json
from baileys_tools.cleanup.trying import try_policies
from baileys_tools.cleanup.undo_runs import list_undo
from baileys_tools.cleanup.undoing import run_undo
from baileys_tools.config import LoadedSettings, load_settings
from baileys_tools.cures.contact import plan_for_contact
from baileys_tools.cures.group_keys import plan_all_groups
from baileys_tools.cures.renewing import plan_for_all
from baileys_tools.cures.rules.asides import CurePlan
from baileys_tools.cures.rules.contact import typed_contact
from baileys_tools.cures.setting_aside import CureOptions, Look, run_cure
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.recovery.recovering import run_recover
from baileys_tools.recovery.recovery_job import RecoverJob
from baileys_tools.recovery.resetting import ResetOptions, run_reset
from baileys_tools.recovery.restore_job import RestoreOptions
from baileys_tools.recovery.restoring import run_restore
from baileys_tools.recovery.rules.recovery import Rung
from baileys_tools.recovery.show.restore_json import restore_json
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.snapshots.backup import run_backup
from baileys_tools.state.database import open_state
from baileys_tools.state.key_uses import uses_kept
from baileys_tools.watching.monitor import run_monitor

Question = Mapping[str, Any]


class Keeper:
    """One host with one company."""

    def __init__(self) -> None:
        self.root, home = os.environ["BAILEYS_SESSIONS_PATH"], os.environ["HOME"]
        self.repository = f"{home}/backups"
        flags = {"backup.path": self.repository}
        self._loaded = {
            guard: load_settings({**flags, "pre_keys.guard": guard}, dict(os.environ), home=home, cwd=home)
            for guard in (True, False)
        }

    def loaded(self, asked: Question) -> LoadedSettings:
        return self._loaded[asked.get("guard", True)]

    def cleanup(self, asked: Question, now: datetime) -> dict[str, Any]:
        report = run_cleanup(self.loaded(asked).settings, self.root, now)
        (company,) = json.loads(cleanup_json(report, kept_files=False))["companies"]
        return {"status": company["status"], "cost": company["plan"]["cost"]}

    def watch(self, asked: Question, now: datetime) -> dict[str, Any]:
        loaded = self.loaded(asked)
        with open_state(loaded.settings.state.dir, now) as state:
            run_monitor(loaded, state, now, notify=False)
        return {}

    def undo(self, asked: Question, now: datetime) -> dict[str, Any]:
        """Undo the last run, or with `older` one before it, as far as there is one; or the `run` that is named."""
        settings = self.loaded(asked).settings
        if "run" in asked:
            report = run_undo(settings, self.root, now, asked["run"])
            (company,) = report.companies
            late = company.late._asdict() if company.late is not None else {}
            return {"exit_code": int(report.exit_code), "why": company.trouble, "late": late}
        (company,) = list_undo(settings, self.root, now).companies
        runs = sorted(found.run for found in company.runs if not found.whole_folder)
        if runs:
            run_undo(settings, self.root, now, runs[max(0, len(runs) - 1 - asked.get("older", 0))])
        return {}

    def backup(self, asked: Question, now: datetime) -> dict[str, Any]:
        report = run_backup(self.loaded(asked).settings, self.root, self.repository, now)
        return {"exit_code": int(report.exit_code)}

    def restore(self, asked: Question, now: datetime) -> dict[str, Any]:
        """Bring back the newest snapshot, in one of both modes; with `back`, and then what stood there before."""
        options = RestoreOptions(
            "1", mode=asked["mode"], keep_sessions=asked.get("keep_sessions", False), yes=True
        )
        told = self._restored(asked, options, now)
        if asked.get("back") and (before := told["result"]["before"]) is not None:
            back = replace(options, wanted=before["id"], keep_sessions=True)
            told = self._restored(asked, back, now + timedelta(minutes=1))
        return {"status": told["status"], "cost": told["plan"]["cost"], "files": told["plan"]["files"]}

    def _restored(self, asked: Question, options: RestoreOptions, now: datetime) -> dict[str, Any]:
        settings = self.loaded(asked).settings
        report = run_restore(settings, options, self.root, self.repository, now, lambda report: True)
        told: dict[str, Any] = json.loads(restore_json(report))
        return told

    def recover(self, asked: Question, now: datetime) -> dict[str, Any]:
        """Bring a bot back whose creds are torn. That costs what the repair costs which it takes to."""
        plan = self._restored(asked, RestoreOptions("1", dry_run=True), now)
        settings = self.loaded(asked).settings
        with open_state(settings.state.dir, now) as state:
            job = RecoverJob(settings, state, now, lambda text: None, clock=lambda: now)
            report = run_recover(job, self.root, lambda companies: True)
        assert [step.rung for step in report.companies[0].tried] == [Rung.RESTORE]
        return {"cost": plan["plan"]["cost"]}

    def reset(self, asked: Question, now: datetime) -> dict[str, Any]:
        options = ResetOptions("1", yes=True, pair=False)
        report = run_reset(self.loaded(asked).settings, options, self.root, now, lambda report: True)
        return {"run": report.run}

    def resend_group_keys(self, asked: Question, now: datetime) -> dict[str, Any]:
        loaded, options = self.loaded(asked), CureOptions("1", yes=True)
        report = run_cure(loaded, "resend-group-keys", options, now, plan_all_groups, str)
        return {"cost": {"key_messages": report.plan.cost.key_messages}}

    def renew(self, asked: Question, now: datetime) -> dict[str, Any]:
        """Set all sessions of a contact aside."""
        typed = typed_contact(asked["who"])
        assert typed is not None

        def look(folder: int, facts: FolderFacts) -> CurePlan:
            return plan_for_contact(folder, facts, typed, {}, every=True)

        return self._renewed(asked, look, now)

    def renew_broken(self, asked: Question, now: datetime) -> dict[str, Any]:
        """Set all sessions aside that no bot can read."""

        def look(folder: int, facts: FolderFacts) -> CurePlan:
            return plan_for_all(folder, facts, {}, 50)

        return self._renewed(asked, look, now)

    def _renewed(self, asked: Question, look: Look, now: datetime) -> dict[str, Any]:
        try:
            report = run_cure(self.loaded(asked), "renew", CureOptions("1", yes=True), now, look, str)
        except BaileysToolsError as error:
            assert error.exit_code is ExitCode.NOT_FOUND
            return {"cost": {}}
        return {"cost": {"contacts": report.plan.cost.contacts}}

    def try_rules(self, asked: Question, now: datetime) -> dict[str, Any]:
        settings = self.loaded(asked).settings
        tried = try_policies(settings, self.root, now, asked["days"])
        with open_state(settings.state.dir, now) as state:
            ((place,),) = state.rows("SELECT DISTINCT company FROM key_uses")
            uses = uses_kept(state, place)
        return {"tried": json.loads(policy_json(tried)), "uses": uses}


def main() -> None:
    keeper = Keeper()
    verbs: dict[str, Callable[[Question, datetime], dict[str, Any]]] = {
        "cleanup": keeper.cleanup,
        "watch": keeper.watch,
        "undo": keeper.undo,
        "backup": keeper.backup,
        "restore": keeper.restore,
        "resend": keeper.resend_group_keys,
        "renew": keeper.renew,
        "renew-broken": keeper.renew_broken,
        "recover": keeper.recover,
        "reset": keeper.reset,
        "try": keeper.try_rules,
    }
    for line in sys.stdin:
        asked = json.loads(line)
        answer = verbs[asked["do"]](asked, datetime.fromtimestamp(asked["now"] / 1000, UTC))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
