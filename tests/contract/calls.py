"""Which operations of the document were called with success."""

import json
import re

import httpx
from routes import DOCUMENT


class Calls:
    def __init__(self) -> None:
        paths = json.loads(DOCUMENT.read_text())["paths"]
        self.wanted = {
            (method.upper(), path): operation["operationId"]
            for path, methods in paths.items()
            for method, operation in methods.items()
        }
        self.called: set[str] = set()

    def saw(self, response: httpx.Response) -> None:
        request = response.request
        if response.status_code >= 400:
            return
        for (method, path), name in self.wanted.items():
            form = re.sub(r"\{[^}]*\}", "[^/]+", path)
            if method == request.method and re.fullmatch(form, request.url.path):
                self.called.add(name)

    def all_operations(self) -> None:
        """An error, where one is missing."""
        missing = sorted(set(self.wanted.values()) - self.called)
        if missing:
            raise SystemExit(f"not called with success: {', '.join(missing)}")
        print(f"{len(self.called)} operations of {len(self.wanted)} called")
