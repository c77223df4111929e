"""The routes in memory, for a check of the contract: `with routes() as stack` has them, and ends them.

As a program: runs a command beside them, which finds where they are and what lets it in in TIDEGATE_ROUTES.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import httpx

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"


@dataclass
class Stack:
    """Where the routes are, and what lets a caller in."""

    url: str
    operator: str
    provisioning: str
    webhook: str

    def caller(self, token: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@contextlib.contextmanager
def routes() -> Iterator[Stack]:
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "debug" / "examples" / "routes"
    hosted = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert hosted.stdin and hosted.stdout
    try:
        said = hosted.stdout.readline()
        if not said:
            raise SystemExit(f"{program} does not start: {hosted.wait()}; cargo build -p tidegate-http --examples")
        yield Stack(**json.loads(said))
        if (code := hosted.poll()) is not None:
            raise SystemExit(f"the routes ended by themselves: {code}")
    finally:
        # It ends with its input.
        hosted.stdin.close()
        try:
            hosted.wait(timeout=10)
        except subprocess.TimeoutExpired:
            hosted.kill()


if __name__ == "__main__":
    with routes() as hosted:
        environment = os.environ | {"TIDEGATE_ROUTES": json.dumps(asdict(hosted))}
        raise SystemExit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)
