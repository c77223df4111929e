"""A stack that has something of everything: policies, devices, and a rollout in every status that can be commanded."""

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from routes import Stack

REGISTRY = "docker.io"
Json = dict[str, Any]
NAMES = (f"{n:08x}" for n in itertools.count(1))


@dataclass
class Seeded:
    policies: list[str] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    rollouts: list[str] = field(default_factory=list)
    # For each command, rollouts that take it.
    to_command: dict[str, list[str]] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    repositories: list[str] = field(default_factory=list)
    # Digests that are kept out, all of one repository.
    bad_digests: list[str] = field(default_factory=list)
    bad_repository: str = f"{REGISTRY}/acme/kept-out"
    # One device with its token, which nobody deletes.
    device: str = ""
    device_token: str = ""


def digest(text: str) -> str:
    return "sha256:" + text.encode().hex().rjust(64, "0")[-64:]


def push_of(repository: str, tag: str, content: str) -> Json:
    """What CNCF distribution sends."""
    host, path = repository.split("/", 1)
    target = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": content,
        "repository": path,
        "tag": tag,
        "url": f"https://{host}/v2/{path}/manifests/{content}",
    }
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    request = {"id": "r", "host": host, "method": "PUT"}
    event = {"id": f"{repository}:{tag}", "timestamp": now, "action": "push", "target": target, "request": request}
    return {"events": [event]}


class Seed:
    def __init__(self, stack: Stack) -> None:
        self.seeded = Seeded()
        self.operator = stack.caller(stack.operator)
        self.provisioning = stack.caller(stack.provisioning)
        self.registry = stack.caller(stack.webhook)

    def sow(self) -> Seeded:
        for strategy, commands in [
            ("auto", ["pause", "resume"]),
            ("staged", ["cancel", "rollback-all"]),
            ("manual", ["approve"]),
            ("manual", ["reject"]),
            ("scheduled", []),
            ("auto", ["superseded"]),
        ]:
            self.seeded.rollouts.append(self.rollout(strategy, commands))
        for operation, strategy, commands in [
            ("pauseRollout", "auto", []),
            ("resumeRollout", "auto", ["pause"]),
            ("cancelRollout", "staged", []),
            ("rollbackAll", "staged", ["cancel"]),
            ("approveRollout", "manual", []),
            ("rejectRollout", "manual", []),
        ]:
            own = [self.rollout(strategy, commands) for _ in range(3)]
            self.seeded.to_command[operation] = own
            self.seeded.rollouts.extend(own)
        # Some that nothing else refers to, to be deleted.
        for _ in range(10):
            self.seeded.devices.append(self.enrol("spare", "docker.io/acme/spare:v1")["uuid"])
            self.seeded.policies.append(self.policy(next(NAMES), "docker.io/acme/spare-*", "auto")["id"])
        self.keep_out()
        return self.seeded

    def rollout(self, strategy: str, commands: list[str]) -> str:
        name = next(NAMES)
        repository = f"{REGISTRY}/acme/app-{name}"
        policy = self.policy(name, f"{repository}:*", strategy)
        devices = [self.enrol(f"fleet-{name}", f"{repository}:v1") for _ in range(3)]
        pushed = self.push(repository, "v2", digest(name + "2"))
        rollout = pushed["rollout_id"]
        status = self.settled(rollout)
        for command in commands:
            if command == "superseded":
                self.push(repository, "v3", digest(name + "3"))
                continue
            body = {"reason": "seeded"}
            answer = self.operator.post(f"/api/v1/rollouts/{rollout}/{command}", json=body)
            taken(answer, f"{command} of a rollout that is {status}")
        self.seeded.policies.append(policy["id"])
        if not self.seeded.device:
            own = devices.pop()
            self.seeded.device, self.seeded.device_token = own["uuid"], own["token"]
        self.seeded.devices.extend(device["uuid"] for device in devices)
        self.seeded.images.append(f"{repository}:v2")
        self.seeded.repositories.append(repository)
        return str(rollout)

    def keep_out(self) -> None:
        repository = self.seeded.bad_repository
        self.policy("kept-out", f"{repository}:*", "manual")
        self.enrol("kept-out", f"{repository}:v1")
        for n in range(20):
            content = digest(f"bad {n}")
            rollout = self.push(repository, f"bad-{n}", content)["rollout_id"]
            self.settled(rollout)
            taken(self.operator.post(f"/api/v1/rollouts/{rollout}/reject", json={"reason": "seeded"}), "a rejection")
            self.seeded.bad_digests.append(content)

    def policy(self, name: str, pattern: str, strategy: str) -> Json:
        body: Json = {"name": name, "image_pattern": pattern, "update_strategy": strategy}
        if strategy == "scheduled":
            body |= {"maintenance_window_start": "02:00", "maintenance_window_end": "03:00", "days": ["sun"]}
        return taken(self.operator.post("/api/v1/image-policies", json=body), "a policy")

    def enrol(self, fleet: str, image: str) -> Json:
        body = {"fleet_id": fleet, "services": {"web": {"image": image}}, "tags": {"region": "eu"}}
        return taken(self.provisioning.post("/api/v1/devices", json=body), "a device")

    def push(self, repository: str, tag: str, content: str) -> Json:
        body = push_of(repository, tag, content)
        pushed = taken(self.registry.post("/api/v1/webhooks/docker-registry", json=body), "a push")
        self.seeded.deliveries.append(pushed["delivery_id"])
        return pushed

    def settled(self, rollout: str) -> str:
        """Its status, once it is planned."""
        for _ in range(200):
            status = str(taken(self.operator.get(f"/api/v1/rollouts/{rollout}"), "a rollout")["status"])
            if status != "pending":
                return status
            time.sleep(0.02)
        raise SystemExit(f"{rollout} stays pending")


def taken(answer: httpx.Response, what: str) -> Json:
    if not answer.is_success:
        raise SystemExit(f"{what}: {answer.status_code} {answer.text}")
    read: Json = answer.json()
    return read
