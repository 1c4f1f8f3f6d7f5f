"""The HTTP server around the routes: health, TLS, errors of HTTP itself, coming and going."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import test_utils
from aiohttp import web as serving
from prometheus_client import REGISTRY

from soundsight_gateway.app import working_gateway
from soundsight_gateway.http.problems import errors_as_problems, problem_of, response_of, status_of
from soundsight_gateway.http.server import http_served
from soundsight_gateway.settings import GatewaySettings
from soundsight_kit import errors
from soundsight_kit.server import CannotListen, Server
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import certify, free_ports
from soundsight_kit.tracing import server_span

RENDERS = "/v1/projects/demo/renders"


async def test_health_is_that_of_the_grpc_server(web: Any, bench: Any) -> None:
    """Load balancers hear at once that a gateway goes, or is not there yet."""
    answer = await web.ask("GET", "/healthz")
    assert (answer.status, answer.json) == (200, {"status": "SERVING"})
    settings = bench.settings(http_listen="127.0.0.1:0")
    async with (
        http_served(bench.kit(), settings) as alone,
        aiohttp.ClientSession() as session,
    ):
        assert alone is not None
        async with session.get(f"http://{alone.address}/healthz") as response:
            assert response.status == 503


async def test_the_description_is_served(web: Any) -> None:
    """The one that the wheel carries."""
    answer = await web.ask("GET", "/openapi.json")
    packed = resources.files("soundsight_gateway.http").joinpath("openapi.json").read_text()
    assert answer.json == json.loads(packed)


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "reason"),
    [
        ("GET", "/", {}, 404, "NOT_FOUND"),
        ("GET", f"{RENDERS}/one:unknown", {}, 404, "NOT_FOUND"),
        ("PUT", RENDERS, {}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", RENDERS, {"data": b"{}"}, 415, "NOT_JSON"),
        ("POST", RENDERS, {"data": b" " * (9 << 20)}, 413, "BODY_TOO_LARGE"),
        ("POST", RENDERS, {"json": {"x": 1}}, 400, "UNREADABLE_REQUEST"),
        ("GET", f"{RENDERS}?x=1", {}, 400, "BAD_QUERY"),
        ("GET", f"{RENDERS}?filter=%5B", {}, 400, "INVALID_ARGUMENT"),
    ],
)
async def test_refusals_are_problems(
    web: Any, method: str, path: str, more: Any, status: int, reason: str
) -> None:
    """Whoever refuses: HTTP, the transcoding, or the call."""
    answer = await web.ask(method, path, **more)
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["reason"] == reason
    assert answer.json["detail"]
    assert (status == 405) == ("Allow" in answer.headers)


@pytest.mark.parametrize("path", [RENDERS, "/nowhere"])
@pytest.mark.parametrize(
    ("expected", "statuses"),
    [(b"100-continue", {200, 404}), (b"200-maybe", {417}), (b"10\xc5", {417})],
)
async def test_what_a_request_expects_is_known_or_refused(
    web: Any, path: str, expected: bytes, statuses: set[int]
) -> None:
    """Bytes that are no text included, which clients of HTTP would not even send."""
    host, _, port = web.gateway.http.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode()
        + b"Expect: "
        + expected
        + b"\r\n\r\n"
    )
    received = (await reader.read()).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    writer.close()
    head, _, body = received.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert status in statuses
    assert b"Server: soundsight-gateway" in head
    assert status == 200 or json.loads(body)["status"] == status


def test_a_problem_holds_all_that_a_status_does() -> None:
    """Reason, metadata, fields, resource and when to come again."""
    problem = problem_of(
        errors.NotFound(
            "song",
            "a",
            reason="GONE",
            metadata={"k": "v"},
            retry_after_s=1.5,
            field_violations=[("spec.song", "is gone")],
        )
    )
    assert problem == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "song 'a' was not found",
        "code": "NOT_FOUND",
        "reason": "GONE",
        "metadata": {"k": "v"},
        "violations": [{"field": "spec.song", "description": "is gone"}],
        "resource": {"type": "song", "name": "a"},
        "retryAfterS": 1.5,
    }
    assert status_of(errors.Internal("x")) == 500


def test_when_to_come_again_is_a_header_too() -> None:
    """In whole seconds, never fewer than are needed."""
    response = response_of(errors.Unavailable("away", retry_after_s=1.2))
    assert (response.status, response.headers["Retry-After"]) == (503, "2")


async def test_answers_are_counted_by_route(web: Any) -> None:
    """By the route's pattern: names of renders would be a time series each."""

    def count(route: str, status: str) -> float:
        labels = {"method": "GET", "route": route, "status": status}
        return REGISTRY.get_sample_value("soundsight_http_responses_total", labels) or 0.0

    patterns = ("/v1/{name}", "")
    before = [count(pattern, "404") for pattern in patterns]
    for path in (f"{RENDERS}/first", f"{RENDERS}/second", "/nowhere"):
        await web.ask("GET", path)
    after = [count(pattern, "404") for pattern in patterns]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1]


