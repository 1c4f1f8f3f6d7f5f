"""Renders on several gateways, with a Postgres and an S3 server, to which everything happens."""

from __future__ import annotations

import asyncio
import json
import math
import struct
import time
import wave
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cluster import Cluster, Filmed, running_cluster
from video_measures import video_facts

from soundsight.common.v1.common_pb2 import Resolution
from soundsight.render.v1 import resources_pb2 as r
from soundsight.videogen.v1.videogen_pb2 import QUALITY_DRAFT
from soundsight_client.client import Client
from soundsight_gateway.testing import scripted_services
from soundsight_gateway.testing.postgres import PostgresServer, running_postgres
from soundsight_kit.testing import assert_eventually, socket_folder
from soundsight_kit.testing_s3 import S3Server, running_s3

RENDERS = 6
STOPPED_S = 60.0
HELD = 6
"""Clips that a videogen holds at most: in two slots, and in a queue of four while the clips of a
gateway that is gone take the slots."""
SUCCEEDED = r.RENDER_STATE_SUCCEEDED


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A database server of these tests' own: it is killed now and then."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An object store of these tests' own."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
async def cluster(
    postgres: PostgresServer, objects: S3Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    """An empty cluster."""
    for name, value in objects.environment().items():
        monkeypatch.setenv(name, value)
    with socket_folder() as folder:
        async with running_cluster(folder, postgres, objects) as cluster:
            yield cluster


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a tone."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(
            b"".join(struct.pack("<h", round(8000 * math.sin(i / 8))) for i in range(16000))
        )
    return path


async def watched(client: Client, name: str) -> list[int]:
    """The numbers of all state changes until a render's end."""
    return [
        event.state_change.sequence
        async for event in client.watch_render(name)
        if event.HasField("state_change")
    ]


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_renders_survive_whatever_happens_to_a_cluster(cluster: Cluster, tone: Path) -> None:
    """A gateway dies for good, a videogen dies, another stands still for a minute, Postgres and the
    object store are started again: every render finishes, no clip that was finished is begun
    again, and watchers see every state change."""
    record = cluster.folder / "record"
    async with (
        scripted_services(cluster.folder, cluster.folder, cluster.artifacts_url) as services,
        cluster.client() as client,
    ):
        services.writer.scene_frames = 4
        videogens = [
            await cluster.start(
                f"video-{number}",
                "soundsight_gateway.testing",
                *("--record", str(record), "--takes-s", "5", "--slots", "2"),
            )
            for number in range(4)
        ]
        targets = {
            **{name: services.targets[name] for name in ("analyzer", "scenewriter", "composer")},
            "video_endpoints": ",".join(one.target for one in videogens),
        }
        gateways = [await cluster.start_gateway(number, **targets) for number in range(2)]
        began = time.monotonic()
        song = await client.upload(tone)
        names = []
        for seed in range(RENDERS):
            cluster.turn_to(gateways[seed % 2])
            made = await client.create_render(r.RenderSpec(song=song, seed=seed + 1))
            names.append(made.name)
        cluster.turn_to(gateways[0])
        watches = [asyncio.create_task(watched(client, name)) for name in names]

        async def filmed(clips: int) -> None:
            await assert_eventually(
                lambda: len(Filmed.read(record).filmed) >= clips,
                within_s=120,
                message=f"there are no {clips} clips\n{cluster.logs()}",
            )

        await filmed(6)
        gateways[0].kill()
        cluster.turn_to(gateways[1])
        await filmed(12)
        videogens[0].kill()
        videogens[1].stop()
        stopped = time.monotonic()
        await filmed(20)
        await asyncio.to_thread(cluster.postgres.restart, 3.0)
        await filmed(28)
        cluster.objects.kill()
        await asyncio.sleep(3.0)
        await asyncio.to_thread(cluster.objects.start)
        await asyncio.sleep(max(0.0, stopped + STOPPED_S - time.monotonic()))
        videogens[1].go_on()
        try:
            numbers = await asyncio.wait_for(asyncio.gather(*watches), 300)
        except TimeoutError:
            pytest.fail(cluster.logs())
        took_s = time.monotonic() - began
        ended = [await client.get_render(name) for name in names]
    done = Filmed.read(record)
    assert [one.state for one in ended] == [SUCCEEDED] * RENDERS, f"{ended}\n{cluster.logs()}"
    assert numbers == [list(range(1, one.sequence + 1)) for one in ended]
    assert len(done.filmed) == RENDERS * 12
    assert done.begun_again == []
    # What stood still was given to others, and finished when it went on: at most what it held.
    twice = sum(done.filmed.values()) - len(done.filmed)
    assert twice <= HELD
    assert gateways[1].exit_code is None
    print(  # noqa: T201 - the figures of reliability.md
        f"{RENDERS} renders, {len(done.filmed)} clips in {took_s:.0f} s; "
        f"begun {sum(done.begun.values())} times, filmed twice: {twice}"
    )


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_real_suite_survives_the_loss_of_a_gateway(
    cluster: Cluster, song: Path, tmp_path: Path
) -> None:
    """With all real services, two of videogen, and the gateway that began the render killed for
    good, the video is whole and no scene was filmed twice."""
    targets = {}
    for name in ("analyzer", "scenewriter", "composer"):
        targets[name] = (await cluster.start(name, f"soundsight_{name}")).target
    videogens = [await cluster.start(f"video-{n}", "soundsight_videogen") for n in range(2)]
    targets["video_endpoints"] = ",".join(one.target for one in videogens)
    other = await cluster.start_gateway(1, **targets)
    first = await cluster.start_gateway(0, **targets)

    def filmed() -> Counter[str]:
        return Counter(
            json.loads(line)["output_key"]
            for one in videogens
            for line in one.log.read_text().splitlines()
            if "clip filmed" in line
        )

    async with cluster.client() as client:
        spec = r.RenderSpec(song=await client.upload(song), quality=QUALITY_DRAFT)
        spec.resolution.CopyFrom(Resolution(width=160, height=90))
        made = await client.create_render(spec)
        watching = asyncio.create_task(watched(client, made.name))
        await assert_eventually(lambda: len(filmed()) >= 2, within_s=200, message=cluster.logs())
        first.kill()
        cluster.turn_to(other)
        numbers = await asyncio.wait_for(watching, 200)
        done = await client.get_render(made.name)
        assert done.state == SUCCEEDED, done.error
        video = tmp_path / "video.mp4"
        await client.download(done.outputs.video, video)
    assert numbers == list(range(1, done.sequence + 1))
    assert len(filmed()) == len({scene.clip_key for scene in done.scenes})
    assert set(filmed().values()) == {1}
    assert video_facts(video).frames == done.outputs.frames
