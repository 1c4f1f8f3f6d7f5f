"""Renders the chart's profiles to tests/chart/rendered (`make chart-examples`)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from chart.rendering import PROFILES, render_text  # noqa: E402 - found by the line above


def main() -> None:
    folder = ROOT / "tests" / "chart" / "rendered"
    folder.mkdir(exist_ok=True)
    for name, (files, values) in PROFILES.items():
        (folder / f"{name}.yaml").write_text(render_text(json.dumps(values), files))
        print(f"Wrote {(folder / name).relative_to(ROOT)}.yaml.")


if __name__ == "__main__":
    main()
