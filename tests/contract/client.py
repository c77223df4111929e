"""Calls every operation through the client that openapi-python-client made of the document, against the real routes.

Ends with an error where an operation was not called with success: a new route needs a call here.
"""

import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import uuid4

from calls import Calls
from routes import routes
from seed import digest, push_of
from tidegate_client import AuthenticatedClient, Client
from tidegate_client.api.device_state import get_target_state, report_state
from tidegate_client.api.devices import (
    allow_reenrolment,
    delete_device,
    enrol_device,
    get_device,
    list_devices,
    update_device,
)
from tidegate_client.api.images import clear_bad_digest, trigger_update
from tidegate_client.api.policies import (
    apply_policies,
    create_policy,
    delete_policy,
    get_policy,
    list_policies,
    replace_policy,
)
from tidegate_client.api.rollouts import (
    approve_rollout,
    cancel_rollout,
    get_rollout,
    list_rollout_devices,
    list_rollout_events,
    list_rollouts,
    pause_rollout,
    reject_rollout,
    resume_rollout,
    rollback_all,
)
from tidegate_client.api.system import get_health, get_open_api_document
from tidegate_client.api.webhooks import deliver_webhook, deliver_webhook_by_path, replay_delivery
from tidegate_client.models import (
    AppliedPolicies,
    CommandedRollout,
    Device,
    DeviceCredential,
    DeviceEventName,
    DevicePage,
    DevicePatch,
    DeviceRolloutPage,
    DryRun,
    EnrolBody,
    EnrolBodyServices,
    EnrolService,
    HttpCheckBody,
    HttpCheckBodyType,
    MoveAction,
    Policy,
    PolicyBody,
    PolicyPage,
    PolicySet,
    ReasonBody,
    RegistryDelivery,
    ReplayBody,
    ReportAnswer,
    ReportBody,
    ReportedEvent,
    ResumeBody,
    Rollout,
    RolloutEventPage,
    RolloutPage,
    RolloutStatus,
    Strategy,
    Tags,
    TargetState,
    TriggerAnswer,
    TriggerBody,
    WebhookAnswer,
)
from tidegate_client.types import Response

REPOSITORY = "docker.io/acme/app"


T = TypeVar("T")


def got(kind: type[T], answer: Response[Any], status: HTTPStatus = HTTPStatus.OK) -> T:
    assert answer.status_code == status, f"{answer.status_code}: {answer.content.decode()}"
    assert isinstance(answer.parsed, kind), answer.parsed
    return answer.parsed