async def test_traces_go_on(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call belongs to the trace that the request is of."""
    seen: list[str] = []

    def spying(method: str, metadata: Any) -> Any:
        seen.append(metadata.get("traceparent", ""))
        return server_span(method, metadata)

    monkeypatch.setattr("soundsight_kit.interceptor.server_span", spying)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await web.ask("GET", RENDERS, headers={"traceparent": trace})
    assert seen == [trace]


async def test_a_trace_that_is_none_goes_no_further(web: Any) -> None:
    """Such headers, which are for others, never make a request fail."""
    headers = {"traceparent": "0" * 8000, "tracestate": "a=" + "b" * 8000}
    assert (await web.ask("GET", RENDERS, headers=headers)).status == 200


async def test_an_answer_that_has_begun_is_followed_by_no_other() -> None:
    """A fault in the middle breaks it off: who reads it would take a problem for a part of it."""

    async def broken(request: serving.Request) -> serving.StreamResponse:
        response = serving.StreamResponse()
        await response.prepare(request)
        await response.write(b"abc")
        raise ValueError("a fault")

    app = serving.Application(middlewares=[errors_as_problems])
    app.router.add_get("/", broken)
    async with test_utils.TestClient(test_utils.TestServer(app)) as client, client.get("/") as got:
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.read()


async def test_before_it_serves_it_says_so(bench: Any) -> None:
    """A gateway that waits for its database is asked in vain, and answers once it is there."""
    kit, settings = bench.kit(), bench.settings(http_listen="127.0.0.1:0")
    async with http_served(kit, settings) as http:
        assert http is not None
        async with aiohttp.ClientSession(f"http://{http.address}") as session:
            for _ in range(3):
                async with session.get(RENDERS) as response:
                    problem = await response.json(content_type=None)
                    assert (response.status, problem["reason"]) == (503, "UNAVAILABLE")
                    assert str(http.grpc_socket) not in problem["detail"]
                async with session.get("/healthz") as response:
                    assert response.status == 503
            async with working_gateway(kit, settings) as gateway:
                grpc_server = Server(kit, gateway.info, gateway.services, socket=http.grpc_socket)
                await grpc_server.start()
                for path in ("/healthz", RENDERS):
                    async with session.get(path) as response:
                        assert response.status == 200
                await grpc_server.stop()


async def test_an_address_that_is_taken_is_told(bench: Any) -> None:
    """In one line, with the address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CannotListen, match=address):
            async with http_served(bench.kit(), bench.settings(http_listen=address)):
                pass


