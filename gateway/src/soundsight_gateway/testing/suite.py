"""All scripted services, served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from soundsight.analyzer.v1 import analyzer_pb2_grpc
from soundsight.common.v1 import implementation_pb2
from soundsight.composer.v1 import composer_pb2_grpc
from soundsight.scenewriter.v1 import scenewriter_pb2_grpc
from soundsight.videogen.v1 import videogen_pb2_grpc
from soundsight_gateway.testing.services import ScriptedAnalyzer, ScriptedComposer, ScriptedWriter
from soundsight_gateway.testing.videogen import ScriptedVideogen
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.server import Server, ServiceBinding
from soundsight_kit.settings import KitSettings


@dataclass
class ScriptedServices:
    """All services that a gateway calls, each on a socket of its own."""

    artifacts_url: str
    artifacts: ArtifactStore
    analyzer: ScriptedAnalyzer
    writer: ScriptedWriter
    videogen: ScriptedVideogen
    composer: ScriptedComposer
    targets: dict[str, str]

    def environment(self) -> dict[str, str]:
        """What a gateway's process is told about them."""
        return {
            "SOUNDSIGHT_ARTIFACTS_URL": self.artifacts_url,
            "SOUNDSIGHT_GATEWAY_ANALYZER": self.targets["analyzer"],
            "SOUNDSIGHT_GATEWAY_SCENEWRITER": self.targets["scenewriter"],
            "SOUNDSIGHT_GATEWAY_VIDEO_ENDPOINTS": self.targets["videogen"],
            "SOUNDSIGHT_GATEWAY_COMPOSER": self.targets["composer"],
        }


@asynccontextmanager
async def scripted_services(
    folder: Path, sockets: Path, artifacts_url: str = ""
) -> AsyncIterator[ScriptedServices]:
    """Runs scripted services on one event loop.

    Args:
        folder: where artifacts lie, unless elsewhere.
        sockets: a folder with a short path.
        artifacts_url: of an object store.
    """
    url = artifacts_url or (folder / "artifacts").as_uri()
    artifacts = ArtifactStore.open(url)
    made = ScriptedServices(
        url,
        artifacts,
        ScriptedAnalyzer(),
        ScriptedWriter(),
        ScriptedVideogen(artifacts),
        ScriptedComposer(artifacts),
        {},
    )
    servers = [
        await _serve(made, sockets, name, binding, info) for name, binding, info in _bindings(made)
    ]
    try:
        yield made
    finally:
        for server in servers:
            await server.stop()


@asynccontextmanager
async def scripted_videogen(
    videogen: ScriptedVideogen, socket: Path, *, dies: bool = False
) -> AsyncIterator[str]:
    """Runs one more videogen endpoint; yields its target. One that `dies` breaks off its calls."""
    server = Server(
        KitSettings(listen=f"unix:{socket}", drain_grace_s=0.2),
        videogen.info,
        [videogen_binding(videogen)],
    )
    target = await server.start()
    try:
        yield target
    finally:
        if dies:
            # As by kill -9: whoever is attached sees the connection break.
            await server._server.stop(None)
            videogen.drop_all()
        await server.stop()


def videogen_binding(videogen: ScriptedVideogen) -> ServiceBinding:
    """How a scripted videogen is served."""
    return ServiceBinding(
        "soundsight.videogen.v1.VideoGenService",
        lambda server: videogen_pb2_grpc.add_VideoGenServiceServicer_to_server(videogen, server),
    )


def _bindings(
    made: ScriptedServices,
) -> Iterator[tuple[str, ServiceBinding, implementation_pb2.GetInfoResponse]]:
    def info(name: str) -> implementation_pb2.GetInfoResponse:
        return implementation_pb2.GetInfoResponse(
            implementation=f"scripted-{name}", version="1", fingerprint=f"{name}-1"
        )

    yield (
        "analyzer",
        ServiceBinding(
            "soundsight.analyzer.v1.AnalyzerService",
            lambda server: analyzer_pb2_grpc.add_AnalyzerServiceServicer_to_server(
                made.analyzer, server
            ),
        ),
        made.analyzer.info,
    )
    yield (
        "scenewriter",
        ServiceBinding(
            "soundsight.scenewriter.v1.SceneWriterService",
            lambda server: scenewriter_pb2_grpc.add_SceneWriterServiceServicer_to_server(
                made.writer, server
            ),
        ),
        info("scenewriter"),
    )
    yield "videogen", videogen_binding(made.videogen), made.videogen.info
    yield (
        "composer",
        ServiceBinding(
            "soundsight.composer.v1.ComposerService",
            lambda server: composer_pb2_grpc.add_ComposerServiceServicer_to_server(
                made.composer, server
            ),
        ),
        info("composer"),
    )


async def _serve(
    made: ScriptedServices,
    sockets: Path,
    name: str,
    binding: ServiceBinding,
    info: implementation_pb2.GetInfoResponse,
) -> Server:
    kit = KitSettings(listen=f"unix:{sockets}/{name}.sock", drain_grace_s=0.2)
    server = Server(kit, info, [binding])
    made.targets[name] = await server.start()
    return server
