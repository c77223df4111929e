"""Schemathesis over all routes, with real ids: no 5xx, no answer that the document does not tell.

TIDEGATE_CONTRACT_CASES is how many requests there are to be, about; 1,000 where it is not set.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from routes import DOCUMENT, Stack, routes
from seed import Seed, Seeded

HERE = pathlib.Path(__file__).resolve().parent
CASES = int(os.environ.get("TIDEGATE_CONTRACT_CASES", "1000"))

# What a body is accepted with although the document says otherwise, and why.
LENIENT = [
    # A device's report is read field by field: what cannot be read is told in the answer, and the rest counts.
    "reportState",
    # A registry's words are its own; what is no push is ignored, with a 202.
    "deliverWebhook",
    "deliverWebhookByPath",
]


def quoted(value: object) -> str:
    """A value as TOML has it; for texts and numbers JSON's form is TOML's."""
    return json.dumps(value)


def configuration(stack: Stack, seeded: Seeded) -> str:
    bearers = {
        "operator": stack.operator,
        "provisioning": stack.provisioning,
        "registry": stack.webhook,
        "device": seeded.device_token,
    }
    words = {
        "rollouts": seeded.rollouts,
        "policies": seeded.policies,
        "devices": seeded.devices,
        "images": seeded.images,
        "repositories": seeded.repositories,
        "digests": seeded.digests,
        "device": [seeded.device],
        "sources": ["docker-registry"],
        "secrets": [stack.webhook],
        "patterns": [f"{repository}:*" for repository in seeded.repositories],
        "tags": ["region:eu"],
    }
    # Which parameter gets which real value: by path, then by place. The others are made up, as are a part of these.
    places = {
        "^/api/v1/rollouts": {"path.id": "rollouts", "query.image": "images", "query.device_uuid": "devices"},
        "^/api/v1/image-policies": {"path.id": "policies", "body.image_pattern": "patterns"},
        "^/api/v1/devices": {"path.uuid": "devices", "query.tag": "tags", "query.image": "repositories"},
        "^/api/v1/device/": {"path.uuid": "device", "body.reports[*].rollout_id": "rollouts"},
        "^/api/v1/images/bad": {"path.digest": "digests", "query.repository": "repositories"},
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
    return "\n".join(lines) + "\n"


def main() -> int:
    with routes() as stack, tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "schemathesis.toml")
        config.write_text(configuration(stack, Seed(stack).sow()))
        program = pathlib.Path(sys.executable).parent / "schemathesis"
        command: list[str | pathlib.Path] = [program, "--config-file", config, "run", DOCUMENT, "--url", stack.url]
        command += sys.argv[1:]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
