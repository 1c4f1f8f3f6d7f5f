"""A gateway to send made-up requests to, and requests that it takes."""

from __future__ import annotations

import base64
import io
import os
import tempfile
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from fuzz.sending import Target
from google.protobuf.message import Message

from soundsight.common.v1.common_pb2 import Color, FrameRate, Resolution
from soundsight.keda import externalscaler_pb2 as keda
from soundsight.render.v1 import artifacts_pb2, render_pb2, render_pb2_grpc
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1.scenewriter_pb2 import Brief, SectionWish
from soundsight.scenewriter.v1.storyboard_pb2 import CastMember
from soundsight_gateway import states
from soundsight_gateway.app import working_gateway
from soundsight_gateway.error_table import ARTIFACT_SERVICE
from soundsight_gateway.http.server import http_served
from soundsight_gateway.listing import Cursor, write_token
from soundsight_gateway.settings import GatewaySettings
from soundsight_gateway.testing import scripted_services
from soundsight_kit.channels import open_channel
from soundsight_kit.server import Server
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import assert_eventually, socket_folder

PARENT = "projects/demo"
RENDER = f"{PARENT}/renders/first"
REQUEST_ID = "123e4567-e89b-12d3-a456-426614174000"
UPLOAD = "upload-0001"
SONG_S, RATE_HZ = 2, 8000
DATABASE_URL = os.environ.get("SOUNDSIGHT_FUZZ_DATABASE_URL", "")
"""An empty Postgres database to run on; without one, a new SQLite file."""


class Gateway(Target):
    """A gateway before scripted services, with a song and a render that has a storyboard."""

    def __init__(self) -> None:
        super().__init__(self._served)
        self.spec = r.RenderSpec()
        self.http = ""
        """host:port of its HTTP."""

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[str]:
        with tempfile.TemporaryDirectory() as name, socket_folder() as sockets:
            folder = Path(name)
            async with scripted_services(folder, sockets) as services:
                kit = KitSettings(
                    listen=f"unix:{sockets}/gateway.sock",
                    artifacts_url=services.artifacts_url,
                    scratch_dir=folder,
                    drain_grace_s=5.0,
                )
                settings = GatewaySettings(
                    database_url=DATABASE_URL or f"sqlite:///{folder}/gateway.sqlite",
                    analyzer=services.targets["analyzer"],
                    scenewriter=services.targets["scenewriter"],
                    composer=services.targets["composer"],
                    video_endpoints=(services.targets["videogen"],),
                    max_song_bytes=1 << 20,
                    http_listen="127.0.0.1:0",
                )
                async with (
                    http_served(kit, settings) as http,
                    working_gateway(kit, settings) as gateway,
                ):
                    assert http is not None
                    self.http = http.address
                    server = Server(kit, gateway.info, gateway.services, socket=http.grpc_socket)
                    target = await server.start()
                    try:
                        await self._fill(target)
                        yield target
                    finally:
                        await server.stop()

    async def _fill(self, target: str) -> None:
        """Uploads a song, and renders it as far as its storyboard."""
        async with open_channel(target) as channel:
            renders = render_pb2_grpc.RenderServiceStub(channel)
            uploaded = await channel.stream_unary(
                f"/{ARTIFACT_SERVICE}/Upload",
                request_serializer=artifacts_pb2.UploadRequest.SerializeToString,
                response_deserializer=artifacts_pb2.UploadResponse.FromString,
            )(iter(upload()))
            self.spec = r.RenderSpec(
                song=uploaded.artifact,
                resolution=Resolution(width=640, height=360),
                frame_rate=FrameRate(num=30000, den=1001),
                seed=7,
                brief=Brief(
                    style="snow",
                    story="She walks.",
                    palette=[Color(red=10, green=20, blue=60, name="night")],
                    cast=[CastMember(id="cast-1", name="Ada")],
                    must_have=["a lighthouse"],
                    language="en",
                    section_wishes=[SectionWish(section_index=1, text="rain")],
                ),
                goal=r.RENDER_GOAL_STORYBOARD,
                title="Titel",
            )
            await renders.CreateRender(self.creation)

            async def ended() -> bool:
                got = await renders.GetRender(render_pb2.GetRenderRequest(name=RENDER))
                return got.state in states.FINAL

            await assert_eventually(ended)

    @property
    def creation(self) -> render_pb2.CreateRenderRequest:
        """The request that made the render; sent again, it gives the same one."""
        request = render_pb2.CreateRenderRequest(
            parent=PARENT, render_id="first", request_id=REQUEST_ID
        )
        request.render.spec.CopyFrom(self.spec)
        request.render.labels["kind"] = "test"
        return request


