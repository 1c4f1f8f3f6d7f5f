"""How well the gateway's dispatch keeps many videogen endpoints busy, in real time.

Runs the dispatch code that the gateway runs over real gRPC servers in processes of their own. Their
clips take a fixed time and cost nothing else, so that what is lost is lost by dispatch. Prints, for
several kinds of pools, the share of slot time spent filming, from the first clip to the end.

    make bench-dispatch OPTIONS='--endpoints 64 --seconds 30'

Only the healthy endpoints of a pool count. Beside them there may be some that accept connections
and say nothing, and some that fail every clip at once; or one of them is exchanged for a new one
every second. It finishes what it films, which does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soundsight.common.v1 import common_pb2, implementation_pb2
from soundsight.videogen.v1 import videogen_pb2, videogen_pb2_grpc
from soundsight_gateway import calls
from soundsight_gateway.discovery.targets import Address
from soundsight_gateway.dispatch import Pool
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import Internal, SoundsightError
from soundsight_kit.jobs import Emit, JobTable
from soundsight_kit.logs import configure_logging
from soundsight_kit.server import Server, ServiceBinding
from soundsight_kit.settings import KitSettings

FINGERPRINT = "metronome"


@dataclass(frozen=True)
class Kind:
    """One kind of pool."""

    name: str
    healthy: int
    silent: int = 0
    sick: int = 0
    exchanged: bool = False


@dataclass
class Tally:
    """What came out of one run."""

    clips: int = 0
    failed: int = 0
    waits_s: list[float] = field(default_factory=list)
    filmed_s: float = 0.0
    elapsed_s: float = 0.0
    cpu_s: float = 0.0


class Metronome(videogen_pb2_grpc.VideoGenServiceServicer):
    """A videogen endpoint with one slot whose clips take a fixed time."""

    def __init__(self, clip_s: float, *, sick: bool) -> None:
        self._jobs = JobTable(1, 1, name="metronome")
        self._clip_s = clip_s
        self._sick = sick

    def binding(self) -> ServiceBinding:
        """How it is served."""
        return ServiceBinding(
            "soundsight.videogen.v1.VideoGenService",
            lambda server: videogen_pb2_grpc.add_VideoGenServiceServicer_to_server(self, server),
        )

    async def GenerateClip(  # noqa: N802
        self, request: videogen_pb2.GenerateClipRequest, context: Any
    ) -> AsyncIterator[videogen_pb2.GenerateClipResponse]:
        """Waits, and says now and then that it is at it."""

        async def film(emit: Emit[videogen_pb2.GenerateClipResponse]) -> None:
            if self._sick:
                raise Internal("the GPU has fallen off the bus")
            for done in range(4):
                moved = common_pb2.Progress(stage="film", done=done, total=4)
                emit(videogen_pb2.GenerateClipResponse(progress=moved))
                await asyncio.sleep(self._clip_s / 4)
            emit(videogen_pb2.GenerateClipResponse(clip=videogen_pb2.Clip(shot_frames=48)))

        async for event in self._jobs.events(request.output_key, film):
            yield event

    async def CancelClip(  # noqa: N802
        self, request: videogen_pb2.CancelClipRequest, context: Any
    ) -> videogen_pb2.CancelClipResponse:
        """Stops a clip."""
        return videogen_pb2.CancelClipResponse(cancelled=self._jobs.cancel(request.output_key))

    async def GetLoad(  # noqa: N802
        self, request: videogen_pb2.GetLoadRequest, context: Any
    ) -> videogen_pb2.GetLoadResponse:
        """How busy it is."""
        load = self._jobs.load()
        return videogen_pb2.GetLoadResponse(
            slots=load.slots, busy=load.busy, queued=load.queued, queue_limit=1
        )


def serve(sockets: list[tuple[str, bool]], clip_s: float, ready: Any) -> None:
    """Serves endpoints in this process until it is killed."""
    be_quiet()
    os.nice(1)  # what is measured goes first

    async def run() -> None:
        info = implementation_pb2.GetInfoResponse(fingerprint=FINGERPRINT)
        servers = []  # a server that nobody holds stops
        for path, sick in sockets:
            binding = Metronome(clip_s, sick=sick).binding()
            servers.append(Server(KitSettings(listen=f"unix:{path}"), info, [binding]))
            await servers[-1].start()
        ready.set()
        await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def endpoints(kind: Kind, clip_s: float, processes: int) -> Iterator[tuple[list[str], list[str]]]:
    """Runs the endpoints of a pool; yields the targets of the pool, and of spare healthy ones."""
    spare = kind.healthy // 2 if kind.exchanged else 0
    with tempfile.TemporaryDirectory(prefix="ss-") as folder:
        paths = [f"{folder}/{number}" for number in range(kind.healthy + spare)]
        sick = [f"{folder}/sick{number}" for number in range(kind.sick)]
        silent = [f"{folder}/silent{number}" for number in range(kind.silent)]
        listeners = [_listen(path) for path in silent]
        every = [(path, False) for path in paths] + [(path, True) for path in sick]
        context = multiprocessing.get_context("spawn")
        children = []
        for number in range(processes):
            ready = context.Event()
            share = every[number::processes]
            child = context.Process(target=serve, args=(share, clip_s, ready), daemon=True)
            child.start()
            children.append((child, ready))
        try:
            for _, ready in children:
                assert ready.wait(60), "an endpoint process did not start"
            targets = [f"unix:{path}" for path in (*silent, *sick, *paths[: kind.healthy])]
            yield targets, [f"unix:{path}" for path in paths[kind.healthy :]]
        finally:
            for child, _ in children:
                child.kill()
                child.join()
            for listener in listeners:
                listener.close()


def be_quiet() -> None:
    """Logs nothing: sick endpoints would tell at length."""
    configure_logging(KitSettings(log_level="error"), "bench")
    logging.disable()


def _listen(path: str) -> socket.socket:
    """A socket that accepts connections and says nothing."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(Path(path)))
    listener.listen(16)
    return listener


