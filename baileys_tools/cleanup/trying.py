"""`policy try`: what other rules would have cost a company, by its own past."""

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime

from baileys_tools.cleanup.cleaning import look_and_plan
from baileys_tools.cleanup.job import job_of_looking
from baileys_tools.cleanup.observed import Observed
from baileys_tools.cleanup.rules.plan import CleanupPlan, Known
from baileys_tools.cleanup.rules.policy import plan_cleanup
from baileys_tools.cleanup.rules.returners import came_back
from baileys_tools.cleanup.rules.trying import RULES, PolicyTried, RuleTried, counted_beside, try_rule
from baileys_tools.cleanup.rules.uses import days_known, seen_again, used_before
from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import the_one_company
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.limits import Policy
from baileys_tools.sessions.locks import told_of
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import problem_of, state_of
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import KEYS_BY_AGE

VERB = "policy try"
LONGEST = 120
"""Days: what was not used for longer is forgotten."""


def try_command(given: CommandLine, days: int) -> ExitCode:
    """Given the command line, print what each rule would have cost, once, and return the exit code."""
    if not 1 <= days <= LONGEST:
        raise UsageError(f"--days {days} is not between 1 and {LONGEST}", "For example: --days 60")
    from baileys_tools.cleanup.show import policy_text

    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    with recorded(VERB, loaded.settings, now, dry_run=True) as run:
        report = try_policies(loaded.settings, require_sessions_path(loaded), now, days)
        run.ended(ExitCode.DONE, rules=len(report.rules))
    print(policy_text.policy_json(report) if given.as_json else policy_text.policy_text(report))
    return ExitCode.DONE


def try_policies(settings: Settings, root_path: str, now: datetime, days: int) -> PolicyTried:
    """Return what the rules would have cost the one company that the settings choose. Touches nothing."""
    with Root(root_path) as root:
        company = the_one_company(root, settings, VERB)
        with closing(Observed(settings, now, of=(root, [company]))) as observed:
            with told_of(company.id), root.open(company) as folder:
                job = job_of_looking(settings, now, observed).for_company(settings, company.id)
                facts, plan = look_and_plan(folder, company, job)
            if problem_of(facts.creds, facts.names):
                raise BaileysToolsError(
                    f"company {company.id}: {state_of(facts.creds).said or 'creds.json cannot be read'}",
                    "A cleanup removes nothing there. baileys-tools inspect says more.",
                    exit_code=ExitCode.REFUSED,
                )
            return _try(company, job.policy, facts, plan, observed, now, days)


def _try(
    company: Company,
    policy: Policy,
    facts: FolderFacts,
    plan: CleanupPlan,
    observed: Observed,
    now: datetime,
    days: int,
) -> PolicyTried:
    uses = seen_again(observed.uses_before(company), facts, now)
    seen = observed(company)
    around = counted_beside(facts, plan)
    returned = came_back(facts, observed.removed_before(company))
    known = Known(seen, came_back=returned, used_before=used_before(facts, uses))
    length = min(days, days_known(uses, now))
    policies: list[tuple[Mapping[str, str] | None, Policy]] = [
        (rule.settings, rule.of(policy)) for rule in RULES
    ]
    if policy not in [one for _, one in policies]:
        policies.insert(0, (None, policy))
    rules = [
        RuleTried.tried(
            settings,
            try_rule(uses, one, around, seen, now, length) if length else None,
            plan_cleanup(facts, one, now, known),
            in_force=one == policy,
        )
        for settings, one in policies
    ]
    room = policy.thresholds.warning - counted_beside(facts, plan, KEYS_BY_AGE)
    return PolicyTried(company.id, company.path, now, length, room, rules)
