"""The description of the HTTP API has every route, and what a real gateway answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from google.api import annotations_pb2
from openapi_spec_validator import validate

from openapi.checking import Checker
from openapi.comments import details, summary
from soundsight.render.v1 import render_pb2

SCRIPTS: Final = Path(__file__).resolve().parents[3] / "scripts"
FILE: Final = SCRIPTS.parent / "gateway" / "src" / "soundsight_gateway" / "http" / "openapi.json"
DESCRIPTION: Final[dict[str, Any]] = json.loads(FILE.read_text())
SERVICE: Final = render_pb2.DESCRIPTOR.services_by_name["RenderService"]
PROJECT: Final = "/v1/projects/demo"
CHECKER: Final = Checker(DESCRIPTION)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, verb and what is said, of every operation."""
    for path, item in DESCRIPTION["paths"].items():
        for verb, operation in item.items():
            yield path, verb, operation


# The file


def test_it_is_what_the_sources_give() -> None:
    """Generating it again changes nothing, in whatever order sets are gone through."""
    command = [sys.executable, str(SCRIPTS / "generate_openapi.py"), "--check"]
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    check = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert check.returncode == 0, check.stderr


def test_it_is_openapi() -> None:
    """It keeps the schema of OpenAPI 3.1, and all its references lead somewhere."""
    validate(DESCRIPTION)
    assert DESCRIPTION["openapi"].startswith("3.1.")
    assert [server["url"] for server in DESCRIPTION["servers"]] == ["/"]


