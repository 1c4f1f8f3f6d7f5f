"""KEDA's contract, kept by real gateways, for a client that shares no code with them."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc

from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight.videogen.v1 import profile_pb2
from soundsight_gateway import states
from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.scaling.demand import Demand
from soundsight_gateway.scaling.service import ScalerServicer, scaler_binding
from soundsight_gateway.testing import ScriptedVideogen, scripted_videogen
from soundsight_kit.errors import Aborted
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import assert_eventually, running_server

Bench = Any  # conftest's
Caller = Any

SERVICE = "externalscaler.ExternalScaler"
CONTRACT = Path(__file__).parents[3] / "protos" / "external" / "soundsight" / "keda"
SCENES = 4
"""Of the song of the tests: two seconds, at half a second each."""

KEDAS_OWN = """
ScaledObjectRef name:1:string namespace:2:string scalerMetadata:3:map
IsActiveResponse result:1:bool
GetMetricSpecResponse metricSpecs:1:MetricSpec*
MetricSpec metricName:1:string targetSize:2:int64 targetSizeFloat:3:double
GetMetricsRequest scaledObjectRef:1:ScaledObjectRef metricName:2:string
GetMetricsResponse metricValues:1:MetricValue*
MetricValue metricName:1:string metricValue:2:int64 metricValueFloat:3:double
IsActive ScaledObjectRef -> IsActiveResponse
StreamIsActive ScaledObjectRef -> stream IsActiveResponse
GetMetricSpec ScaledObjectRef -> GetMetricSpecResponse
GetMetrics GetMetricsRequest -> GetMetricsResponse
"""
"""What goes over the wire, copied out by hand from KEDA's documentation."""


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pb2.FileDescriptorProto:
    """The contract as a compiler reads it from its source."""
    image = tmp_path_factory.mktemp("keda") / "keda.binpb"
    words = [f"-I{CONTRACT}", f"--descriptor_set_out={image}", "externalscaler.proto"]
    assert protoc.main(["protoc", *words]) == 0
    (file,) = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file
    return file


