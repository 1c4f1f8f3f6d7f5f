"""A server answers its contract and everything around it, over each kind of transport."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from soundsight.common.v1.common_pb2 import Progress
from soundsight.common.v1.implementation_pb2 import GetInfoRequest, GetInfoResponse
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight.videogen.v1 import videogen_pb2, videogen_pb2_grpc
from soundsight_kit import errors
from soundsight_kit.channels import ClientTls, open_channel
from soundsight_kit.context import bind_ids, bound_ids
from soundsight_kit.jobs import Emit, JobTable
from soundsight_kit.server import CannotListen, Server, ServiceBinding
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import assert_eventually, certify, running_server, socket_folder

VIDEOGEN = "soundsight.videogen.v1.VideoGenService"
SOON_S = 60.0
"""For what comes within moments, or never."""


class Scripted(videogen_pb2_grpc.VideoGenServiceServicer):
    """A videogen that does what the test says."""

    def __init__(self, raises: BaseException | None = None) -> None:
        self.raises = raises
        self.jobs = JobTable(1, 1)
        self.seen_ids: dict[str, str] = {}
        self.stopped = asyncio.Event()

    async def GetLoad(self, request: Any, context: Any) -> videogen_pb2.GetLoadResponse:
        self.seen_ids = bound_ids()
        if self.raises is not None:
            raise self.raises
        return videogen_pb2.GetLoadResponse(slots=self.jobs.load().slots)

    async def GenerateClip(
        self, request: videogen_pb2.GenerateClipRequest, context: Any
    ) -> AsyncIterator[videogen_pb2.GenerateClipResponse]:
        async def film(emit: Emit[videogen_pb2.GenerateClipResponse]) -> None:
            try:
                emit(videogen_pb2.GenerateClipResponse(progress=Progress(stage="film")))
                await asyncio.sleep(request.shot_frames)
                emit(videogen_pb2.GenerateClipResponse(clip=videogen_pb2.Clip(shot_frames=1)))
            finally:
                self.stopped.set()

        grace_s = request.detach_grace.ToTimedelta().total_seconds()
        async for event in self.jobs.events(request.output_key, film, grace_s):
            yield event

    async def CancelClip(self, request: Any, context: Any) -> videogen_pb2.CancelClipResponse:
        return videogen_pb2.CancelClipResponse(cancelled=self.jobs.cancel(request.output_key))


def binding(servicer: Scripted) -> ServiceBinding:
    return ServiceBinding(
        VIDEOGEN,
        lambda server: videogen_pb2_grpc.add_VideoGenServiceServicer_to_server(servicer, server),
    )


async def next_event(call: Any) -> videogen_pb2.GenerateClipResponse:
    event = await call.read()
    assert isinstance(event, videogen_pb2.GenerateClipResponse)
    return event


async def test_a_server_tells_what_it_is() -> None:
    """GetInfo, health per contract and reflection answer beside the contract."""
    info = GetInfoResponse(implementation="scripted", version="1.2.3")
    async with (
        running_server(binding(Scripted()), info=info) as target,
        open_channel(target) as channel,
    ):
        answer = await ImplementationServiceStub(channel).GetInfo(GetInfoRequest(), timeout=SOON_S)
        assert answer == info
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", VIDEOGEN):
            checked = await health.Check(
                health_pb2.HealthCheckRequest(service=name), timeout=SOON_S
            )
            assert checked.status == health_pb2.HealthCheckResponse.SERVING
        asked = reflection_pb2.ServerReflectionRequest(list_services="*")
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        async for told in stub.ServerReflectionInfo(iter([asked]), timeout=SOON_S):
            names = {service.name for service in told.list_services_response.service}
        assert {VIDEOGEN, "soundsight.common.v1.ImplementationService"} <= names


@pytest.mark.parametrize("data", [b"\x0a\x09short", b"\x0a\x02\xff\xff"])
async def test_bytes_that_are_no_message_are_the_callers_fault(data: bytes) -> None:
    """What cannot be read is answered as what is wrong is, for calls and streams alike."""
    async with running_server(binding(Scripted())) as target, open_channel(target) as opened:
        channel: Any = opened  # typed by what it sends, which here is nothing typed
        with pytest.raises(grpc.RpcError) as cancelling:
            await channel.unary_unary(f"/{VIDEOGEN}/CancelClip")(data, timeout=SOON_S)
        with pytest.raises(grpc.RpcError) as filming:
            await channel.unary_stream(f"/{VIDEOGEN}/GenerateClip")(data, timeout=SOON_S).read()
        reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        with pytest.raises(grpc.RpcError) as streaming:
            await channel.stream_stream(reflection)(iter([data]), timeout=SOON_S).read()
    for caught in (cancelling, filming, streaming):
        error = errors.error_from_rpc(caught.value)
        assert (error.code, error.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "UNREADABLE_REQUEST",
        )


@pytest.mark.parametrize(
    ("raised", "code", "reason"),
    [
        (
            errors.InvalidArgument("must be even", field="resolution.width"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_ARGUMENT",
        ),
        (errors.NotFound("artifact", "x"), grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
        (
            errors.ResourceExhausted("later", retry_after_s=2.5),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "RESOURCE_EXHAUSTED",
        ),
        (TimeoutError(), grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (OSError(28, "No space"), grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_FULL"),
        (KeyError("secret"), grpc.StatusCode.INTERNAL, "UNEXPECTED"),
    ],
)
async def test_what_is_raised_reaches_the_caller_as_a_status(
    raised: Exception, code: grpc.StatusCode, reason: str
) -> None:
    """An exception becomes a canonical code with details, and no more than it should tell."""
    async with (
        running_server(binding(Scripted(raised))) as target,
        open_channel(target) as channel,
    ):
        stub = videogen_pb2_grpc.VideoGenServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetLoad(videogen_pb2.GetLoadRequest(), timeout=SOON_S)
    error = errors.error_from_rpc(caught.value)
    assert (error.code, error.reason) == (code, reason)
    assert "secret" not in error.message
    if isinstance(raised, errors.SoundsightError):
        assert error.field_violations == raised.field_violations
        assert error.retry_after_s == raised.retry_after_s
        assert error.resource == raised.resource


@pytest.mark.parametrize("polled", [(), ("GetLoad",)])
async def test_of_what_machines_poll_only_failures_are_logged(polled: tuple[str, ...]) -> None:
    """Every call is a line in the access log, but those of methods that are asked all the time."""
    servicer = Scripted()
    async with (
        running_server(dataclasses.replace(binding(servicer), polled=polled)) as target,
        open_channel(target) as channel,
    ):
        stub = videogen_pb2_grpc.VideoGenServiceStub(channel)
        with capture_logs() as logs:
            await stub.GetLoad(videogen_pb2.GetLoadRequest(), timeout=SOON_S)
            servicer.raises = errors.NotFound("song", "x")
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.GetLoad(videogen_pb2.GetLoadRequest(), timeout=SOON_S)
    told = [line["code"] for line in logs if line["event"] == "call"]
    assert told == (["NOT_FOUND"] if polled else ["OK", "NOT_FOUND"])


async def test_ids_travel_with_calls() -> None:
    """The render and scene a caller works for are known to the service it calls."""
    servicer = Scripted()
    async with running_server(binding(servicer)) as target, open_channel(target) as channel:
        with bind_ids(render="r1", scene="s001"):
            await videogen_pb2_grpc.VideoGenServiceStub(channel).GetLoad(
                videogen_pb2.GetLoadRequest(), timeout=SOON_S
            )
    assert servicer.seen_ids == {"render": "r1", "scene": "s001"}


async def test_a_broken_call_leaves_no_work_behind() -> None:
    """Work without grace ends as soon as its only caller goes."""
    servicer = Scripted()
    async with running_server(binding(servicer)) as target, open_channel(target) as channel:
        stub = videogen_pb2_grpc.VideoGenServiceStub(channel)
        call = stub.GenerateClip(
            videogen_pb2.GenerateClipRequest(output_key="k", shot_frames=3600), timeout=SOON_S
        )
        assert (await next_event(call)).progress.stage == "film"
        call.cancel()
        await asyncio.wait_for(servicer.stopped.wait(), SOON_S)
        await assert_eventually(lambda: servicer.jobs.load().busy == 0)


async def test_a_second_caller_attaches_within_the_grace() -> None:
    """A caller with the same key gets the work that the broken call left running."""
    servicer = Scripted()
    async with running_server(binding(servicer)) as target, open_channel(target) as channel:
        stub = videogen_pb2_grpc.VideoGenServiceStub(channel)
        request = videogen_pb2.GenerateClipRequest(output_key="k", shot_frames=1)
        request.detach_grace.seconds = 20
        first = stub.GenerateClip(request, timeout=SOON_S)
        await first.read()
        first.cancel()
        kinds = [
            event.WhichOneof("event") async for event in stub.GenerateClip(request, timeout=SOON_S)
        ]
    assert kinds == ["progress", "clip"]


async def test_cancel_is_told_to_everyone_attached() -> None:
    """CancelClip ends the work and every call attached to it with CANCELLED."""
    servicer = Scripted()
    async with running_server(binding(servicer)) as target, open_channel(target) as channel:
        stub = videogen_pb2_grpc.VideoGenServiceStub(channel)
        request = videogen_pb2.GenerateClipRequest(output_key="k", shot_frames=3600)
        calls = [stub.GenerateClip(request, timeout=SOON_S) for _ in range(2)]
        for call in calls:
            await call.read()
        told = await stub.CancelClip(videogen_pb2.CancelClipRequest(output_key="k"), timeout=SOON_S)
        assert told.cancelled
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                while await call.read() is not grpc.aio.EOF:
                    pass
            assert caught.value.code() == grpc.StatusCode.CANCELLED
        again = await stub.CancelClip(
            videogen_pb2.CancelClipRequest(output_key="k"), timeout=SOON_S
        )
        assert not again.cancelled


async def test_draining_finishes_running_work_first() -> None:
    """A server that stops lets running work finish and its caller have the result."""
    servicer = Scripted()
    with socket_folder() as folder:
        kit = KitSettings(listen=f"unix:{folder}/s.sock", drain_grace_s=20)
        server = Server(kit, GetInfoResponse(), [binding(servicer)], servicer.jobs.drain)
        async with open_channel(await server.start()) as channel:
            stub = videogen_pb2_grpc.VideoGenServiceStub(channel)
            call = stub.GenerateClip(
                videogen_pb2.GenerateClipRequest(output_key="k", shot_frames=1), timeout=SOON_S
            )
            await call.read()
            stopping = asyncio.create_task(server.stop())
            assert (await next_event(call)).HasField("clip")
            await stopping


async def test_servers_behind_one_name_take_turns() -> None:
    """Calls through one channel go to every server of its name in turn."""
    kit = KitSettings(listen="127.0.0.1:0")
    answers: list[str] = []
    async with (
        running_server(binding(Scripted()), info=GetInfoResponse(version="1"), kit=kit) as one,
        running_server(binding(Scripted()), info=GetInfoResponse(version="2"), kit=kit) as two,
        open_channel(f"ipv4:{one},{two}") as channel,
    ):
        stub = ImplementationServiceStub(channel)
        while set(answers) != {"1", "2"}:  # until it is connected to both
            answers.append((await stub.GetInfo(GetInfoRequest(), timeout=SOON_S)).version)
        answers = [
            (await stub.GetInfo(GetInfoRequest(), timeout=SOON_S)).version for _ in range(20)
        ]
    assert answers.count("1") == 10


async def test_a_stale_socket_is_replaced_and_a_live_one_is_not() -> None:
    """The socket of a dead server is in nobody's way; that of a live one is not taken."""
    with socket_folder() as folder:
        kit = KitSettings(listen=f"unix:{folder}/s.sock")
        first = Server(kit, GetInfoResponse(), [])
        await first.start()
        with pytest.raises(CannotListen, match="already listens"):
            await Server(kit, GetInfoResponse(), []).start()
        await first.stop()
        second = Server(kit, GetInfoResponse(), [])
        assert await second.start() == kit.listen
        await second.stop()
        too_long = KitSettings(listen=f"unix:{folder}/{'x' * 120}.sock")
        with pytest.raises(CannotListen, match="107 bytes"):
            await Server(too_long, GetInfoResponse(), []).start()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a server and a client certified by it."""
    folder = tmp_path_factory.mktemp("tls")
    certify(folder, "server", "client")
    return folder


@pytest.mark.parametrize("mutual", [False, True])
async def test_tls_keeps_strangers_out(certificates: Path, mutual: bool) -> None:
    """Over TLS only clients that trust the authority, and with mTLS are certified, get through."""
    kit = KitSettings(
        listen="localhost:0",
        tls_certificate=certificates / "server.pem",
        tls_key=certificates / "server.key",
        tls_client_ca=certificates / "ca.pem" if mutual else None,
    )
    authority = (certificates / "ca.pem").read_bytes()
    known = ClientTls(
        authority,
        (certificates / "client.pem").read_bytes(),
        (certificates / "client.key").read_bytes(),
    )
    async with running_server(kit=kit) as target:
        for tls, welcome in ((known, True), (ClientTls(authority), not mutual), (None, False)):
            async with open_channel(target, tls) as channel:
                call = ImplementationServiceStub(channel).GetInfo(GetInfoRequest(), timeout=SOON_S)
                if welcome:
                    await call
                else:
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await call
                    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("name", "welcome"), [("localhost", True), ("another", False)])
async def test_a_server_can_be_known_by_another_name(
    certificates: Path, name: str, welcome: bool
) -> None:
    """Called by an address, a server must have a certificate for the name that it is known by."""
    kit = KitSettings(
        listen="127.0.0.1:0",
        tls_certificate=certificates / "server.pem",
        tls_key=certificates / "server.key",
    )
    tls = ClientTls((certificates / "ca.pem").read_bytes())
    async with (
        running_server(kit=kit) as target,
        open_channel(target, tls, server_name=name) as channel,
    ):
        call = ImplementationServiceStub(channel).GetInfo(GetInfoRequest(), timeout=SOON_S)
        if welcome:
            await call
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


SERVICE = """
from pydantic_settings import BaseSettings
from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight_kit.main import service_main
from soundsight_kit.server import run_server