async def measure(
    kind: Kind, targets: list[str], spare: list[str], seconds: float, clip_s: float
) -> Tally:
    """Keeps a pool supplied with clips for some seconds."""
    tally = Tally()
    pool = Pool("bench", map(Address, targets), lambda address: open_channel(address.target))
    numbers = iter(range(10**9))
    gone: dict[str, float] = {}
    until = time.monotonic() + seconds

    async def scene() -> None:
        while (asked := time.monotonic()) < until:
            request = videogen_pb2.GenerateClipRequest(
                output_key=f"projects/b/clips/{next(numbers)}", expected_fingerprint=FINGERPRINT
            )
            async with pool.lease(FINGERPRINT, 60.0) as endpoint:
                began = time.monotonic()
                tally.waits_s.append(began - asked)
                try:
                    await calls.result_of(
                        endpoint.stub.GenerateClip(request, timeout=60.0),
                        "clip",
                        silence_timeout_s=30.0,
                        on_progress=lambda moved: None,
                    )
                except SoundsightError as error:
                    endpoint.failed(error)
                    tally.failed += 1
                    continue
                endpoint.worked()
            tally.clips += 1
            counts_until = min(until, gone.get(endpoint.target, until))
            tally.filmed_s += max(0.0, clip_s - max(0.0, time.monotonic() - counts_until))

    async def exchange() -> None:
        present, waiting = list(targets), list(spare)
        while waiting:
            await asyncio.sleep(1.0)
            gone[present[0]] = time.monotonic()
            waiting.append(present.pop(0))
            present.append(waiting.pop(0))
            gone.pop(present[-1], None)
            pool.update(map(Address, present))

    exchanging = asyncio.create_task(exchange())
    began, cpu = time.monotonic(), time.process_time()
    # Half as many again as there are slots: some always wait their turn.
    await asyncio.gather(*(scene() for _ in range(kind.healthy * 3 // 2)))
    tally.elapsed_s, tally.cpu_s = until - began, time.process_time() - cpu
    exchanging.cancel()
    await pool.close()
    return tally


def kinds(healthy: int) -> list[Kind]:
    """The pools of the table."""
    few = max(1, healthy // 16)
    return [
        Kind("all are well", healthy),
        Kind(f"and {few} that say nothing", healthy, silent=few),
        Kind(f"and {few} that fail every clip", healthy, sick=few),
        Kind("one is exchanged every second", healthy, exchanged=True),
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--endpoints", type=int, nargs="+", default=[64])
    parser.add_argument("--clip-s", type=float, default=2.0, help="seconds that a clip takes")
    parser.add_argument("--seconds", type=float, default=30.0, help="seconds of each run")
    parser.add_argument("--processes", type=int, default=4, help="processes with endpoints")
    arguments = parser.parse_args()
    be_quiet()
    print("| endpoints | pool | filming | clips | failed | mean wait | CPU of dispatch |")
    print("|---|---|---|---|---|---|---|")
    for healthy in arguments.endpoints:
        for kind in kinds(healthy):
            with endpoints(kind, arguments.clip_s, arguments.processes) as (targets, spare):
                tally = asyncio.run(
                    measure(kind, targets, spare, arguments.seconds, arguments.clip_s)
                )
            share = tally.filmed_s / (healthy * tally.elapsed_s)
            print(
                f"| {healthy} | {kind.name} | {share:.1%} | {tally.clips} | {tally.failed} "
                f"| {statistics.fmean(tally.waits_s):.2f} s "
                f"| {tally.cpu_s / tally.elapsed_s:.0%} of a core |",
                flush=True,
            )


if __name__ == "__main__":
    main()