def main() -> None:
    calls = Calls()
    with routes() as stack:

        def caller(token: str) -> AuthenticatedClient:
            hooks = {"event_hooks": {"response": [calls.saw]}}
            return AuthenticatedClient(base_url=stack.url, token=token, httpx_args=hooks)

        anyone = Client(base_url=stack.url, httpx_args={"event_hooks": {"response": [calls.saw]}})
        operator, provisioning = caller(stack.operator), caller(stack.provisioning)
        registry = caller(stack.webhook)

        get_health.sync_detailed(client=anyone)
        get_open_api_document.sync_detailed(client=anyone)

        # A policy is made, read, changed as it was read, and removed.
        health = HttpCheckBody(type_=HttpCheckBodyType.HTTP, endpoint="http://localhost:8080/health", retry_count=1)
        body = PolicyBody(name="app", image_pattern=f"{REPOSITORY}:*", update_strategy=Strategy.AUTO)
        body.health_check, body.staged_batches = health, ["10%", "100%"]
        policy = got(Policy, create_policy.sync_detailed(client=operator, body=body), HTTPStatus.CREATED)
        assert policy.update_strategy is Strategy.AUTO
        assert got(PolicyPage, list_policies.sync_detailed(client=operator, limit=10)).items == [policy]
        read = get_policy.sync_detailed(policy.id, client=operator)
        changed = PolicyBody.from_dict(json.loads(read.content))
        changed.soak_seconds = 0
        etag = read.headers["etag"]
        written = replace_policy.sync_detailed(policy.id, client=operator, body=changed, if_match=etag)
        assert got(Policy, written).soak_seconds == 0
        spare = PolicyBody(name="spare", image_pattern="docker.io/acme/spare")
        spare_policy = got(Policy, create_policy.sync_detailed(client=operator, body=spare), HTTPStatus.CREATED)
        delete_policy.sync_detailed(spare_policy.id, client=operator)
        wanted = PolicySet(policies=[PolicyBody(name="of a set", image_pattern="docker.io/acme/set")])
        planned = got(AppliedPolicies, apply_policies.sync_detailed(client=operator, body=wanted, dry_run=True))
        applied = apply_policies.sync_detailed(client=operator, body=wanted, plan=planned.plan)
        assert got(AppliedPolicies, applied).parts == 1

        # Devices are enrolled, read, changed and removed.
        def enrol(fleet: str) -> DeviceCredential:
            services = EnrolBodyServices.from_dict({"web": EnrolService(image=f"{REPOSITORY}:v1").to_dict()})
            device = EnrolBody(fleet_id=fleet, services=services, tags=Tags.from_dict({"region": "eu"}))
            return got(DeviceCredential, enrol_device.sync_detailed(client=provisioning, body=device), HTTPStatus.CREATED)

        credential, gone = enrol("north"), enrol("north")
        got(Device, get_device.sync_detailed(credential.uuid, client=operator))
        renamed = DevicePatch(name="gate 12")
        assert got(Device, update_device.sync_detailed(credential.uuid, client=operator, body=renamed)).name == "gate 12"
        got(Device, allow_reenrolment.sync_detailed(gone.uuid, client=operator))
        delete_device.sync_detailed(gone.uuid, client=operator)
        page = got(DevicePage, list_devices.sync_detailed(client=operator, tag=["region:eu"]))
        assert [device.uuid for device in page.items] == [credential.uuid]

        # A push becomes a rollout; the device takes it.
        def push(tag: str) -> str:
            delivery = RegistryDelivery.from_dict(push_of(REPOSITORY, tag, digest(tag)))
            answer = deliver_webhook.sync_detailed("docker-registry", client=registry, body=delivery)
            rollout_id = got(WebhookAnswer, answer, HTTPStatus.ACCEPTED).rollout_id
            assert isinstance(rollout_id, str), answer.content
            return rollout_id

        def rollout(rollout_id: str) -> Rollout:
            return got(Rollout, get_rollout.sync_detailed(rollout_id, client=operator))

        first = push("v2")
        until(lambda: rollout(first).status is RolloutStatus.IN_PROGRESS)
        device = caller(credential.token)
        state = get_target_state.sync_detailed(credential.uuid, client=device)
        web = got(TargetState, state).services["web"]
        assert web.rollout and web.rollout.action is MoveAction.UPDATE
        same = get_target_state.sync_detailed(credential.uuid, client=device, if_none_match=state.headers["etag"])
        assert same.status_code == HTTPStatus.NOT_MODIFIED
        told = ReportedEvent(id=uuid4(), rollout_id=first, event=DeviceEventName.DEVICE_IMAGE_PULLING, seq=1)
        told.service = "web"
        report = report_state.sync_detailed(credential.uuid, client=device, body=ReportBody(reports=[told]))
        assert got(ReportAnswer, report).accepted == 1
        running = list_rollouts.sync_detailed(client=operator, status=RolloutStatus.IN_PROGRESS, image=REPOSITORY)
        assert [each.rollout_id for each in got(RolloutPage, running).items] == [first]
        assert got(DeviceRolloutPage, list_rollout_devices.sync_detailed(first, client=operator, batch=1)).items
        assert got(RolloutEventPage, list_rollout_events.sync_detailed(first, client=operator)).items

        # It is paused, goes on, is cancelled and taken back; its digest is kept out, and let in again.
        def commanded(answer: Response[Any], status: RolloutStatus) -> None:
            assert got(CommandedRollout, answer).status is status

        why = ReasonBody(reason="looking at it")
        commanded(pause_rollout.sync_detailed(first, client=operator, body=why), RolloutStatus.PAUSED)
        seen = ResumeBody(reason="seen")
        commanded(resume_rollout.sync_detailed(first, client=operator, body=seen), RolloutStatus.IN_PROGRESS)
        commanded(cancel_rollout.sync_detailed(first, client=operator), RolloutStatus.CANCELLED)
        commanded(rollback_all.sync_detailed(first, client=operator), RolloutStatus.ROLLING_BACK)
        bad = clear_bad_digest.sync_detailed(digest("v2"), client=operator, repository=REPOSITORY, reason="mended")
        assert bad.status_code == HTTPStatus.OK, bad.content

        # By hand, and with an approval.
        by_hand = TriggerBody(image=f"{REPOSITORY}@{digest('v3')}")
        dry = trigger_update.sync_detailed(client=operator, body=by_hand, dry_run=True)
        assert got(DryRun, dry).total_devices == 1
        by_hand.strategy = Strategy.MANUAL
        answer = trigger_update.sync_detailed(client=operator, body=by_hand)
        triggered = got(TriggerAnswer, answer, HTTPStatus.ACCEPTED).rollout_id
        assert isinstance(triggered, str)
        until(lambda: rollout(triggered).status is RolloutStatus.AWAITING_APPROVAL)
        assert got(CommandedRollout, approve_rollout.sync_detailed(triggered, client=operator)).changed
        by_hand.image = f"{REPOSITORY}@{digest('v4')}"
        answer = trigger_update.sync_detailed(client=operator, body=by_hand)
        refused = got(TriggerAnswer, answer, HTTPStatus.ACCEPTED).rollout_id
        assert isinstance(refused, str)
        until(lambda: rollout(refused).status is RolloutStatus.AWAITING_APPROVAL)
        commanded(reject_rollout.sync_detailed(refused, client=operator), RolloutStatus.REJECTED)

        # A registry that cannot sign; and what it told, looked at again.
        delivery = RegistryDelivery.from_dict(push_of(REPOSITORY, "v5", digest("v5")))
        answered = deliver_webhook_by_path.sync_detailed("docker-registry", stack.webhook, client=registry, body=delivery)
        delivered = got(WebhookAnswer, answered, HTTPStatus.ACCEPTED)
        again = ReplayBody(delivery_id=delivered.delivery_id, force=True)
        got(WebhookAnswer, replay_delivery.sync_detailed(client=operator, body=again), HTTPStatus.ACCEPTED)
    calls.all_operations()


def until(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to that")


if __name__ == "__main__":
    main()
