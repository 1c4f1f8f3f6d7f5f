"""Beside Envoy, which reads the same annotations: both make the same calls of the same requests.

Envoy's transcoder and the gateway's stand before one server, which keeps what comes and answers
what it is told to. Where the two differ, google/api/http.proto and the specification of protobuf's
JSON decide; `DIFFERENCES` holds what is left, each with its reason.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import grpc
import pytest
import pytest_asyncio
import yarl
from aiohttp import web
from fuzz.envoy_transcoder import envoy
from fuzz.http_requests import Spelling, annotated, http_request, make_writable, patterns
from fuzz.strategies import messages
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from soundsight.render.v1 import render_pb2
from soundsight_gateway.http.server import application
from soundsight_kit.channels import open_channel
from soundsight_kit.testing import socket_folder

SERVICE: Final = render_pb2.DESCRIPTOR.services_by_name["RenderService"]
PROJECT: Final = "/v1/projects/demo"
RENDERS: Final = f"{PROJECT}/renders"
RENDER: Final = f"{RENDERS}/first"
TYPES: Final = "type.googleapis.com"
BOARD: Final = f"{RENDER}/storyboard"
LONGEST_TARGET: Final = 8000
LARGEST_BODY_BYTES: Final = 1 << 19
"""Longer and larger ones either server may refuse."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Recorder(grpc.GenericRpcHandler):
    """A server of the render API that keeps the last request, and answers as it is told to."""

    seen: tuple[str, Message] | None = None
    answer: Message | None = None
    code: grpc.StatusCode = grpc.StatusCode.OK

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method."""
        method: Any = SERVICE.methods_by_name[details.method.rpartition("/")[2]]
        answers: type[Message] = GetMessageClass(method.output_type)

        async def unary(request: Message, context: Any) -> Message:
            self.seen = method.name, request
            if self.code is not grpc.StatusCode.OK:
                await context.abort(self.code, "words of the server's")
            return self.answer or answers()

        async def stream(request: Message, context: Any) -> AsyncIterator[Message]:
            for _ in range(2):
                yield await unary(request, context)

        make, handler = (
            (grpc.unary_stream_rpc_method_handler, stream)
            if method.server_streaming
            else (grpc.unary_unary_rpc_method_handler, unary)
        )
        takes: type[Message] = GetMessageClass(method.input_type)
        return make(handler, takes.FromString, answers.SerializeToString)


@dataclass(frozen=True)
class Outcome:
    """What came of a request."""

    status: int
    text: str = field(compare=False)
    call: str = ""
    """The method that was called, and its request, readably and exactly."""

    @property
    def json(self) -> Any:
        """The answer as JSON, one list for a stream."""
        if self.text.endswith("\n"):
            return [json.loads(line) for line in self.text.splitlines()]  # whatever ends a line
        return json.loads(self.text)


def told(method: str, request: Message) -> str:
    """A call as text, which two have in common only when their requests are the same."""
    return f"{method} {request} {request.SerializeToString(deterministic=True)!r}"


class Both:
    """The two transcoders, and the server behind them."""

    def __init__(self, server: Recorder, ours: Any, envoy: Any) -> None:
        self.server = server
        self._ours = ours
        self._envoy = envoy

    async def ask(self, request: str) -> tuple[Outcome, Outcome]:
        """Has both take a request, `METHOD TARGET [BODY]`; gives ours first."""
        return await self._ask(self._ours, request), await self._ask(self._envoy, request)

    async def _ask(self, session: aiohttp.ClientSession, request: str) -> Outcome:
        method, target, *body = request.split(" ", 2)
        self.server.seen = None
        async with session.request(
            method,
            yarl.URL(f"http://localhost{target}", encoded=True),
            data=body[0].encode() if body else None,
            headers={"Content-Type": "application/json"} if body else None,
        ) as response:
            text = await response.text()
        name, seen = self.server.seen or ("", None)
        return Outcome(response.status, text, "" if seen is None else told(name, seen))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Both]:
    """Both transcoders before one server, all on Unix sockets."""
    with socket_folder() as folder:
        async with AsyncExitStack() as stack:
            recorder = Recorder()
            server = grpc.aio.server()
            server.add_generic_rpc_handlers((recorder,))
            server.add_insecure_port(f"unix:{folder}/grpc.sock")
            await server.start()
            stack.push_async_callback(server.stop, None)
            await stack.enter_async_context(envoy(folder, SERVICE))
            channel = await stack.enter_async_context(open_channel(f"unix:{folder}/grpc.sock"))
            runner = web.AppRunner(
                application(channel, (), listens_on_loopback=True, serves=lambda: True)
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.UnixSite(runner, f"{folder}/ours.sock").start()
            ours, theirs = [
                await stack.enter_async_context(
                    aiohttp.ClientSession(connector=aiohttp.UnixConnector(f"{folder}/{name}.sock"))
                )
                for name in ("ours", "envoy")
            ]
            yield Both(recorder, ours, theirs)


@pytest.fixture
def both(served: Both) -> Both:
    """Both transcoders; the server has been told nothing yet."""
    served.server.answer, served.server.code = None, grpc.StatusCode.OK
    return served


SAME: Final = (
    f"GET {RENDER}",
    f"GET {RENDERS}?pageSize=3&filter=state%20%3D%20X",
    f"GET {RENDERS}?page_size=-1&filter=a+b%2Bc%26d",
    f"GET {RENDERS}?pageSize=3&&filter",
    f"GET {RENDERS}?pageSize=",
    f"GET {RENDERS}?pageSize=x",
    f"GET {RENDERS}?pageSize=0x10",
    f"GET {RENDERS}?pageSize=99999999999",
    f"GET {RENDERS}?filter=%zz;a=b",
    f"GET {RENDERS}?nope=1",
    f"GET {RENDERS}?parent.x=1",
    f"GET {RENDERS}?page%53ize=2",
    "GET /v1/projects/d%65mo/renders",
    "GET /v1/projects/d%20m+o/renders",
    "GET /v1/projects/%C3%A9/renders",
    f"GET {RENDERS}/../renders",
    f"GET {RENDERS}/.",
    f"GET /{RENDERS}",
    f"GET {RENDERS}/first/nope",
    "GET /v2/projects/demo/renders",
    f"GET {RENDER}:watch?afterSequence=9223372036854775807&previews=true",
    f"GET {RENDER}:watch?after_sequence=-5&previews=false",
    f"GET {RENDER}:watch?after_sequence=9223372036854775808",
    f"GET {RENDER}:watch?previews=2",
    f"POST {RENDER}:cancel",
    f"POST {RENDER}:cancel {{}}",
    f"POST {RENDER}:cancel null",
    f"POST {RENDER}:cancel []",
    f'POST {RENDER}:cancel ""',
    f'POST {RENDER}:cancel {{"name": null}}',
    f"POST {RENDER}:cancel {{}} {{}}",
    f"POST {RENDER}:cancel {{",
    f'POST {RENDER}:regenerateScene {{"sceneId": "s", "seed": "5"}}',
    f'POST {RENDER}:regenerateScene {{"scene_id": "s", "seed": 5}}',
    f"DELETE {RENDER}?etag=a%26b",
    f'POST {RENDERS}?renderId=first&request_id=u {{"spec": {{"seed": "7", "quality": 2}}}}',
    f"POST {RENDERS}",
    f"POST {RENDERS} {{}}",
    f'POST {RENDERS} {{"spec": {{"goal": "NOPE"}}}}',
    f'POST {RENDERS} {{"spec": {{"goal": 77}}}}',
    f'POST {RENDERS} {{"spec": {{"goal": "3"}}}}',
    f'POST {RENDERS} {{"spec": {{"seed": 1.5}}}}',
    f'POST {RENDERS} {{"spec": {{"seed": 1e3}}}}',
    f'POST {RENDERS} {{"spec": {{"seed": " 1"}}}}',
    f'POST {RENDERS} {{"spec": {{"excerpt": {{"startS": "NaN", "endS": "1.5"}}}}}}',
    f'POST {RENDERS} {{"spec": {{"excerpt": {{"startS": NaN}}}}}}',
    f'POST {RENDERS} {{"spec": {{"excerpt": {{"startS": 1e999}}}}}}',
    f'POST {RENDERS} {{"spec": {{"title": 5}}}}',
    f'POST {RENDERS} {{"spec": {{"title": "\\ud800"}}}}',
    f'POST {RENDERS} {{"spec": {{"title": "\\u00e9\\ud83c\\udfb5é🎵"}}}}',
    f'POST {RENDERS} {{"spec": {{"requireApproval": 1}}}}',
    f'POST {RENDERS} {{"outputs": {{"frameRate": {{}}, "frame_rate": {{"num": 1}}}}}}',
    f'POST {RENDERS} {{"labels": {{"a": "b", "": "c"}}}}',
    f'POST {RENDERS} {{"labels": {{"a": 1}}}}',
    f'POST {RENDERS} {{"labels": {{"a": "1", "a": "2"}}}}',
    f'POST {RENDERS} {{"createTime": "2020-01-01T00:00:00.123456789+02:00"}}',
    f'POST {RENDERS} {{"createTime": "yesterday"}}',
    f'POST {RENDERS} {{"error": {{"details": [{{"@type": "{TYPES}/google.rpc.ErrorInfo"}}]}}}}',
    f'POST {RENDERS} {{"error": {{"details": [{{"@type": "{TYPES}/nope.Nope"}}]}}}}',
    f'POST {RENDERS}:estimate {{"spec": {{"song": {{"uri": "file:///x"}}}}}}',
    f'PATCH {BOARD}?updateMask=scenes,treatment.title&etag=x {{"frames": "48"}}',
    f'PATCH {BOARD}?update_mask=frameRate {{"frames": 48}}',
    f"PATCH {BOARD}?updateMask= {{}}",
    f"POST {BOARD}:approve {{}}",
)  # fmt: skip
"""Requests that both must understand, or refuse, alike."""


@pytest.mark.parametrize("request_line", SAME)
async def test_both_understand_alike(both: Both, request_line: str) -> None:
    """Of one request both make the same call, and answer alike; or both refuse it."""
    ours, envoys = await both.ask(request_line)
    assert ours == envoys
    if ours.call:
        assert ours.json == envoys.json


NO_COLON: Final = "no identifier of the suite has a colon: what follows one is a verb"
PATH_WINS: Final = "what the path binds is no parameter and no part of the body (http.proto)"
STRICT_JSON: Final = "this is no JSON (RFC 8259)"
STRICT: Final = "protobuf's JSON knows no such value, or no such field"
LENIENT: Final = "Python's protobuf takes it for the number or message that it looks like"
ONE_TEXT: Final = "a mask is one text of paths in lowerCamelCase, as in protobuf's JSON"
SLASH: Final = "%2F stays as it is in Envoy (http.proto); the server refuses either"
TWICE: Final = "one field, two values"
NO_UTF8: Final = "Envoy passes on what is no UTF-8, and the server fails"

DIFFERENCES: Final = (
    # Request, our status and Envoy's, the reason
    ("GET /v1/projects/d:mo/renders", 404, 200, NO_COLON),
    ("GET /v1/projects/d%3Amo/renders", 404, 200, NO_COLON),
    (f"GET {RENDER}:nope", 404, 200, NO_COLON),
    ("GET /v1/projects/demo%2Fx/renders", 200, 200, SLASH),
    ("GET /v1/projects/%FF/renders", 200, 500, NO_UTF8),
    (f"GET {RENDERS}?filter=%FF", 400, 500, NO_UTF8),
    ("GET /v1/projects//renders", 404, 200, "`*` is one segment, and not none"),
    (f"GET {RENDERS}/", 404, 200, "`*` is one segment, and not none"),
    (f"PUT {RENDERS}", 405, 404, "the path has other methods, which Allow names"),
    (f"GET {RENDERS}?page_size=3&page_size=4", 400, 200, TWICE),
    (f"GET {RENDERS}?page_size=3&pageSize=4", 400, 200, TWICE),
    (f"GET {RENDERS}?pageSize=1e1", 200, 400, LENIENT),
    (f"GET {RENDERS}?parent=projects/x", 400, 200, PATH_WINS),
    (f"POST {RENDER}:cancel?name=x {{}}", 400, 200, PATH_WINS),
    (f'POST {RENDER}:cancel {{"name": "projects/x/renders/y"}}', 200, 200, PATH_WINS),
    (f"POST {RENDER}:regenerateScene?seed=4 {{}}", 400, 200, "the body is the whole request"),
    (f"POST {RENDERS}?render.spec.seed=4 {{}}", 400, 200, "the body is all of this field"),
    (f"DELETE {RENDER} {{}}", 400, 200, "the method takes no body"),
    (f"GET {RENDER}:watch?previews=1", 400, 200, STRICT),
    (f"GET {RENDER}:watch?previews=True", 400, 200, STRICT),
    (f"GET {RENDER}:watch?previews", 400, 200, STRICT),
    (f'POST {RENDER}:cancel {{"nope": 1}}', 400, 200, STRICT),
    (f'POST {RENDERS} {{"spec": {{"requireApproval": "true"}}}}', 400, 200, STRICT),
    (f'POST {RENDERS} {{"labels": {{"a": null}}}}', 400, 200, STRICT),
    (f'POST {RENDERS} {{"notes": ["a", null]}}', 400, 200, STRICT),
    (f'POST {RENDERS} {{"notes": "a"}}', 400, 200, STRICT),
    (f'POST {RENDERS} {{"spec": []}}', 200, 400, LENIENT),
    (f'POST {RENDERS} {{"spec": {{"seed": "1e3"}}}}', 200, 400, LENIENT),
    (f'POST {RENDERS} {{"spec": {{"title": "a", "title": "b"}}}}', 400, 200, TWICE),
    (f"POST {RENDERS} {{'spec': {{}}}}", 400, 200, STRICT_JSON),
    (f"POST {RENDERS} {{spec: {{}}}}", 400, 200, STRICT_JSON),
    (f'POST {RENDERS} {{"spec": {{}},}}', 400, 200, STRICT_JSON),
    (f"PATCH {BOARD}?updateMask.paths=scenes {{}}", 400, 200, ONE_TEXT),
    (f"PATCH {BOARD}?updateMask=frame_rate {{}}", 400, 200, ONE_TEXT),
)  # fmt: skip
"""Requests that the two take differently, and why ours is right or does no harm."""


@pytest.mark.parametrize(
    ("request_line", "our_status", "envoys_status", "reason"), DIFFERENCES, ids=lambda value: value
)
async def test_where_they_differ(
    both: Both, request_line: str, our_status: int, envoys_status: int, reason: str
) -> None:
    """Where the two differ is known, and why."""
    ours, envoys = await both.ask(request_line)
    assert (ours.status, envoys.status) == (our_status, envoys_status), (ours, envoys)
    assert ours != envoys


@pytest.mark.parametrize(
    "code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
)
async def test_both_say_alike_what_went_wrong(both: Both, code: grpc.StatusCode) -> None:
    """Of every error of the server's both make the same HTTP status, code and words."""
    both.server.code = code
    for request_line in (f"GET {RENDER}", f"GET {RENDER}:watch"):
        ours, envoys = await both.ask(request_line)
        assert ours == envoys
        problem, status = ours.json, envoys.json
        assert getattr(grpc.StatusCode, problem["code"]).value[0] == status["code"]
        assert problem["detail"] == status["message"]


