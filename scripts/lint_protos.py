"""Lints the contracts with buf, and compares them with those released (protos/released.binpb).

buf reads descriptor images that protoc made, not the sources: Google's protos then come from the
installed googleapis-common-protos, and buf needs no registry.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from generate_protos import PROTOS, RELEASED, write_image


def buf(*arguments: str | Path) -> bool:
    """Runs buf with the house's settings on our own files; tells whether it was content."""
    command = [
        Path(sysconfig.get_path("scripts")) / "buf",
        *arguments,
        "--config",
        PROTOS / "buf.yaml",
        "--path",
        "soundsight",
    ]
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    if not RELEASED.is_file():
        print(f"{RELEASED} is missing: `make protos-release` makes it.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "contracts.binpb"
        write_image(image, source_info=True)
        fine = [buf("lint", image), buf("breaking", image, "--against", RELEASED)]
    if all(fine):
        print("Contracts: style is fine, and callers of the released ones still work.")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
