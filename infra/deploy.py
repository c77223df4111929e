"""Deploys template.yaml to an emulator of AWS through CloudFormation.

Reads one JSON object from standard input, so that no secret is an argument that `ps` shows:

    {"stack": "tidegate", "template": "infra/template.yaml", "bucket": "tidegate-artifacts",
     "functions": {"webhooks": {"zip": "…/webhooks.zip", "sha256": "…"}}, "parameters": {"StageName": "local"}}

and prints one JSON object: {"action": "created" | "updated" | "unchanged", "outputs": {…}}. What it does is told on
standard error, a line per step. The endpoint, region and credentials come from the environment.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CODE_URI = re.compile(r"CodeUri: \.\./target/lambda/([a-z-]+)")
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
WAIT_SECONDS = 300
POLL_SECONDS = 0.2


class Refused(Exception):
    """A sentence for the person who ran it."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def client(service: str):
    config = Config(retries={"max_attempts": 5, "mode": "standard"}, s3={"addressing_style": "path"})
    return boto3.client(service, config=config)


def exists(s3, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
        return True
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise


def upload(s3, bucket: str, functions: dict) -> dict:
    """Puts every package under a key that names its content; returns the key of each function."""
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
    keys = {}
    for name, package in sorted(functions.items()):
        keys[name] = f"{name}/{package['sha256']}.zip"
        if not exists(s3, bucket, keys[name]):
            say(f"uploading {name} ({os.path.getsize(package['zip']) / 1e6:.1f} MB)")
            s3.upload_file(package["zip"], bucket, keys[name])
    return keys


def packaged(template: str, bucket: str, keys: dict) -> str:
    """The template with each CodeUri pointing to the uploaded package, as `sam package` writes it."""

    def uri(match: re.Match) -> str:
        if match[1] not in keys:
            raise Refused(f"the template has a function {match[1]} that was not built")
        return f"CodeUri: s3://{bucket}/{keys[match[1]]}"

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


def deploy(request: dict) -> dict:
    s3, cfn = client("s3"), client("cloudformation")
    stack, bucket = request["stack"], request["bucket"]
    with open(request["template"], encoding="utf-8") as file:
        template = file.read()
    keys = upload(s3, bucket, request["functions"])
    # By URL: a template in the request itself may have 51,200 bytes at most.
    s3.put_object(Bucket=bucket, Key="template.yaml", Body=packaged(template, bucket, keys).encode())
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "template.yaml"}).split("?")[0]
    call = {
        "StackName": stack,
        "TemplateURL": url,
        "Capabilities": CAPABILITIES,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": str(value)} for key, value in request["parameters"].items()
        ],
    }
    found = describe(cfn, stack)
    if found and found["StackStatus"] in ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"):
        say(f"removing what is left of a deployment that failed ({found['StackStatus']})")
        cfn.delete_stack(StackName=stack)
        while (found := describe(cfn, stack)) and found["StackStatus"] == "DELETE_IN_PROGRESS":
            time.sleep(POLL_SECONDS)
        found = None
    action = "updated" if found else "created"
    say(f"{'updating' if found else 'creating'} stack {stack}")
    try:
        (cfn.update_stack if found else cfn.create_stack)(**call)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
        action = "unchanged"
    done = wait(cfn, stack)
    return {"action": action, "outputs": {o["OutputKey"]: o["OutputValue"] for o in done.get("Outputs", [])}}


def main() -> int:
    try:
        print(json.dumps(deploy(json.load(sys.stdin))))
        return 0
    except (Refused, ClientError) as error:
        say(f"error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
