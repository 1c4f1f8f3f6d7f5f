"""Whether values keep the schemas of a description: JSON Schema 2020-12, formats included."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_BASE: Final = "urn:description"


class Checker:
    """Checks values against one description.

    Args:
        description: as `generate_openapi.py` writes it.
    """

    def __init__(self, description: dict[str, Any]) -> None:
        resource = DRAFT202012.create_resource(description)
        registry: Any = Registry().with_resource(_BASE, resource)

        @cache
        def validator(schema: str) -> Any:
            return Draft202012Validator(
                _absolute(json.loads(schema)),
                registry=registry,
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )

        self._validator = validator

    def complaints(self, schema: str | dict[str, Any], value: Any) -> list[str]:
        """What a schema has against a value, one line each; nothing where it keeps it.

        Args:
            schema: a part of the description, or the name of a component.
        """
        if isinstance(schema, str):
            schema = {"$ref": f"#/components/schemas/{schema}"}
        found = self._validator(json.dumps(schema)).iter_errors(value)
        return [f"{error.json_path}: {error.message}" for error in found]


def _absolute(schema: Any) -> Any:
    """A part of the description whose references lead into it from elsewhere as well."""
    if isinstance(schema, dict):
        return {
            key: f"{_BASE}{value}" if key == "$ref" else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema
