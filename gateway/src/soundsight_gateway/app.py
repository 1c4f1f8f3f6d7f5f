"""Puts a gateway together and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from soundsight.common.v1 import implementation_pb2
from soundsight.render.v1 import artifacts_pb2_grpc, render_pb2_grpc
from soundsight_gateway.artifact_service import ArtifactServicer
from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.engine import Engine
from soundsight_gateway.error_table import ARTIFACT_SERVICE, RENDER_SERVICE
from soundsight_gateway.estimating import Estimating
from soundsight_gateway.executors import Executors, Register
from soundsight_gateway.filming import Filming
from soundsight_gateway.http.server import http_served
from soundsight_gateway.hub import Hub
from soundsight_gateway.ingest import Ingest
from soundsight_gateway.notices import Notices
from soundsight_gateway.pool_store import PoolStore
from soundsight_gateway.records import Records
from soundsight_gateway.render_service import RenderServicer
from soundsight_gateway.reporting import Reporting
from soundsight_gateway.scaling.demand import Demand
from soundsight_gateway.scaling.service import ScalerServicer, scaler_binding
from soundsight_gateway.services import Services
from soundsight_gateway.settings import APPLICATION_VERSION, GatewaySettings
from soundsight_gateway.stages import Stages, Tools
from soundsight_gateway.store import RenderStore
from soundsight_gateway.upload_store import UploadStore
from soundsight_gateway.validation import SpecLimits
from soundsight_gateway.watching import Watching
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.channels import client_tls, open_channel
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_kit.info import implementation_info
from soundsight_kit.media.audio import DecodeLimits
from soundsight_kit.server import ServiceBinding, run_server
from soundsight_kit.settings import KitSettings

EXIT_LOST = 3
"""Exit code of a gateway that lost its executor's lock."""
LAST_STEPS_S = 2.0
"""What interrupted steps then get, to let go of what they hold."""
UPLOAD_DEADLINE_S = 3600.0
"""What an upload gets whose caller sets no deadline."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that works, without the server around it."""

    info: implementation_pb2.GetInfoResponse
    services: tuple[ServiceBinding, ...]
    engine: Engine
    leave: Callable[[], object]
    lost: asyncio.Event
    """Set when the gateway must end at once: what it runs may be run by others too."""


def describe(settings: GatewaySettings) -> implementation_pb2.GetInfoResponse:
    """The gateway's answer to GetInfo."""
    return implementation_info(
        "soundsight-gateway",
        implementation="soundsight-gateway",
        description="The render API: takes songs in, runs renders as durable jobs, gives videos "
        "out.",
        fingerprint=source_fingerprint("soundsight_gateway"),
        limits=implementation_pb2.Limits(
            max_input_bytes=settings.max_song_bytes,
            max_duration_s=settings.max_song_duration_s,
        ),
    )


@asynccontextmanager
async def working_gateway(kit: KitSettings, settings: GatewaySettings) -> AsyncIterator[Gateway]:
    """A gateway that works for as long as the context lasts; leaving it leaves renders resumable.

    Raises FailedPrecondition for a database of a later version, and when another gateway has this
    one's executor id; Unavailable for a database that does not answer.
    """
    database = Database(create_engine(settings.database_url))
    register = _register(settings)
    scratch: Path | None = None
    try:
        await database.migrate()
        await register.enter()
        scratch = _scratch(kit, settings)
        hub = Hub()
        store = RenderStore(database, hub.changed)
        memory = PoolStore(database)
        artifacts = ArtifactStore.open(kit.artifacts_url)
        tls = client_tls(kit)

        def connect(target: str, *, server_name: str | None = None) -> grpc.aio.Channel:
            return open_channel(target, tls, server_name=server_name)

        services = Services(settings, connect, memory)
        limits = DecodeLimits(
            max_duration_s=settings.max_song_duration_s, max_input_bytes=settings.max_song_bytes
        )
        ingest = Ingest(artifacts, scratch, limits, settings.max_frames)
        tools = Tools(
            settings=settings,
            store=store,
            memory=memory,
            artifacts=artifacts,
            records=Records(artifacts),
            hub=hub,
            services=services,
            ingest=ingest,
        )
        filming = Filming(tools)
        engine = Engine(settings, store, memory, hub, Stages(tools), filming, register)
        watching = Watching(store, hub)
        renders = RenderServicer(
            store,
            artifacts,
            engine,
            watching,
            Estimating(ingest, services, hub),
            SpecLimits(max_pixels=settings.max_pixels, pools=settings.pools),
        )
        files = ArtifactServicer(artifacts, UploadStore(database), scratch, settings.max_song_bytes)
        scaler = ScalerServicer(Demand(database), settings.pools)

        def leave() -> None:
            watching.leave()
            scaler.leave()

        beside: list[Reporting | Notices] = [Reporting(database, settings.pools)]
        if not database.is_sqlite:
            beside.append(Notices(settings.database_url, hub, engine.ended))
        services.start()
        await engine.start()
        for one in beside:
            one.start()
        try:
            bindings = _bindings(renders, files, scaler)
            yield Gateway(describe(settings), bindings, engine, leave, register.lost)
        finally:
            for one in beside:
                await one.leave()
            await engine.leave()
            await services.close()
    finally:
        # Last: whoever takes over what is left must not find it under way here.
        await register.leave()
        database.close()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


async def serve(
    kit: KitSettings, settings: GatewaySettings, ready: Callable[[str], None] | None = None
) -> None:
    """Runs a gateway until SIGTERM or SIGINT."""
    async with http_served(kit, settings) as http, working_gateway(kit, settings) as gateway:

        async def drain() -> None:
            gateway.leave()
            await gateway.engine.leave()

        ending = asyncio.create_task(_end_when_lost(gateway))
        await run_server(
            name="gateway",
            kit=kit,
            info=gateway.info,
            services=gateway.services,
            drain=drain,
            ready=ready,
            socket=http.grpc_socket if http else None,
        )
        ending.cancel()


async def _end_when_lost(gateway: Gateway) -> None:
    """Ends this process when its executor is lost; whatever restarts it gives it a new life."""
    await gateway.lost.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_STEPS_S):
            gateway.leave()
            await gateway.engine.interrupt()
    logging.shutdown()
    # Not by an exception: threads that wait for a database that is away would hold the end up.
    os._exit(EXIT_LOST)


def _register(settings: GatewaySettings) -> Register:
    if settings.database_url.startswith("sqlite:"):
        return Register()
    return Executors(
        settings.database_url, settings.executor, APPLICATION_VERSION, settings.executor_timeout_s
    )


def _bindings(
    renders: RenderServicer, files: ArtifactServicer, scaler: ScalerServicer
) -> tuple[ServiceBinding, ...]:
    return (
        ServiceBinding(
            RENDER_SERVICE,
            lambda server: render_pb2_grpc.add_RenderServiceServicer_to_server(renders, server),
        ),
        ServiceBinding(
            ARTIFACT_SERVICE,
            lambda server: artifacts_pb2_grpc.add_ArtifactServiceServicer_to_server(files, server),
            default_deadlines_s={"Upload": UPLOAD_DEADLINE_S},
        ),
        scaler_binding(scaler),
    )


def _scratch(kit: KitSettings, settings: GatewaySettings) -> Path:
    """A folder of this gateway's own. What a killed predecessor left there is removed."""
    name = re.sub(r"[^A-Za-z0-9-]", "-", settings.executor)
    scratch = kit.scratch_dir / f"soundsight-gateway-{name}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return scratch
