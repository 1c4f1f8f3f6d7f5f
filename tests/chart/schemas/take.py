"""Takes the schemas of custom resources from their CustomResourceDefinitions.

    python tests/chart/schemas/take.py CRD.yaml...

Writes one file per kind beside this one, of the version that clusters store, without descriptions,
which nothing checks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml


def bare(schema: Any) -> Any:
    """The schema without its texts. A property may be named `description`, too: it is a map."""
    if isinstance(schema, dict):
        return {
            key: bare(value)
            for key, value in schema.items()
            if not (key == "description" and isinstance(value, str))
        }
    return [bare(each) for each in schema] if isinstance(schema, list) else schema


def main() -> None:
    for name in sys.argv[1:]:
        definition = yaml.safe_load(Path(name).read_text())["spec"]
        for version in definition["versions"]:
            if not version["storage"]:
                continue
            file = f"{definition['names']['kind']}.{definition['group']}.{version['name']}.json"
            text = json.dumps(bare(version["schema"]["openAPIV3Schema"]), separators=(",", ":"))
            Path(__file__).with_name(file).write_text(text + "\n")


if __name__ == "__main__":
    main()