def test_every_schema_is_needed() -> None:
    """Nothing is described that no operation reaches."""
    text = json.dumps(DESCRIPTION)
    for kind in ("schemas", "parameters", "headers", "responses"):
        for name in DESCRIPTION["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, f"{kind}/{name}"


# The routes


def test_it_has_every_annotated_method_and_no_other() -> None:
    """Under the path and the verb of its annotation, and under its own name."""
    annotated = set()
    method: Any
    for method in SERVICE.methods:
        rule: Any = method.GetOptions().Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        path = re.sub(r"\{\w+=([^}]*)\}", r"\1", getattr(rule, verb))
        annotated.add((method.name, verb, path))
    described = {
        (operation["operationId"], verb, re.sub(r"\{\w+\}", "*", path))
        for path, verb, operation in operations()
        if "RenderService" in operation["tags"]
    }
    assert described == annotated


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: str(method.name))
def test_each_field_of_a_request_has_one_place(method: Any) -> None:
    """It stands in the path, in the body or in the query, and what must be given is required."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    (operation,) = [o for _, _, o in operations() if o["operationId"] == method.name]
    in_path = re.findall(r"\{(\w+)=", getattr(rule, rule.WhichOneof("pattern")))
    in_query = [p["name"] for p in operation["parameters"] if p.get("in") == "query"]
    in_body: list[str] = []
    if rule.body == "*":
        body = DESCRIPTION["components"]["schemas"][method.input_type.name]
        in_body = list(body["properties"])
        assert operation["requestBody"]["required"] == bool(body.get("required"))
    elif rule.body:
        in_body = [rule.body]
        assert operation["requestBody"]["required"]
    else:
        assert "requestBody" not in operation
    assert sorted([*in_path, *in_query, *in_body]) == sorted(
        field.json_name for field in method.input_type.fields
    )


def test_paths_have_the_parameters_they_name() -> None:
    """Each placeholder of each path is described, once."""
    parameters = DESCRIPTION["components"]["parameters"]
    for path, _, operation in operations():
        named = [
            parameters[p["$ref"].rpartition("/")[2]] if "$ref" in p else p
            for p in operation.get("parameters", ())
        ]
        placed = [p["name"] for p in named if p["in"] == "path"]
        assert placed == re.findall(r"\{(\w+)\}", path), path


def test_examples_are_requests() -> None:
    """Each example keeps the schema beside it."""
    examples = [
        content
        for _, _, operation in operations()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "example" in content
    ]
    assert len(examples) == 3
    for content in examples:
        assert CHECKER.complaints(content["schema"], content["example"]) == []


# Comments


def test_summaries_are_first_sentences() -> None:
    """A full stop ends one only before a space."""
    assert summary("Takes `a.b` in. More.\n\nAnd more.") == "Takes `a.b` in"
    assert details("Takes `a.b` in. More.\n\nAnd more.") == "More.\n\nAnd more."
    assert (summary("No stop"), details("No stop")) == ("No stop", "")


def test_comments_name_fields_as_json_does() -> None:
    """Code in a comment, and drawings stay drawings."""
    schemas = DESCRIPTION["components"]["schemas"]
    assert schemas["VideoGenProfile"]["properties"]["frameOffset"]["description"] == (
        "See `frameStep`."
    )
    assert "\n```\nQUEUED -> INGESTING" in schemas["RenderState"]["description"]
    assert "`RENDER_STATE_QUEUED`: Accepted; not started." in schemas["RenderState"]["description"]


# Real answers


def described(method: str, path: str) -> dict[str, Any]:
    """The operation that a request is of."""
    found = [
        operation
        for template, verb, operation in operations()
        if verb == method.lower()
        and re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/:]+", re.escape(template)), path)
    ]
    assert len(found) == 1, f"{method} {path} is of {len(found)} operations"
    return found[0]


def check(method: str, path: str, answer: Any) -> None:
    """Fails unless an answer is one of those that the description has for its request."""
    responses = described(method, path.partition("?")[0])["responses"]
    assert str(answer.status) in responses, (path, answer)
    response = responses[str(answer.status)]
    if "$ref" in response:
        response = DESCRIPTION["components"]["responses"][response["$ref"].rpartition("/")[2]]
    for name in response.get("headers", {}):
        assert name in answer.headers or name == "Retry-After", (path, name)
    if not answer.body:
        return
    if answer.status >= 400:
        assert f"`{answer.json['reason']}`" in response["description"], (path, answer.json)
    media_type = answer.headers["Content-Type"].partition(";")[0]
    content = response["content"]
    if "*/*" in content:
        return
    value = {
        "text/event-stream": _server_sent,
        "application/x-ndjson": lambda body: [json.loads(line) for line in body.splitlines()],
    }.get(media_type, json.loads)(answer.body)
    assert CHECKER.complaints(content[media_type]["schema"], value) == [], (path, answer.body[:500])
    if media_type == "text/event-stream":
        for event in value:
            assert CHECKER.complaints("RenderEvent", json.loads(event["data"])) == []


def _server_sent(body: bytes) -> list[dict[str, str]]:
    return [
        dict(line.split(": ", 1) for line in frame.splitlines() if line[:1] != ":")
        for frame in body.decode().split("\n\n")
        if frame.strip(":\n")
    ]


async def test_what_a_gateway_answers_is_described(web: Any, song: bytes) -> None:
    """From the upload to the deletion, and what it refuses: every status, header and body."""

    async def ask(method: str, path: str, status: int, **more: Any) -> Any:
        answer = await web.ask(method, path, **more)
        assert answer.status == status, (path, answer)
        check(method, path, answer)
        return answer.json

    upload = f"{PROJECT}/uploads/upload-0001"
    half = len(song) // 2
    first = {"Content-Range": f"bytes 0-{half - 1}/{len(song)}"}
    await ask("GET", upload, 404)
    await ask("PUT", upload, 202, data=song[:half], headers=first)
    await ask("GET", upload, 200)
    await ask("PUT", upload, 400, data=song)

    async def unmeasured() -> AsyncIterator[bytes]:
        yield song

    await ask("PUT", upload, 411, data=unmeasured())
    rest = {"Content-Range": f"bytes {half}-{len(song) - 1}/{len(song)}"}
    artifact = (await ask("PUT", upload, 200, data=song[half:], headers=rest))["artifact"]

    body = {"spec": {"song": artifact}}
    renders = f"{PROJECT}/renders"
    await ask("POST", f"{renders}:estimate", 200, json=body)
    await ask("POST", renders, 400, json={**body, "unknown": 1})
    await ask("POST", renders, 413, data=bytes(9 << 20))
    await ask("POST", renders, 415, data=b"a=b", headers={"Content-Type": "text/plain"})
    name = (await ask("POST", f"{renders}?renderId=first", 200, json=body))["name"]
    await ask("POST", f"{renders}?renderId=first", 409, json=body)
    render = f"/v1/{name}"
    events = {"Accept": "text/event-stream"}
    await ask("GET", f"{render}:watch?previews=true", 200, headers=events)
    await ask("GET", f"{render}:watch", 200)
    last = (await ask("GET", render, 200))["sequence"]
    await ask("GET", f"{render}:watch", 204, headers={**events, "Last-Event-ID": last})
    await ask("GET", f"{render}:watch?afterSequence=1000", 400)
    await ask("GET", f"{render}/storyboard", 200)
    await ask("GET", f"{renders}?pageSize=1", 200)
    await ask("GET", f"{renders}?size=1", 400)
    await ask("GET", f"{renders}?pageSize=1", 403, headers={"Origin": "https://example.com"})
    await ask("GET", f"{renders}?pageSize=1", 421, headers={"Host": "example.com"})
    await ask("POST", f"{render}:cancel", 200)

    video = f"{render}/outputs/video"
    await ask("GET", video, 200)
    await ask("HEAD", video, 200)
    await ask("GET", video, 206, headers={"Range": "bytes=0-9"})
    await ask("GET", video, 416, headers={"Range": "bytes=99999999-"})
    await ask("GET", f"{video}?t=1", 400)
    await ask("GET", video, 400, data=b"{}")
    await ask("GET", f"{PROJECT}/artifacts:download?uri=file:///etc/passwd", 400)
    etag = {"If-None-Match": f'"{artifact["sha256"]}"'}
    await ask("GET", f"{PROJECT}/artifacts:download?uri={artifact['uri']}", 304, headers=etag)

    await ask("DELETE", f"{render}?etag=other", 409)
    await ask("DELETE", render, 200)
    await ask("GET", render, 404)
    await ask("GET", f"{render}/outputs/video", 404)
    await ask("GET", "/healthz", 200)
    assert await ask("GET", "/openapi.json", 200) == DESCRIPTION
