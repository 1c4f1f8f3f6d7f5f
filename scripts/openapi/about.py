"""The routes that ask about the gateway itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from openapi.book import JSON, Operation
from openapi.problems import EXPECTS_MORE, FOREIGN

TAG: Final = "Gateway"
SECURITY: Final = {
    "clientCertificate": {
        "type": "mutualTLS",
        "description": "Where the gateway is set up to ask its callers for a certificate.",
    }
}
HEALTH: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Whether the gateway serves.",
    "properties": {
        "status": {
            "type": "string",
            "description": "A status of grpc.health.v1, such as `SERVING` or `NOT_SERVING`.",
        }
    },
    "required": ["status"],
}


def about_gateway() -> Iterator[Operation]:
    """Its health, and this description."""
    refused = {
        str(failure.status): {"$ref": f"#/components/responses/Problem{failure.status}"}
        for failure in (*EXPECTS_MORE, *FOREIGN)
    }
    health = {JSON: {"schema": {"$ref": "#/components/schemas/Health"}}}
    yield (
        "/healthz",
        "get",
        {
            "tags": [TAG],
            "operationId": "GetHealth",
            "summary": "Tells whether the gateway serves, for load balancers",
            "responses": {
                "200": {"description": "It serves.", "content": health},
                **refused,
                "503": {"description": "It starts, or is about to stop.", "content": health},
            },
        },
    )
    yield (
        "/openapi.json",
        "get",
        {
            "tags": [TAG],
            "operationId": "GetDescription",
            "summary": "Returns this description",
            "responses": {
                "200": {
                    "description": "An OpenAPI 3.1 description.",
                    "content": {JSON: {"schema": {"type": "object"}}},
                },
                **refused,
            },
        },
    )
