"""Deploys template.yaml to an emulator of AWS through CloudFormation.

Reads one JSON object from standard input, so that no secret is an argument that `ps` shows:

    {"stack": "tidegate", "template": "infra/template.yaml", "packages": ".tidegate/packages",
     "functions": {"webhooks": "target/debug/webhooks"}, "parameters": {"StageName": "local"}}

and prints one JSON object: {"action": "created" | "updated" | "unchanged", "outputs": {…}}. {"stack": "tidegate",
"remove": true} removes the stack instead. What it does is told on standard error, a line per step. The endpoint,
region and credentials come from the environment.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from package import pack

CODE_URI = re.compile(r"CodeUri: \.\./target/lambda/([a-z-]+)")
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
UNUSABLE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
WAIT_SECONDS = 300
POLL_SECONDS = 0.2


class Refused(Exception):
    """A sentence for the person who ran it."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def client(service: str):
    config = Config(retries={"max_attempts": 3, "mode": "standard"}, s3={"addressing_style": "path"}, connect_timeout=5)
    return boto3.client(service, config=config)


def exists(s3, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
        return True
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise


def bucket_of(stack: str) -> str:
    return f"{stack}-artifacts"


def upload(s3, bucket: str, packages: list[Path]) -> None:
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
    for package in packages:
        if not exists(s3, bucket, package.name):
            say(f"uploading {package.name.rsplit('-', 1)[0]} ({package.stat().st_size / 1e6:.1f} MB)")
            s3.upload_file(str(package), bucket, package.name)


def packaged(template: str, bucket: str, packages: dict[str, Path]) -> str:
    """The template with each CodeUri pointing to the uploaded package, as `sam package` writes it."""

    def uri(match: re.Match) -> str:
        if match[1] not in packages:
            raise Refused(f"the template has a function {match[1]} that was not built")
        return f"CodeUri: s3://{bucket}/{packages[match[1]].name}"

    return CODE_URI.sub(uri, template)


def describe(cfn, stack: str) -> dict | None:
    try:
        return cfn.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def why(cfn, stack: str) -> str:
    """The reasons that failed resources gave, in the order in which they failed."""
    events = cfn.describe_stack_events(StackName=stack)["StackEvents"]
    reasons = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    ]
    return "; ".join(reasons) or "no resource gave a reason"


def wait(cfn, stack: str) -> dict:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = describe(cfn, stack)
        if found is None:
            raise Refused(f"stack {stack} went away while it was deployed")
        status = found["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                raise Refused(f"stack {stack} ended as {status}: {why(cfn, stack)}")
            return found
        if time.monotonic() > deadline:
            raise Refused(f"stack {stack} is still {status} after {WAIT_SECONDS} s")
        time.sleep(POLL_SECONDS)


def remove(cfn, stack: str) -> None:
    cfn.delete_stack(StackName=stack)
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := describe(cfn, stack)) and found["StackStatus"] != "DELETE_COMPLETE":
        if found["StackStatus"] == "DELETE_FAILED":
            raise Refused(f"stack {stack} could not be removed: {why(cfn, stack)}")
        if time.monotonic() > deadline:
            raise Refused(f"stack {stack} is still {found['StackStatus']} after {WAIT_SECONDS} s")
        time.sleep(POLL_SECONDS)


def empty(s3, bucket: str) -> None:
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=item["Key"])
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


def deploy(request: dict) -> dict:
    s3, cfn = client("s3"), client("cloudformation")
    stack, bucket = request["stack"], bucket_of(request["stack"])
    folder = Path(request["packages"])
    say("packing the functions")
    packages = {name: pack(name, Path(binary), folder) for name, binary in sorted(request["functions"].items())}
    upload(s3, bucket, list(packages.values()))
    template = packaged(Path(request["template"]).read_text(encoding="utf-8"), bucket, packages)
    # By URL: a template in the request itself may have 51,200 bytes at most.
    s3.put_object(Bucket=bucket, Key="template.yaml", Body=template.encode())
    call = {
        "StackName": stack,
        "TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/template.yaml",
        "Capabilities": CAPABILITIES,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": str(value)} for key, value in request["parameters"].items()
        ],
    }
    found = describe(cfn, stack)
    if found and found["StackStatus"] in UNUSABLE:
        say(f"removing what is left of a deployment that failed ({found['StackStatus']})")
        remove(cfn, stack)
        found = None
    say("updating the stack" if found else "creating the stack")
    action = "updated" if found else "created"
    try:
        (cfn.update_stack if found else cfn.create_stack)(**call)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
        action = "unchanged"
    done = wait(cfn, stack)
    return {"action": action, "outputs": {o["OutputKey"]: o["OutputValue"] for o in done.get("Outputs", [])}}


def run(request: dict) -> dict:
    if not request.get("remove"):
        return deploy(request)
    say("removing the stack")
    remove(client("cloudformation"), request["stack"])
    empty(client("s3"), bucket_of(request["stack"]))
    return {"action": "removed", "outputs": {}}


def main() -> int:
    try:
        print(json.dumps(run(json.load(sys.stdin))))
        return 0
    except (Refused, ClientError, BotoCoreError, OSError) as error:
        say(f"error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
