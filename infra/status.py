"""Says what a deployed stack looks like: reads {"stack": "tidegate", "queues": {"step": "http://…"}} from standard
input and prints {"status", "functions": [{"name", "code", "changed_at"}], "mappings": [{"function", "state", "last"}],
"queues": [{"name", "waiting", "in_flight", "delayed"}]}.
"""

from __future__ import annotations

import json
import sys

from botocore.exceptions import BotoCoreError, ClientError

from deploy import client, describe, say


def functions(stack: str) -> list[dict]:
    found = []
    for page in client("lambda").get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if function["FunctionName"].startswith(f"{stack}-"):
                name = function["FunctionName"].removeprefix(f"{stack}-")
                found.append({"name": name, "code": function["CodeSha256"], "changed_at": function["LastModified"]})
    return sorted(found, key=lambda function: function["name"])


def mappings(stack: str) -> list[dict]:
    found = []
    for page in client("lambda").get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            function = mapping["FunctionArn"].rsplit(":", 1)[-1]
            if function.startswith(f"{stack}-"):
                name = function.removeprefix(f"{stack}-")
                found.append({"function": name, "state": mapping["State"], "last": mapping["LastProcessingResult"]})
    return sorted(found, key=lambda mapping: mapping["function"])


def depths(queues: dict) -> list[dict]:
    sqs = client("sqs")
    found = []
    for name, url in queues.items():
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        found.append(
            {
                "name": name,
                "waiting": int(attributes["ApproximateNumberOfMessages"]),
                "in_flight": int(attributes["ApproximateNumberOfMessagesNotVisible"]),
                "delayed": int(attributes["ApproximateNumberOfMessagesDelayed"]),
            }
        )
    return found


def status(request: dict) -> dict:
    found = describe(client("cloudformation"), request["stack"])
    if found is None:
        return {"status": "not deployed", "functions": [], "mappings": [], "queues": []}
    stack = request["stack"]
    return {
        "status": found["StackStatus"],
        "functions": functions(stack),
        "mappings": mappings(stack),
        "queues": depths(request["queues"]),
    }


def main() -> int:
    try:
        print(json.dumps(status(json.load(sys.stdin))))
        return 0
    except (ClientError, BotoCoreError) as error:
        say(f"error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
