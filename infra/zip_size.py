"""Prints, for each file that is named, how large the zip is that `sam deploy` would make of it as `bootstrap`."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

for name in sys.argv[1:]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bootstrap", Path(name).read_bytes())
    print(packed.tell())
