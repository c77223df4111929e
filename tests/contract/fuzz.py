"""Schemathesis over all routes, with real ids: no 5xx, no answer that the document does not tell.

TIDEGATE_CONTRACT_CASES is how many requests there are to be at least; 5,000 where it is not set.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections import Counter

from routes import DOCUMENT, Stack, routes
from seed import Seed, Seeded

HERE = pathlib.Path(__file__).resolve().parent
CASES = int(os.environ.get("TIDEGATE_CONTRACT_CASES", "5000"))

# Operations that take what the document does not tell of, and why.
LENIENT = {
    "reportState": "a report is read field by field: what cannot be read is told in the answer, and the rest counts",
    "deliverWebhook": "a registry's words are its own: what is no push is ignored, with a 202",
    "deliverWebhookByPath": "the same",
    "approveRollout": "a seal that is none is that of something else: 409",
    "rejectRollout": "the same",
    "pauseRollout": "a reason of spaces alone is none, however long",
    "cancelRollout": "the same",
    "rollbackAll": "the same",
}

# Operations that refuse what the document allows, with which status, and why no schema can tell.
STRICT = {
    "listDevices": (400, "cursors are signed, and images have a grammar"),
    "listPolicies": (400, "cursors are signed"),
    "listRollouts": (400, "cursors are signed, and images have a grammar"),
    "listRolloutDevices": (400, "cursors are signed"),
    "listRolloutEvents": (400, "cursors are signed"),
    "clearBadDigest": (400, "repositories have a grammar, and a reason is not blank"),
    "enrolDevice": (422, "images, platforms and time zones are those that there are; of uuids, versions 4 and 7"),
    "updateDevice": (422, "time zones are those of the IANA database"),
    "createPolicy": (422, "fields must go together, and patterns have a grammar"),
    "replacePolicy": (422, "the same"),
    "applyPolicies": (422, "the same, of each policy; and names are unique"),
    "triggerUpdate": (422, "images have a grammar, and registries are allowed"),
    "resumeRollout": (422, "a reason is not blank"),
}

# What a request that is right in itself may be answered with, as things stand: it is another revision, or deleted.
AS_THINGS_STAND = ["2xx", "3xx", 401, 403, 404, 409, 410, 412, 429]

# What a request that is wrong is answered with; also an If-Match that is none.
REFUSED = [400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422]


def operations() -> dict[str, str]:
    """The path of each operation."""
    paths = json.loads(DOCUMENT.read_text())["paths"]
    return {operation["operationId"]: path for path, methods in paths.items() for operation in methods.values()}


def quoted(value: object) -> str:
    """A value as TOML has it; for texts and numbers JSON's form is TOML's."""
    return json.dumps(value)


def configuration(stack: Stack, seeded: Seeded) -> str:
    bearers = {
        "operatorToken": stack.operator,
        "provisioningKey": stack.provisioning,
        "webhookSecret": stack.webhook,
        "deviceToken": seeded.device_token,
    }
    words = {
        "rollouts": seeded.rollouts,
        "policies": seeded.policies,
        "devices": seeded.devices,
        "images": seeded.images,
        "repositories": seeded.repositories,
        "digests": seeded.bad_digests,
        # Also one that is longer than a key may be.
        "names": ["kept-out", "kept-out", "x" * 3000],
        "kept_out": [seeded.bad_repository],
        "device": [seeded.device],
        "sources": ["docker-registry"],
        "deliveries": seeded.deliveries,
        "secrets": [stack.webhook],
        "zones": ["Europe/Berlin", "America/New_York", "UTC"],
        "platforms": ["linux/amd64", "linux/arm64/v8"],
        "patterns": [f"{repository}:*" for repository in seeded.repositories],
    }
    # Which parameter gets which real value, by path and place; most of the time, and else one that is made up.
    policy = {"body.image_pattern": "patterns", "body.timezone": "zones"}
    places = {
        "/api/v1/rollouts": {"path.id": "rollouts", "query.image": "images", "query.device_uuid": "devices"},
        "/api/v1/image-policies/apply": {"body.policies[*].image_pattern": "patterns"},
        "/api/v1/image-policies": {"path.id": "policies"} | policy,
        "/api/v1/devices": {
            "path.uuid": "devices",
            "query.image": "repositories",
            "body.timezone": "zones",
            "body.platform": "platforms",
        },
        "/api/v1/device/": {"path.uuid": "device", "body.reports[*].rollout_id": "rollouts"},
        "/api/v1/images/bad": {"path.digest": "digests", "query.repository": "kept_out", "query.policy": "names"},
        "/api/v1/images/trigger-update": {"body.image": "images"},
        "/api/v1/deliveries": {"body.delivery_id": "deliveries", "body.source": "sources"},
        "/api/v1/webhooks": {"path.source": "sources", "path.token": "secrets"},
    }
    lines = [f"hooks = {quoted(str(HERE / 'hooks.py'))}"]
    for name, values in words.items():
        lines += [f"[dictionaries.{name}]", f"values = {quoted(values)}"]
    for caller, token in bearers.items():
        lines += [f"[auth.openapi.{caller}]", f"bearer = {quoted(token)}"]
    for name, ids in seeded.to_command.items():
        lines += [f"[dictionaries.{name}]", f"values = {quoted(ids)}"]
    for name, path in operations().items():
        # An operation's settings are those of one entry.
        lines += ["[[operations]]", f"include-operation-id = {quoted(name)}", "[operations.parameters]"]
        bound = next((bound for prefix, bound in places.items() if path.startswith(prefix)), {})
        if name in seeded.to_command:
            bound = bound | {"path.id": name}
        for place, dictionary in bound.items():
            lines.append(f"{quoted(place)} = {{ dictionary = {quoted(dictionary)}, probability = 0.8 }}")
        if name in LENIENT:
            lines += ["[operations.checks.negative_data_rejection]", "enabled = false"]
        if name in STRICT:
            lines += ["[operations.checks.positive_data_acceptance]"]
            lines += [f"expected-statuses = {quoted([*AS_THINGS_STAND, STRICT[name][0]])}"]
        if name == "applyPolicies":
            # A list of whole policies takes Hypothesis minutes to make up; its bounds and examples are tried.
            lines += ["[operations.phases.fuzzing]", "enabled = false", "[operations.phases.stateful]", "enabled = false"]
        if name == "deleteDevice":
            # Not one that an answer told of: it may be the one that must stay.
            for phase in ("examples", "coverage", "fuzzing"):
                lines += [f"[operations.phases.{phase}.extra-data-sources]", "responses = false"]
    lines += ["[checks.negative_data_rejection]", f"expected-statuses = {quoted(REFUSED)}"]
    lines += ["[checks.positive_data_acceptance]", f"expected-statuses = {quoted(AS_THINGS_STAND)}"]
    return "\n".join(lines) + "\n"


def answered(report: pathlib.Path) -> dict[str, Counter[int]]:
    """How often each operation was answered with which status."""
    paths = json.loads(DOCUMENT.read_text())["paths"]
    names = {
        (method.upper(), path): operation["operationId"]
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    answers: dict[str, Counter[int]] = {name: Counter() for name in names.values()}
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for case, made in (recorder.get("interactions") or {}).items():
            asked = recorder["cases"][case]["value"]
            name = names.get((asked["method"], asked["path"]))
            if name and made.get("response"):
                answers[name][made["response"]["status_code"]] += 1
    return answers


def main() -> int:
    with routes() as stack, tempfile.TemporaryDirectory() as folder:
        config, report = pathlib.Path(folder, "schemathesis.toml"), pathlib.Path(folder, "report.ndjson")
        config.write_text(configuration(stack, Seed(stack).sow()))
        program = pathlib.Path(sys.executable).parent / "schemathesis"
        command: list[str | pathlib.Path] = [program, "--config-file", config, "run", DOCUMENT, "--url", stack.url]
        command += ["--report", "ndjson", "--report-ndjson-path", report, "--no-color"]
        # What the bounds of parameters and fields give is some thousand; the rest is made up, so much for each operation.
        command += ["--max-examples", str(max(1, CASES // 32)), *sys.argv[1:]]
        ended = subprocess.run(command, check=False).returncode
        answers = answered(report)
    for name, statuses in answers.items():
        told = ", ".join(f"{status}: {times}" for status, times in sorted(statuses.items()))
        print(f"{name:22} {told}")
    wanting = [name for name, statuses in answers.items() if not any(status < 400 for status in statuses)]
    made = sum(sum(statuses.values()) for statuses in answers.values())
    print(f"{made} requests to {len(answers)} operations")
    # With options of one's own, it is not all of them that are meant.
    if len(sys.argv) == 1 and wanting:
        print(f"never answered with success: {', '.join(wanting)}")
        return 1
    if len(sys.argv) == 1 and made < CASES:
        print(f"expected {CASES} requests at least")
        return 1
    return ended


if __name__ == "__main__":
    raise SystemExit(main())
