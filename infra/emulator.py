"""Runs MiniStack, the emulator of AWS behind `tidegate up`, in this process until it is told to stop.

The address comes from BIND_HOST and GATEWAY_PORT, everything else from MiniStack's own variables. Beside starting it,
this changes four things in the pinned version; a version that looks otherwise is refused, so that a change of it is
noticed:

* A DynamoDB stream's batch that a function reports as failed in part is delivered again, as AWS does. MiniStack takes
  it for done, and the failed records are lost.
* After each invocation MiniStack waits 50 ms for log lines that may still come. Most come with the answer or never;
  later ones are kept for the next invocation. 2 ms are enough.
* Its Runtime API writes an answer's head and body apart, which Nagle's algorithm and delayed acknowledgements turn
  into 40 ms per invocation: switched off.
* What it saved at its last orderly stop is read once and removed: after a kill it would pass for the present.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socketserver
import sys
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config

LOG_WAITS_SECONDS = (0.002, 0.002, 0.05)  # for the first line, for another one, at most


def redeliver_failed_stream_records(lambdas) -> None:
    execute = lambdas._execute_function

    def run(function: dict, event: dict) -> dict:
        result = execute(function, event)
        records = event.get("Records") if isinstance(event, dict) else None
        if not records or records[0].get("eventSource") != "aws:dynamodb" or result.get("error"):
            return result
        body = result.get("body")
        if isinstance(body, dict) and body.get("batchItemFailures"):
            return {**result, "error": True}
        return result

    lambdas._execute_function = run


def wait_less_for_logs(runtime) -> None:
    drain = runtime.Worker._drain_stderr_bounded
    if len(drain.__defaults__ or ()) != len(LOG_WAITS_SECONDS):
        raise AttributeError("_drain_stderr_bounded has other parameters")
    drain.__defaults__ = LOG_WAITS_SECONDS


def answer_at_once() -> None:
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def read_saved_state_once(app, state: Path) -> None:
    load = app._load_persisted_state

    def load_and_remove() -> None:
        load()
        for file in state.glob("*.json"):
            file.unlink(missing_ok=True)

    app._load_persisted_state = load_and_remove


def prepared():
    """MiniStack's application with the changes above."""
    from ministack import app
    from ministack.core import persistence
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    redeliver_failed_stream_records(lambda_svc)
    wait_less_for_logs(lambda_runtime)
    answer_at_once()
    read_saved_state_once(app, Path(persistence.STATE_DIR))
    return app.app


async def run() -> None:
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(prepared(), config, shutdown_trigger=stop.wait)


if __name__ == "__main__":
    try:
        asyncio.run(run())
    except (AttributeError, ImportError) as error:
        sys.exit(f"this MiniStack is not the one that infra/emulator.py knows: {error}")
