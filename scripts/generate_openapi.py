"""Generates the OpenAPI 3.1 description of the gateway's HTTP API, which it serves and ships.

    generate_openapi.py           writes the description (`make openapi`)
    generate_openapi.py --check   writes nothing; exits 1 when it is stale

It is made of the contracts (messages, comments, `google.api.http`), of the gateway's table of
errors, and of the few routes that are no methods (`openapi/`: uploads, downloads, about).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2

from generate_protos import write_image
from openapi.about import HEALTH, SECURITY, TAG, about_gateway
from openapi.book import Book
from openapi.comments import Comments
from openapi.downloads import downloads
from openapi.examples import examples
from openapi.operations import operations
from openapi.parameters import HEADERS, PATH_PARAMETERS
from openapi.problems import PROBLEM, Failures
from openapi.schemas import Schemas
from openapi.uploads import uploads
from soundsight.render.v1 import artifacts_pb2, render_pb2, resources_pb2

ROOT: Final = Path(__file__).resolve().parent.parent
DESCRIPTION: Final = ROOT / "gateway" / "src" / "soundsight_gateway" / "http" / "openapi.json"
ARTIFACTS: Final = artifacts_pb2.DESCRIPTOR.services_by_name["ArtifactService"]
RENDERS: Final = render_pb2.DESCRIPTOR.services_by_name["RenderService"]
INTRODUCTION: Final = """\
The render API of Soundsight: upload a song, create a render of it, watch it, fetch the video. It \
is the gRPC API in HTTP's words, with routes of its own for files.

Messages are protobuf JSON. Names are in lowerCamelCase, and what holds its default (0, false, "", \
nothing) is left out. 64-bit integers are strings. Requests may also spell names as the contracts \
do (`page_size`), in bodies and in the query, and give 64-bit integers as numbers; what is unknown \
is refused.

Every error is a `Problem`. With each status stand the reasons for it and, behind the arrow, what \
the caller does then; `reason` is the stable name to program against.

Where the gateway is set up for TLS, HTTP is served with it too.
"""


def description() -> dict[str, Any]:
    """The whole description."""
    comments = Comments(_compiled())
    book = Book(comments, Schemas(comments), Failures(comments), examples())
    resources = resources_pb2.DESCRIPTOR.message_types_by_name.values()
    paths: dict[str, Any] = {}
    for path, verb, operation in (
        *operations(RENDERS, resources, book),
        *uploads(book),
        *downloads(book),
        *about_gateway(),
    ):
        paths.setdefault(path, {})[verb] = operation
    schemas = {**book.schemas.components, "Health": HEALTH, "Problem": PROBLEM}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Soundsight",
            "summary": "Turns songs into music videos.",
            "description": INTRODUCTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            "version": _version(),
        },
        "servers": [{"url": "/"}],
        "security": [{}, *({name: []} for name in SECURITY)],
        "tags": [
            {"name": service.name, "description": comments.of(service.full_name)}
            for service in (RENDERS, ARTIFACTS)
        ]
        + [{"name": TAG, "description": "The gateway itself."}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "parameters": PATH_PARAMETERS,
            "headers": HEADERS,
            "responses": book.failures.components,
            "securitySchemes": SECURITY,
        },
    }


def _compiled() -> descriptor_pb2.FileDescriptorSet:
    """The contracts and what they import, comments included."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "contracts.binpb"
        write_image(image, source_info=True)
        return descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())


def _version() -> str:
    project = tomllib.loads((ROOT / "gateway" / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def text() -> str:
    """The description as the file has it."""
    return json.dumps(description(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Generates the description of the HTTP API.")
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when stale")
    arguments = parser.parse_args()
    wanted = text()
    if arguments.check:
        if not DESCRIPTION.is_file() or DESCRIPTION.read_text() != wanted:
            print(f"{DESCRIPTION} is stale: run `make openapi`.", file=sys.stderr)
            return 1
        return 0
    DESCRIPTION.write_text(wanted)
    print(f"Wrote {DESCRIPTION.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
