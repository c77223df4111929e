"""Packs a function's binary the way Lambda wants it: a zip with one executable, `bootstrap`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

EXECUTABLE = 0o755 << 16


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def pack(name: str, binary: Path, folder: Path) -> Path:
    """The package of this very binary; made if it is not there yet, and older ones of the function removed."""
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / f"{name}-{digest(binary)}.zip"
    if package.exists():
        return package
    stripped = folder / f"{name}.stripped"
    strip = shutil.which("strip")
    # Symbols are most of a development build; without the tool the package is only larger.
    if strip and subprocess.run([strip, "-o", stripped, binary], capture_output=True, check=False).returncode == 0:
        binary = stripped
    unfinished = folder / f"{name}.unfinished"
    entry = zipfile.ZipInfo("bootstrap")  # without the file's time: the same binary makes the same zip
    entry.external_attr = EXECUTABLE
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(unfinished, "w", compresslevel=1) as archive, binary.open("rb") as source:
        archive.writestr(entry, source.read(), compresslevel=1)
    stripped.unlink(missing_ok=True)
    for old in folder.glob(f"{name}-{'?' * 64}.zip"):
        old.unlink()
    os.replace(unfinished, package)
    return package