async def serve(kit, own):
    info = GetInfoResponse(implementation="child")
    await run_server(name="child", kit=kit, info=info, services=[])

service_main(name="child", purpose="A test.", settings=BaseSettings, serve=serve)
"""


def _child(*words: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVICE, *words],
        env={**os.environ, "SOUNDSIGHT_LOG_FORMAT": "json", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sigterm_ends_a_service_in_order() -> None:
    """A real process says where it serves, drains on SIGTERM and exits with 0."""
    with socket_folder() as folder:
        child = _child(SOUNDSIGHT_LISTEN=f"unix:{folder}/s.sock")
        assert child.stderr is not None
        line = child.stderr.readline()
        assert '"serving"' in line, line
        assert '"service": "child"' in line
        child.send_signal(signal.SIGTERM)
        _, rest = child.communicate(timeout=SOON_S)
    assert child.returncode == 0, rest
    assert rest.index('"draining"') < rest.index('"stopped"')


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"SOUNDSIGHT_LISTEN": "nonsense"}, "SOUNDSIGHT_LISTEN='nonsense'"),
        ({"SOUNDSIGHT_LOG_LEVEL": "loud"}, "SOUNDSIGHT_LOG_LEVEL='loud'"),
        ({"SOUNDSIGHT_LISTEN": "unix:/no/such/folder/s.sock"}, "cannot listen on"),
    ],
)
def test_a_wrong_setting_stops_the_service_with_one_line(
    settings: dict[str, str], complaint: str
) -> None:
    """A service that cannot start says why in one readable line."""
    child = _child(**settings)
    _, told = child.communicate(timeout=SOON_S)
    assert child.returncode in (1, 2)
    assert complaint in told
    assert "Traceback" not in told


def test_a_setting_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts and compose files write empty variables for what nobody chose."""
    for name in ("METRICS_LISTEN", "TLS_KEY", "LOG_LEVEL", "DRAIN_GRACE_S"):
        monkeypatch.setenv(f"SOUNDSIGHT_{name}", "")
    assert KitSettings() == KitSettings.model_construct()


def test_help_lists_the_settings() -> None:
    """`--help` names the service's purpose and every setting."""
    child = _child("--help")
    printed, _ = child.communicate(timeout=SOON_S)
    assert child.returncode == 0
    assert "A test." in printed
    assert "SOUNDSIGHT_ARTIFACTS_URL" in printed
