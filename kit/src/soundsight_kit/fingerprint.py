"""Names the code whose change would change results."""

from __future__ import annotations

import hashlib
import importlib.resources
from collections.abc import Iterator
from importlib.resources.abc import Traversable

FINGERPRINT_DIGITS = 32


def source_fingerprint(*packages: str, extra: str = "") -> str:
    """Returns a digest of every file of the given packages, in lower-case hexadecimal digits.

    Shaders, tables and weights that lie beside the code count; compiled files do not, nor does
    where the package is installed.

    Args:
        packages: import names, such as `soundsight_videogen.builtin`.
        extra: what else changes results, such as the version of a library.
    """
    digest = hashlib.sha256()
    for package in sorted(packages):
        for path, file in _files(importlib.resources.files(package), package):
            digest.update(path.encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    digest.update(extra.encode())
    return digest.hexdigest()[:FINGERPRINT_DIGITS]


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry, f"{path}/{entry.name}")
        elif not entry.name.endswith((".pyc", ".pyo")):
            yield f"{path}/{entry.name}", entry
