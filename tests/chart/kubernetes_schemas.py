"""Manifests against the schemas of Kubernetes' releases and of custom resources, strictly."""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from chart.rendering import Manifest
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

OLDEST, NEWEST = "1.31", "1.37"
"""Releases of Kubernetes that manifests are checked against: the first is Chart.yaml's."""

_CUSTOM = Path(__file__).parent / "schemas"
_RELEASES = resources.files("kubernetes_validate") / "kubernetes-json-schema"


def faults(manifest: Manifest, release: str) -> list[str]:
    """What is wrong with a manifest in the eyes of a release, a line each; unknown fields are."""
    return list(_faults(json.dumps(manifest), release))


@functools.cache
def _faults(text: str, release: str) -> tuple[str, ...]:
    """Most manifests come up in many renderings: each is looked at once."""
    manifest = json.loads(text)
    validator = _validator(manifest["kind"], manifest["apiVersion"], release)
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    return tuple(
        f"{name}: {'.'.join(str(part) for part in error.absolute_path)}: {error.message}"
        for error in validator.iter_errors(manifest)
    )


@functools.cache
def _validator(kind: str, api_version: str, release: str) -> Validator:
    group, _, version = api_version.rpartition("/")
    custom = _CUSTOM / f"{kind}.{group}.{version}.json"
    if custom.is_file():
        return Draft202012Validator(_strict(json.loads(custom.read_text())))
    short = re.sub(r"\..*", "", group)
    name = f"{kind}-{short}-{version}" if short else f"{kind}-{version}"
    folder = _RELEASES / f"v{release}.0-local-strict"
    schema = json.loads((folder / f"{name.lower()}.json").read_text())
    return Draft202012Validator(schema, registry=_definitions(release))


@functools.cache
def _definitions(release: str) -> Registry[Any]:
    folder = _RELEASES / f"v{release}.0-local-strict"
    definitions = json.loads((folder / "_definitions.json").read_text())
    resource = Resource.from_contents(definitions, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("_definitions.json", resource)
    return registry


def _strict(schema: Any, *, top: bool = True) -> Any:
    """A structural schema that refuses fields it does not know, as `kubectl --validate=strict`."""
    if isinstance(schema, list):
        return [_strict(each, top=False) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value, top=False) for key, value in schema.items()}
    properties = schema.get("properties")
    if isinstance(properties, dict) and schema.get("type") == "object":
        if top:
            made["properties"]["metadata"] = {"type": "object"}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    return made
