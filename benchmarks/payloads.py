"""Makes deliveries in the shape of GitHub's ``workflow_run``, signed and ready to send.

Seeded, so that two runs send the same bodies. Shape: https://docs.github.com/en/webhooks
"""

import hashlib
import hmac
import json
import random
from dataclasses import dataclass
from typing import Any

API = "https://api.github.com"
FAILURES = 0.1
"""The share of runs that fail; each change between failure and success moves an incident."""

# The gateway takes the time of receipt for an event that claims to come from the future.
# So each delivery is newer than the one before, as live traffic is, however often its
# body is sent.
FINISHED_AT = "2099-01-01T00:00:00Z"

_REPOSITORY_URLS = (
    *("assignees", "branches", "collaborators", "comments", "commits", "compare", "contents"),
    *("contributors", "deployments", "downloads", "events", "forks", "hooks", "issues", "keys"),
    *("labels", "languages", "merges", "milestones", "notifications", "pulls", "releases"),
    *("stargazers", "statuses", "subscribers", "subscription", "tags", "teams", "trees"),
)
_USER_URLS = (
    *("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos"),
    "received_events",
)
_RUN_URLS = ("jobs", "logs", "artifacts", "cancel", "rerun", "approvals")


@dataclass(frozen=True, slots=True)
class Target:
    """A monitor that deliveries can be sent to."""

    token: str
    secret: str


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """An HTTP request that is complete but for its delivery id, which goes in between."""

    head: bytes
    tail: bytes


def prepare_requests(targets: list[Target], per_target: int, seed: int) -> list[PreparedRequest]:
    """Signed requests to all targets, in an order that jumps between them."""
    chance = random.Random(seed)
    requests = [
        _request(target, json.dumps(workflow_run(chance, number), separators=(",", ":")).encode())
        for number, target in enumerate(targets)
        for _ in range(per_target)
    ]
    chance.shuffle(requests)
    return requests


def _request(target: Target, body: bytes) -> PreparedRequest:
    signature = hmac.new(target.secret.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /webhooks/{target.token} HTTP/1.1\r\n"
        "Host: localhost\r\n"
        "Accept: */*\r\n"
        "User-Agent: GitHub-Hookshot/benchmark\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "X-GitHub-Event: workflow_run\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\n"
        "X-GitHub-Delivery: "
    )
    return PreparedRequest(head.encode(), b"\r\n\r\n" + body)


def workflow_run(chance: random.Random, number: int) -> dict[str, Any]:
    """A finished run of repository ``number``, about 8 KB as JSON."""
    owner, name = f"owner-{number % 97}", f"service-{number}"
    run = chance.randrange(10**9, 10**10)
    repository = _repository(chance, owner, name)
    return {
        "action": "completed",
        "workflow_run": {
            **_run(chance, repository["url"], run),
            "actor": _user(chance, f"developer-{chance.randrange(50)}"),
            "triggering_actor": _user(chance, f"developer-{chance.randrange(50)}"),
            "head_commit": _commit(chance),
        },
        "workflow": {
            "id": number + 1000,
            "name": "Build",
            "path": ".github/workflows/build.yml",
            "state": "active",
            "url": f"{repository['url']}/actions/workflows/{number + 1000}",
        },
        "repository": repository,
        "sender": _user(chance, owner),
    }


def _run(chance: random.Random, repository_url: str, run: int) -> dict[str, Any]:
    failed = chance.random() < FAILURES
    url = f"{repository_url}/actions/runs/{run}"
    return {
        "id": run,
        "name": "Build",
        "node_id": f"WFR_{chance.getrandbits(96):024x}",
        "head_branch": "main",
        "head_sha": f"{chance.getrandbits(160):040x}",
        "path": ".github/workflows/build.yml",
        "display_title": "Update the dependencies of the build",
        "run_number": chance.randrange(1, 5000),
        "run_attempt": 1,
        "event": "push",
        "status": "completed",
        "conclusion": "failure" if failed else "success",
        "workflow_id": chance.randrange(10**7, 10**8),
        "check_suite_id": chance.randrange(10**9, 10**10),
        "pull_requests": [],
        "created_at": FINISHED_AT,
        "run_started_at": FINISHED_AT,
        "updated_at": FINISHED_AT,
        "url": url,
        **{f"{what}_url": f"{url}/{what}" for what in _RUN_URLS},
    }


def _commit(chance: random.Random) -> dict[str, Any]:
    person = {"name": "A Developer", "email": "developer@example.com"}
    return {
        "id": f"{chance.getrandbits(160):040x}",
        "tree_id": f"{chance.getrandbits(160):040x}",
        "message": "Update the dependencies of the build\n\n" + "Reviewed and tested. " * 12,
        "timestamp": FINISHED_AT,
        "author": person,
        "committer": person,
    }


def _user(chance: random.Random, login: str) -> dict[str, Any]:
    number = chance.randrange(10**6, 10**8)
    url = f"{API}/users/{login}"
    return {
        "login": login,
        "id": number,
        "node_id": f"U_{number:012x}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}?v=4",
        "html_url": f"https://github.com/{login}",
        "type": "User",
        "site_admin": False,
        "url": url,
        **{f"{what}_url": f"{url}/{what}" for what in _USER_URLS},
    }


def _repository(chance: random.Random, owner: str, name: str) -> dict[str, Any]:
    url = f"{API}/repos/{owner}/{name}"
    return {
        "id": chance.randrange(10**8, 10**9),
        "name": name,
        "full_name": f"{owner}/{name}",
        "private": False,
        "description": "One of many services, with a description of ordinary length",
        "default_branch": "main",
        "owner": _user(chance, owner),
        "stargazers_count": chance.randrange(5000),
        "open_issues_count": chance.randrange(300),
        "topics": ["service", "python", "webhooks"],
        "url": url,
        **{f"{what}_url": f"{url}/{what}" for what in _REPOSITORY_URLS},
    }