_SEGMENTS: Final = st.text(
    st.characters(codec="utf-8", exclude_characters="/:\0"), min_size=1, max_size=8
).filter(lambda text: text.strip("."))


@st.composite
def calls(draw: st.DrawFn) -> tuple[MethodDescriptor, Message, Spelling, Message]:
    """A method, a request of it, the spelling to write it in, and what the server answers."""
    method = draw(st.sampled_from(annotated()))
    request = draw(messages(GetMessageClass(method.input_type)))
    make_writable(request)
    for name, pattern in patterns(method).items():
        parts = [draw(_SEGMENTS) if part == "*" else part for part in pattern.split("/")]
        setattr(request, name, "/".join(parts))
    for name in ("render", "storyboard"):
        if name in method.input_type.fields_by_name:
            getattr(request, name).SetInParent()
    answer = draw(messages(GetMessageClass(method.output_type)))
    make_writable(answer)
    return method, request, Spelling(draw(st.booleans()), draw(st.booleans())), answer


@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(call=calls())
async def test_both_carry_any_request(
    both: Both, call: tuple[MethodDescriptor, Message, Spelling, Message]
) -> None:
    """Any request of any method, written in JSON either way, comes through both as it was meant,
    and the answer comes back the same."""
    method, request, spelling, answer = call
    both.server.answer = answer
    asked = http_request(method, request, spelling)
    assume(len(asked.target) <= LONGEST_TARGET and len(asked.body or b"") <= LARGEST_BODY_BYTES)
    ours, envoys = await both.ask(str(asked))
    assert (ours.status, ours.call) == (200, told(method.name, request))
    assert ours == envoys
    assert ours.json == envoys.json