class Keda:
    """Somebody who asks as KEDA does: a plain connection, no deadline of ours, messages made from
    the contract's source."""

    def __init__(
        self, contract: descriptor_pb2.FileDescriptorProto, channel: grpc.aio.Channel
    ) -> None:
        pool = descriptor_pool.DescriptorPool()
        pool.Add(contract)
        self._methods = pool.FindServiceByName(SERVICE).methods_by_name
        self._channel = channel

    async def ask(self, method: str, **metadata: str) -> dict[str, Any]:
        """An answer, as JSON."""
        return _json(await self._call(method, metadata))

    async def watch(self, **metadata: str) -> AsyncGenerator[bool, None]:
        """What StreamIsActive tells."""
        async for answer in self._call("StreamIsActive", metadata):
            yield _json(answer).get("result", False)

    async def clips(self, **metadata: str) -> float:
        """The metric's value, its two fields compared."""
        (value,) = (await self.ask("GetMetrics", **metadata))["metricValues"]
        assert value["metricName"] == f"soundsight-{metadata.get('pool', 'default')}"
        assert float(value.get("metricValue", 0)) == value.get("metricValueFloat", 0.0)
        return float(value.get("metricValue", 0))

    async def is_active(self, **metadata: str) -> bool:
        """What IsActive says."""
        return bool((await self.ask("IsActive", **metadata)).get("result", False))

    def _call(self, name: str, metadata: dict[str, str]) -> Any:
        method = self._methods[name]
        scaled = {"name": "videogen", "namespace": "films", "scalerMetadata": metadata}
        metric = {"scaledObjectRef": scaled, "metricName": "soundsight-default"}
        request = GetMessageClass(method.input_type)()
        json_format.ParseDict(metric if name == "GetMetrics" else scaled, request)
        make = self._channel.unary_stream if method.server_streaming else self._channel.unary_unary
        return make(
            f"/{SERVICE}/{name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )(request)


def _json(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(message)


@asynccontextmanager
async def keda(contract: descriptor_pb2.FileDescriptorProto, target: str) -> AsyncIterator[Keda]:
    """KEDA, connected."""
    async with grpc.aio.insecure_channel(target) as channel:
        yield Keda(contract, channel)


def test_the_contract_is_kedas(contract: descriptor_pb2.FileDescriptorProto) -> None:
    """Names, numbers and types on the wire are those that KEDA documents."""
    scalar = descriptor_pb2.FieldDescriptorProto.Type
    lines = []
    for message in contract.message_type:
        fields = []
        for field in message.field:
            kind = field.type_name.rpartition(".")[2] or scalar.Name(field.type)[5:].lower()
            many = field.label == descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
            kind = "map" if kind.endswith("Entry") else kind + "*" * many
            fields.append(f"{field.name}:{field.number}:{kind}")
        lines.append(f"{message.name} {' '.join(fields)}")
    (service,) = contract.service
    for method in service.method:
        given, told = (each.rpartition(".")[2] for each in (method.input_type, method.output_type))
        lines.append(f"{method.name} {given} -> {'stream ' * method.server_streaming}{told}")
    assert (contract.package, service.name) == ("externalscaler", "ExternalScaler")
    assert lines == KEDAS_OWN.strip().splitlines()


def test_origin_and_licence_go_with_the_contract() -> None:
    """Whoever has the contract has its licence and where it is from."""
    assert "kedacore/keda" in (CONTRACT / "README.md").read_text()
    assert "Apache License" in (CONTRACT / "LICENSE").read_text()
    assert resources.files("soundsight.keda").joinpath("externalscaler_pb2.py").is_file()


async def rendered(caller: Caller, song: bytes, seed: int) -> str:
    """Creates a render of the song; returns its name."""
    ref = await caller.upload(song)
    return str((await caller.create(r.RenderSpec(song=ref, seed=seed))).name)


async def wait_for_clips(scaler: Keda, clips: int) -> None:
    async def there() -> bool:
        return await scaler.clips() == clips

    await assert_eventually(there, message=f"the metric never was {clips}")


async def test_a_scaled_down_pool_is_called_up_by_its_queue(
    bench: Bench,
    song: bytes,
    contract: descriptor_pb2.FileDescriptorProto,
    database_url: str,
) -> None:
    """Idle, then as many clips as could be filmed though no endpoint runs, then idle again."""
    target = f"unix:{bench.sockets}/video.sock"
    videogen = ScriptedVideogen(bench.services.artifacts)
    async with (
        bench.gateway(video_endpoints=(target,), database_url=database_url) as caller,
        keda(contract, caller.target) as scaler,
    ):
        assert not await scaler.is_active() and await scaler.clips() == 0
        async with scripted_videogen(videogen, Path(target.removeprefix("unix:"))):
            first = await rendered(caller, song, seed=1)
            assert (await caller.ended(first)).state == states.SUCCEEDED
            assert not await scaler.is_active() and await scaler.clips() == 0
        second = await rendered(caller, song, seed=2)
        await wait_for_clips(scaler, SCENES)
        assert await scaler.is_active()
        async with scripted_videogen(videogen, Path(target.removeprefix("unix:"))):
            assert (await caller.ended(second)).state == states.SUCCEEDED
        assert not await scaler.is_active() and await scaler.clips() == 0
        # What is found in the store needs no endpoint.
        third = await rendered(caller, song, seed=2)
        assert (await caller.ended(third)).state == states.SUCCEEDED
        assert not await scaler.is_active()


async def test_pausing_between_attempts_is_no_rest(
    bench: Bench, song: bytes, contract: descriptor_pb2.FileDescriptorProto
) -> None:
    """While clips are tried and tried again the metric stays what it is; a cancelled render's are
    gone."""
    bench.services.videogen.script = lambda *_: Aborted("not today")
    async with (
        bench.gateway(retry_attempts=100, retry_most_s=0.2) as caller,
        keda(contract, caller.target) as scaler,
    ):
        name = await rendered(caller, song, seed=1)
        await wait_for_clips(scaler, SCENES)

        async def tried_often() -> bool:
            assert await scaler.clips() == SCENES
            scenes = (await caller.get(name)).scenes
            return all(len(scene.failures) >= 3 for scene in scenes)

        await assert_eventually(tried_often)
        await caller.cancel(name)
        await wait_for_clips(scaler, 0)


async def test_of_a_chain_one_clip_counts(
    bench: Bench, song: bytes, contract: descriptor_pb2.FileDescriptorProto
) -> None:
    """Takes that wait for the take before them call up nobody."""

    def chained(storyboard: storyboard_pb2.Storyboard) -> None:
        for scene in storyboard.scenes[1:3]:
            scene.continues_previous = True

    bench.services.writer.edit = chained
    profile = bench.services.videogen.profile
    profile.capabilities.append(profile_pb2.VIDEO_CAPABILITY_START_IMAGE)
    bench.services.videogen.become("cafe")
    bench.services.videogen.takes_s = 600.0
    async with bench.gateway() as caller, keda(contract, caller.target) as scaler:
        name = await rendered(caller, song, seed=1)
        await wait_for_clips(scaler, SCENES - 2)
        await caller.cancel(name)
        await wait_for_clips(scaler, 0)


async def test_two_gateways_answer_alike(
    bench: Bench,
    song: bytes,
    contract: descriptor_pb2.FileDescriptorProto,
    postgres_url: str,
) -> None:
    """Whichever gateway KEDA reaches, it hears the same; also about renders of the other."""
    bench.services.videogen.takes_s = 600.0
    async with AsyncExitStack() as stack:
        asked = []
        callers = []
        for name in ("gateway-0", "gateway-1"):
            child = await stack.enter_async_context(
                bench.child(
                    SOUNDSIGHT_GATEWAY_DATABASE_URL=postgres_url,
                    SOUNDSIGHT_GATEWAY_EXECUTOR_ID=name,
                )
            )
            callers.append(child.caller)
            asked.append(await stack.enter_async_context(keda(contract, child.caller.target)))
        assert [await each.is_active() for each in asked] == [False, False]
        renders = []
        for number, caller in enumerate(callers, 1):
            renders.append(await rendered(caller, song, seed=number))
            for each in asked:
                await wait_for_clips(each, SCENES * number)
                assert await each.is_active()
        for name in renders:
            await callers[0].cancel(name)
        for each in asked:
            await wait_for_clips(each, 0)
            assert not await each.is_active()


async def test_streams_tell_every_change_and_end_in_order(
    bench: Bench, song: bytes, contract: descriptor_pb2.FileDescriptorProto
) -> None:
    """A stream says how it stands at once, then each change; a gateway that goes ends it well."""
    bench.services.videogen.takes_s = 600.0
    async with bench.gateway() as caller, keda(contract, caller.target) as scaler:
        streams = [scaler.watch() for _ in range(3)]
        assert [await anext(stream) for stream in streams] == [False] * 3
        name = await rendered(caller, song, seed=1)
        assert [await anext(stream) for stream in streams] == [True] * 3
        await streams.pop().aclose()
        await caller.cancel(name)
        assert [await anext(stream) for stream in streams] == [False] * 2
        await caller.gateway_leaves()
        assert [[told async for told in stream] for stream in streams] == [[], []]


async def test_targets_are_what_the_trigger_says(
    bench: Bench, contract: descriptor_pb2.FileDescriptorProto
) -> None:
    """The target is given in both of KEDA's fields, the older one never 0; metadata of KEDA's own
    is none of ours; what is wrong is named."""
    async with bench.gateway() as caller, keda(contract, caller.target) as scaler:
        for text, whole, exact in (("1", "1", 1.0), ("2.5", "2", 2.5), ("0.25", "1", 0.25)):
            (spec,) = (
                await scaler.ask(
                    "GetMetricSpec", clipsPerReplica=text, scalerAddress="gateway:7000"
                )
            )["metricSpecs"]
            assert spec == {
                "metricName": "soundsight-default",
                "targetSize": whole,
                "targetSizeFloat": exact,
            }
        for wrong, code, named in (
            ({"clipsPerReplica": "-1"}, grpc.StatusCode.INVALID_ARGUMENT, "clipsPerReplica"),
            ({"pool": "other"}, grpc.StatusCode.NOT_FOUND, "default"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await scaler.is_active(**wrong)
            assert caught.value.code() == code
            assert named in str(caught.value.details())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem", folder / "key.pem"


async def test_it_is_served_over_tls(
    certificate: tuple[Path, Path],
    contract: descriptor_pb2.FileDescriptorProto,
    sqlite_url: str,
) -> None:
    """KEDA gets its answers over TLS where the gateway has a certificate."""
    cert, key = certificate
    database = Database(create_engine(sqlite_url))
    binding = scaler_binding(ScalerServicer(Demand(database), ["default"]))
    kit = KitSettings(listen="localhost:0", tls_certificate=cert, tls_key=key)
    async with running_server(binding, kit=kit) as target:
        credentials = grpc.ssl_channel_credentials(cert.read_bytes())
        async with grpc.aio.secure_channel(target, credentials) as channel:
            (spec,) = (await Keda(contract, channel).ask("GetMetricSpec"))["metricSpecs"]
            assert spec["metricName"] == "soundsight-default"
    database.close()
