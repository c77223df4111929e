"""What schemathesis cannot know of a policy: fields that only go together, or not together. Taken out where each is right
by itself, so that the rest of the body is tried and not refused for these; what is wrong by itself stays."""

import re
from typing import Any

import schemathesis

POLICIES = ["createPolicy", "replacePolicy", "deletePolicy", "applyPolicies"]


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: Any, kwargs: dict[str, Any]) -> None:
    """A revision that is made up is none: with it, nothing else of a request would be looked at."""
    made_up = re.fullmatch(r'"?[0-9]+"?', str((case.headers or {}).get("If-Match", "")))
    if made_up and case.operation.definition.raw["operationId"] in POLICIES:
        case.headers["If-Match"] = "*"


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    operation = context.operation
    if not isinstance(body, dict) or not operation or operation.definition.raw["operationId"] not in POLICIES:
        return body
    if isinstance(body.get("policies"), list):
        return body | {"policies": [policy(each) if isinstance(each, dict) else each for each in body["policies"]]}
    return policy(body)


def policy(body: dict[str, Any]) -> dict[str, Any]:
    body = dict(body)
    # The server's own, and the zone beside `timezone: device` alone.
    for name in ("id", "fallback_timezone"):
        if is_text(body.get(name)):
            del body[name]
    window = ("maintenance_window_start", "maintenance_window_end")
    if all(is_text(body.get(name)) for name in window):
        body |= dict(zip(window, ("22:00", "06:00"), strict=True))
    elif not any(body.get(name) for name in window):
        for name in ("days", "cutoff_minutes", "timezone"):
            if body.get(name) is not None and right_by_itself(name, body[name]):
                del body[name]
    if is_text(body.get("batch_delay")) and isinstance(body.get("batch_delay_minutes"), int):
        del body["batch_delay"]
    return body


def is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 64


DAYS = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}


def right_by_itself(name: str, value: Any) -> bool:
    if name == "days":
        return isinstance(value, list) and bool(value) and set(map(str, value)) <= DAYS
    if name == "cutoff_minutes":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1440
    return is_text(value)
