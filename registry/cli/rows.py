"""What commands tell of each noun: the names in their JSON, which are stable, and the values behind them.

No hash, sealed key or secret is in a row.
"""

from typing import TYPE_CHECKING

from auth.policy import ALL, Right, rights_text
from registry.cli.output import Row, rfc3339

if TYPE_CHECKING:
    from registry.accounts.secrets import Owned
    from registry.accounts.teams import TeamView
    from registry.catalog.accounts import Account
    from registry.catalog.audit import AuditLine
    from registry.catalog.grants import GrantLine
    from registry.catalog.jobs import DoneJob, Job
    from registry.catalog.keys import KeyRow
    from registry.catalog.repositories import Repository

USES = ("last_used_at", "last_used_from")
USERS = ("name", "administrator", "disabled", "created_at", "last_login_at", "last_login_network")
ROBOTS = ("name", "disabled", "created_at")
TEAMS = ("name", "members")
TOKENS = ("id", "owner", "kind", "label", "rights", "repositories", "state", "expires_at", *USES)
GRANTS = ("subject", "rights", "target", "granted_by", "granted_at")
REPOSITORIES = ("name", "visibility", "pulls", "pulled_at", "description")
KEYS = ("id", "state", "created_at", "activated_at", "retired_at", "master_key")
JOBS = ("id", "kind", "state", "due_at", "attempts", "progress", "trouble")
DONE_JOBS = ("ended_at", "kind", "outcome", "attempts", "worker", "result")
AUDIT = ("time", "actor", "action", "result", "repository", "reference", "reason", "address")


def user_row(account: "Account") -> Row:
    """Tell of a user."""
    return {
        "name": account.name,
        "administrator": account.administrator,
        "disabled": account.disabled,
        "created_at": rfc3339(account.created_at),
        "last_login_at": rfc3339(account.login_at),
        "last_login_network": account.login_network,
    }


def organization_row(account: "Account") -> Row:
    """Tell of an organisation."""
    return {"name": account.name, "created_at": rfc3339(account.created_at)}


def team_row(team: "TeamView") -> Row:
    """Tell of a team."""
    return {"name": team.name, "members": list(team.members)}


def robot_row(account: "Account") -> Row:
    """Tell of a robot."""
    return {
        "name": account.name,
        "organization": account.organization,
        "disabled": account.disabled,
        "created_at": rfc3339(account.created_at),
    }


def token_row(owned: "Owned") -> Row:
    """Tell of a token, a robot's secret or a docker login."""
    credential = owned.credential
    return {
        "id": credential.id,
        "owner": owned.owner,
        "kind": "login" if credential.kind == "refresh" else credential.kind,
        "label": credential.label,
        "rights": rights_list(ALL.value if credential.rights is None else credential.rights),
        "repositories": list(credential.repositories) if credential.repositories is not None else ["*"],
        "state": owned.state,
        "created_at": rfc3339(credential.created_at),
        "expires_at": rfc3339(credential.expires_at),
        "revoked_at": rfc3339(credential.revoked_at),
        "last_used_at": rfc3339(credential.last_used_at),
        "last_used_from": credential.last_used_from,
    }


def repository_row(repository: "Repository") -> Row:
    """Tell of a repository."""
    return {
        "name": repository.name.value,
        "visibility": repository.visibility,
        "description": repository.description,
        "description_by": repository.description_by or None,
        "pulls": repository.pulls,
        "pulled_at": rfc3339(repository.pulled_at),
    }


def grant_row(line: "GrantLine") -> Row:
    """Tell of a grant."""
    return {
        "subject": line.subject,
        "kind": line.kind,
        "target": line.target,
        "rights": rights_list(line.rights),
        "granted_at": rfc3339(line.granted_at),
        "granted_by": line.granted_by,
    }


def key_row(key: "KeyRow") -> Row:
    """Tell of a signing key, and the id of the master key that it is sealed with."""
    return {
        "id": key.kid,
        "state": key.state,
        "created_at": rfc3339(key.created_at),
        "activated_at": rfc3339(key.activated_at),
        "retired_at": rfc3339(key.retired_at),
        "master_key": key.master_key_id,
    }


def audit_row(line: "AuditLine") -> Row:
    """Tell of a line of the trail."""
    event = line.event
    return {
        "id": line.id,
        "time": rfc3339(event.at),
        "request_id": event.request_id,
        "actor": event.actor,
        "actor_kind": event.actor_kind,
        "credential": event.credential,
        "address": event.address,
        "agent": event.agent,
        "action": event.action,
        "repository": event.repository,
        "reference": event.reference,
        "old_digest": event.old_digest,
        "new_digest": event.new_digest,
        "result": event.result,
        "reason": event.reason,
    }


def job_row(job: "Job", now: int) -> Row:
    """Tell of a job that is not finished; now: µs since 1970."""
    held = job.leased_until is not None and job.leased_until > now
    return {
        "id": job.id,
        "kind": job.kind,
        "payload": job.payload,
        "state": "running" if held else "due" if job.due_at <= now else "waiting",
        "every_seconds": None if job.every is None else job.every // 1_000_000,
        "created_at": rfc3339(job.created_at),
        "due_at": rfc3339(job.due_at),
        "attempts": job.attempts,
        "worker": job.worker if held else None,
        "begun_at": rfc3339(job.begun_at) if held else None,
        "progress": job.progress,
        "trouble": job.trouble,
    }


def done_job_row(job: "DoneJob") -> Row:
    """Tell what became of a job."""
    return {
        "id": job.id,
        "job": job.job_id,
        "kind": job.kind,
        "payload": job.payload,
        "outcome": job.outcome,
        "attempts": job.attempts,
        "worker": job.worker,
        "begun_at": rfc3339(job.begun_at),
        "ended_at": rfc3339(job.ended_at),
        "result": job.result,
    }


def rights_list(rights: int) -> list[str]:
    """Name rights in a fixed order."""
    return rights_text(Right(rights)).split(",")