def song() -> bytes:
    """A short song as WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE_HZ)
        times = np.arange(SONG_S * RATE_HZ) / RATE_HZ
        written.writeframes((8000 * np.sin(2800 * times)).astype("<i2").tobytes())
    return file.getvalue()


def upload(upload_id: str = UPLOAD) -> list[artifacts_pb2.UploadRequest]:
    """The messages of an upload in two parts."""
    data = song()
    header = artifacts_pb2.UploadHeader(
        parent=PARENT, upload_id=upload_id, size_bytes=len(data), media_type="audio/wav"
    )
    parts = (data[:9_000], data[9_000:])
    return [
        artifacts_pb2.UploadRequest(header=header),
        *(artifacts_pb2.UploadRequest(chunk=part) for part in parts),
    ]


def tokens() -> Iterator[str]:
    """Page tokens as a gateway might have written them, and as it never would."""
    scope = f"{PARENT}|"
    for time_us, render in ((1, "first"), (2**63, "x"), (2**80, "x"), (-1, ""), (1, "a\0b")):
        yield write_token(Cursor(time_us, render), scope)
    yield write_token(Cursor(1, "\ud800"), scope)
    for text in ("[" * 50_000, "1" * 10_000, "[1, NaN, null]", "\ud800", "{}"):
        yield base64.urlsafe_b64encode(text.encode(errors="replace")).decode().rstrip("=")


def good_requests(gateway: Gateway) -> dict[str, list[Message]]:
    """Requests that the gateway takes, by method."""
    estimate = render_pb2.EstimateRenderRequest(parent=PARENT)
    estimate.render.spec.CopyFrom(gateway.spec)
    board = f"{RENDER}/storyboard"
    lists = [
        render_pb2.ListRendersRequest(parent=PARENT, page_size=2, page_token=token)
        for token in tokens()
    ]
    wanted = 'state = SUCCEEDED AND labels.kind = "test"'
    filtered = render_pb2.ListRendersRequest(parent=PARENT, filter=wanted)
    watch = render_pb2.WatchRenderRequest(name=RENDER, after_sequence=1, previews=True)
    scaled = keda.ScaledObjectRef(
        name="videogen", scalerMetadata={"pool": "default", "clipsPerReplica": "1.5"}
    )
    return {
        "CreateRender": [gateway.creation],
        "GetRender": [render_pb2.GetRenderRequest(name=RENDER)],
        "ListRenders": [filtered, *lists, *(filtered for _ in lists)],
        "CancelRender": [render_pb2.CancelRenderRequest(name=RENDER)],
        "DeleteRender": [render_pb2.DeleteRenderRequest(name=RENDER, etag="another")],
        "WatchRender": [watch],
        "GetStoryboard": [render_pb2.GetStoryboardRequest(name=board)],
        "UpdateStoryboard": [render_pb2.UpdateStoryboardRequest(name=board)],
        "ApproveStoryboard": [render_pb2.ApproveStoryboardRequest(name=board)],
        "RegenerateScene": [render_pb2.RegenerateSceneRequest(name=RENDER, scene_id="s001")],
        "EstimateRender": [estimate],
        "GetUpload": [artifacts_pb2.GetUploadRequest(parent=PARENT, upload_id=UPLOAD)],
        "Download": [
            artifacts_pb2.DownloadRequest(
                parent=PARENT, uri=gateway.spec.song.uri, offset_bytes=5, limit_bytes=7
            )
        ],
        "IsActive": [scaled],
        "StreamIsActive": [scaled],
        "GetMetricSpec": [scaled],
        "GetMetrics": [keda.GetMetricsRequest(scaledObjectRef=scaled, metricName="soundsight")],
    }


def words(gateway: Gateway) -> tuple[str, ...]:
    """Texts that mean something to the gateway."""
    uri = gateway.spec.song.uri
    return (
        PARENT, RENDER, f"{RENDER}/storyboard", "demo", "first", "upload-0002", REQUEST_ID, uri,
        uri.replace("demo", "other"), uri + "/x", uri.rpartition("/")[0], gateway.spec.song.sha256,
        "state = FAILED", 'labels.a = "\0"', 'labels.a="\\""', "default", "en", "audio/wav",
    )  # fmt: skip
