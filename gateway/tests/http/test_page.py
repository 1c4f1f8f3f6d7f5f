"""The page about HTTP says what the description of the API says, and routes are those of both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

import grpc
from aiohttp.test_utils import make_mocked_request

from soundsight_gateway.http.problems import status_of
from soundsight_gateway.http.server import application
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import SoundsightError

DOCS: Final = Path(__file__).resolve().parents[3] / "docs"
PAGE: Final = (DOCS / "http.md").read_text()
DESCRIPTION: Final[dict[str, Any]] = json.loads(
    resources.files("soundsight_gateway.http").joinpath("openapi.json").read_text()
)
ROWS: Final = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("|")]
"""The cells of all tables."""


def described() -> dict[tuple[str, str], dict[str, Any]]:
    """The operations by verb and path. HEAD belongs to GET, and has no row of its own."""
    return {
        (verb.upper(), path): operation
        for path, item in DESCRIPTION["paths"].items()
        for verb, operation in item.items()
        if verb != "head"
    }


def reasons(operation: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """The statuses and reasons that an operation may end with."""
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = DESCRIPTION["components"]["responses"][response["$ref"].rpartition("/")[2]]
        for reason in re.findall(r"^- `([A-Z_]+)`:", response["description"], re.MULTILINE):
            yield int(status), reason


def test_it_names_every_route_with_its_parameters() -> None:
    """No other ones, and no parameter that a route does not have."""
    told = {
        found.groups(): set(re.findall(r"\?(\w+)=", "|".join(row)))
        for row in ROWS
        if (found := re.match(r" `([A-Z]+) (/[^`?]*)", row[0]))
    }
    elsewhere = re.findall(r"`(GET) (/[^`/?]*)`", PAGE)
    assert told | {route: set() for route in elsewhere} == {
        route: {p["name"] for p in operation.get("parameters", ()) if p.get("in") == "query"}
        for route, operation in described().items()
    }


def test_it_names_the_refusals_of_http() -> None:
    """Each with its status; all other reasons stand on the page of errors."""
    told = {
        (int(row[0]), reason)
        for row in ROWS
        if len(row) == 3 and row[0].strip().isdecimal()
        for reason in re.findall("`([A-Z_]+)`", row[1])
    }
    every = {pair for operation in described().values() for pair in reasons(operation)}
    assert told - every == {(405, "METHOD_NOT_ALLOWED")}, "which no operation that is there has"
    errors = (DOCS / "errors.md").read_text()
    assert {reason for _, reason in every - told if f"`{reason}`" not in errors} == set()


def test_it_names_the_status_of_each_code() -> None:
    """Of all that there are."""
    told: dict[str, int] = {}
    for row in ROWS:
        statuses, codes = re.findall(r"\d+", row[0]), re.findall("`([A-Z_]+)`", row[1])
        if len(row) == 2 and statuses:
            told |= dict(zip(codes, map(int, statuses * len(codes)), strict=False))
    assert told == {
        code.name: status_of(SoundsightError("", code=code))
        for code in grpc.StatusCode
        if code is not grpc.StatusCode.OK
    }


async def test_the_description_has_every_route() -> None:
    """And each operation of it is a route, under its own verb."""
    async with open_channel("unix:/nowhere") as channel:
        app = application(channel, (), listens_on_loopback=True, serves=lambda: False)
        routes = {route for route in app.router.routes() if route.method != "HEAD"}
        found = set()
        for verb, path in described():
            name = re.sub(r"\{\w+\}", "x", path.replace("{output}", "video"))
            match = await app.router.resolve(make_mocked_request(verb, name))
            assert match.http_exception is None, path
            found.add(match.route)
        assert found == routes
        await app.cleanup()
