"""Schemathesis over all routes, with real ids: no 5xx, no answer that the document does not tell.

TIDEGATE_CONTRACT_CASES is how many requests there are to be at least; 5,000 where it is not set.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from routes import DOCUMENT, Stack, routes
from seed import Seed, Seeded

HERE = pathlib.Path(__file__).resolve().parent
CASES = int(os.environ.get("TIDEGATE_CONTRACT_CASES", "5000"))

# Operations that take what the document does not tell of, and why.
LENIENT = {
    "reportState": "a report is read field by field: what cannot be read is told in the answer, and the rest counts",
    "deliverWebhook": "a registry's words are its own: what is no push is ignored, with a 202",
    "deliverWebhookByPath": "the same",
}

# Operations that refuse what the document allows, with which status, and why no schema can tell.
STRICT = {
    "listDevices": (400, "cursors are signed, and images have a grammar"),
    "listPolicies": (400, "cursors are signed"),
    "listRollouts": (400, "cursors are signed, and images have a grammar"),
    "listRolloutDevices": (400, "cursors are signed"),
    "listRolloutEvents": (400, "cursors are signed"),
    "clearBadDigest": (400, "repositories have a grammar, and a reason is not blank"),
    "enrolDevice": (422, "images have a grammar and registries are allowed; of uuids, versions 4 and 7"),
    "createPolicy": (422, "fields must go together, and patterns have a grammar"),
    "replacePolicy": (422, "the same"),
    "triggerUpdate": (422, "images have a grammar, and registries are allowed"),
    "resumeRollout": (422, "a reason is not blank"),
}

# What a request that is right in itself may be answered with, as things stand: it is another revision, or deleted.
AS_THINGS_STAND = ["2xx", "3xx", 401, 403, 404, 409, 410, 412, 429]

# What a request that is wrong is answered with; also an If-Match that is none.
REFUSED = [400, 401, 403, 404, 405, 410, 412, 413, 415, 422]


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
        "kept_out": [seeded.bad_repository],
        "device": [seeded.device],
        "sources": ["docker-registry"],
        "secrets": [stack.webhook],
        "patterns": [f"{repository}:*" for repository in seeded.repositories],
    }
    # Which parameter gets which real value: by path, then by place. The others are made up, as are a part of these.
    places = {
        "^/api/v1/rollouts": {"path.id": "rollouts", "query.image": "images", "query.device_uuid": "devices"},
        "^/api/v1/image-policies": {"path.id": "policies", "body.image_pattern": "patterns"},
        "^/api/v1/devices": {"path.uuid": "devices", "query.image": "repositories"},
        "^/api/v1/device/": {"path.uuid": "device", "body.reports[*].rollout_id": "rollouts"},
        "^/api/v1/images/bad": {"path.digest": "digests", "query.repository": "kept_out"},
        "^/api/v1/images/trigger-update": {"body.image": "images"},
        "^/api/v1/webhooks": {"path.source": "sources", "path.token": "secrets"},
    }
    lines = []
    for name, values in words.items():
        lines += [f"[dictionaries.{name}]", f"values = {quoted(values)}"]
    for caller, token in bearers.items():
        lines += [f"[auth.openapi.{caller}]", f"bearer = {quoted(token)}"]
    for path, bound in places.items():
        lines += ["[[operations]]", f"include-path-regex = {quoted(path)}", "[operations.parameters]"]
        for place, dictionary in bound.items():
            lines.append(f"{quoted(place)} = {{ dictionary = {quoted(dictionary)}, probability = 0.8 }}")
    for operation in LENIENT:
        lines += ["[[operations]]", f"include-operation-id = {quoted(operation)}"]
        lines += ["[operations.checks.negative_data_rejection]", "enabled = false"]
    for operation, (status, _) in STRICT.items():
        lines += ["[[operations]]", f"include-operation-id = {quoted(operation)}"]
        lines += ["[operations.checks.positive_data_acceptance]"]
        lines += [f"expected-statuses = {quoted([*AS_THINGS_STAND, status])}"]
    lines += ["[checks.negative_data_rejection]", f"expected-statuses = {quoted(REFUSED)}"]
    lines += ["[checks.positive_data_acceptance]", f"expected-statuses = {quoted(AS_THINGS_STAND)}"]
    return "\n".join(lines) + "\n"


def main() -> int:
    with routes() as stack, tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "schemathesis.toml")
        config.write_text(configuration(stack, Seed(stack).sow()))
        program = pathlib.Path(sys.executable).parent / "schemathesis"
        command: list[str | pathlib.Path] = [program, "--config-file", config, "run", DOCUMENT, "--url", stack.url]
        # What the bounds of parameters and fields give is some thousand; the rest is made up, so much for each operation.
        command += ["--max-examples", str(max(1, CASES // 32)), *sys.argv[1:]]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(ended.stdout, end="")
    made = re.search(r"([0-9,]+) generated", ended.stdout)
    if len(sys.argv) == 1 and (made is None or int(made[1].replace(",", "")) < CASES):
        print(f"expected {CASES} requests at least")
        return 1
    return ended.returncode


if __name__ == "__main__":
    raise SystemExit(main())