@pytest.mark.parametrize("listen", ["8080", "host", ":80", "host:99999", "unix:/x"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    """At start, by its setting."""
    with pytest.raises(ValueError, match="host:port"):
        GatewaySettings(http_listen=listen)


def skip_without_ipv6() -> None:
    """Ends the test where this machine has no such address of its own."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("no IPv6 on this machine")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_where_it_listens_can_be_asked(bench: Any, host: str) -> None:
    """Under the very address that it tells."""
    if host == "[::1]":
        skip_without_ipv6()
    async with (
        http_served(bench.kit(), bench.settings(http_listen=f"{host}:0")) as served,
        aiohttp.ClientSession() as session,
    ):
        assert served is not None
        async with session.get(f"http://{served.address}/openapi.json") as response:
            assert response.status == 200


async def test_all_addresses_are_those_of_both_families(bench: Any) -> None:
    """As over gRPC: a Service of either family leads to a pod that listens on all addresses."""
    skip_without_ipv6()
    async with (
        http_served(bench.kit(), bench.settings(http_listen="[::]:0")) as served,
        aiohttp.ClientSession() as session,
    ):
        assert served is not None
        port = served.address.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]"):
            async with session.get(f"http://{host}:{port}/openapi.json") as response:
                assert response.status == 200


async def test_without_an_address_nothing_is_served(bench: Any) -> None:
    """As where nobody asked for it."""
    for nothing in (None, ""):
        async with http_served(bench.kit(), GatewaySettings(http_listen=nothing)) as served:
            assert served is None


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a certificate by it for this machine."""
    folder = tmp_path_factory.mktemp("tls")
    certify(folder, "own")
    return folder


@pytest.mark.parametrize("mutual", [False, True])
async def test_tls_is_that_of_grpc(bench: Any, certificates: Path, mutual: bool) -> None:
    """With its certificate, and with mutual TLS for those alone that show one."""
    kit = KitSettings(
        tls_certificate=certificates / "own.pem",
        tls_key=certificates / "own.key",
        tls_client_ca=certificates / "ca.pem" if mutual else None,
    )
    stranger = ssl.create_default_context(cafile=certificates / "ca.pem")
    known = ssl.create_default_context(cafile=certificates / "ca.pem")
    known.load_cert_chain(certificates / "own.pem", certificates / "own.key")
    async with (
        http_served(kit, bench.settings(http_listen="127.0.0.1:0")) as served,
        aiohttp.ClientSession() as session,
    ):
        assert served is not None

        async def status(context: ssl.SSLContext) -> int:
            url = f"https://{served.address}/openapi.json"
            async with session.get(url, ssl=context) as response:
                return response.status

        assert await status(known) == 200
        if mutual:
            with pytest.raises(aiohttp.ClientError):
                await status(stranger)
        else:
            assert await status(stranger) == 200
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://{served.address}/healthz")


async def test_renewed_certificates_are_taken_up(bench: Any, tmp_path: Path) -> None:
    """New connections are served by the renewed files, authority included; an open one goes on."""
    certify(tmp_path, "own")
    kit = KitSettings(
        tls_certificate=tmp_path / "own.pem",
        tls_key=tmp_path / "own.key",
        tls_client_ca=tmp_path / "ca.pem",
    )

    def caller() -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        context.load_cert_chain(tmp_path / "own.pem", tmp_path / "own.key")
        return context

    former = caller()
    async with (
        http_served(kit, bench.settings(http_listen="127.0.0.1:0")) as served,
        aiohttp.ClientSession() as open_before,
        aiohttp.ClientSession() as session,
    ):
        assert served is not None

        async def status(asks: aiohttp.ClientSession, context: ssl.SSLContext) -> int:
            url = f"https://{served.address}/openapi.json"
            async with asks.get(url, ssl=context) as response:
                await response.read()
                return response.status

        assert await status(open_before, former) == 200
        certify(tmp_path, "own")
        # Trusts the renewed server, but shows what the former authority certified.
        former.load_verify_locations(tmp_path / "ca.pem")
        with pytest.raises(aiohttp.ClientError):
            await status(session, former)
        assert await status(session, caller()) == 200
        assert await status(open_before, former) == 200


async def test_a_gateway_that_is_told_to_end_finishes_what_it_answers(
    bench: Any, song: bytes
) -> None:
    """And its HTTP server ends with it, within its grace."""
    (port,) = free_ports(1)
    async with (
        bench.child(SOUNDSIGHT_GATEWAY_HTTP_LISTEN=f"127.0.0.1:{port}") as child,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        bench.services.analyzer.may_finish.clear()
        body = {"spec": {"song": {"uri": (await child.caller.upload(song)).uri}}}
        async with session.post(RENDERS, json=body) as response:
            name = (await response.json())["name"]
        async with session.get(f"/v1/{name}:watch") as watch:
            await watch.content.readline()
            code = asyncio.create_task(child.terminate())
            last = (await watch.read()).splitlines()[-1]
        assert json.loads(last)["problem"]["reason"] == "DRAINING"
        assert await code == 0
