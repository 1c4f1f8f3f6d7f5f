"""Worker processes break in every way they can; each time a clip or a clear status comes of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from scripted_serving import CALM, Script, pids, request, scripted

from soundsight.videogen.v1 import videogen_pb2
from soundsight_kit.errors import InvalidArgument
from soundsight_kit.testing import assert_eventually

PHASES = ("load", "encode", "denoise", "decode", "write")


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A script in which nothing goes wrong."""
    return Script(tmp_path)


async def test_a_worker_that_dies_in_any_phase_is_replaced(tmp_path: Path, script: Script) -> None:
    """Its clip is filmed by the next worker, whatever it was doing, and says so."""
    async with scripted(tmp_path, script) as here:
        for phase in PHASES:
            before = pids(here)
            script.plan("kill", phase)
            clip = await here.clip(request(f"killed-in-{phase}"))
            assert "1 workers were lost before it was made" in clip.provenance.notes
            assert pids(here) != before
            await here.audit(pids(here))
        load = await here.load()
        assert load.workers[0].restarts == len(PHASES)
        assert load.workers[0].state == videogen_pb2.WORKER_STATE_IDLE


async def test_a_clip_that_takes_workers_with_it_is_given_up(
    tmp_path: Path, script: Script
) -> None:
    """After two workers the caller hears UNAVAILABLE with a time; the next clip is filmed."""
    async with scripted(tmp_path, script) as here:
        script.plan("kill", "denoise", times=2)
        error = await here.refused(request("deadly"))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "WORKER_DIED")
        assert error.retry_after_s
        await here.audit(pids(here))
        assert await here.store.head("projects/tests/clips/deadly/clip.mp4") is None
        assert (await here.clip(request("next"))).video.size_bytes > 0


async def test_a_worker_that_hangs_is_told_from_one_that_dies(
    tmp_path: Path, script: Script
) -> None:
    """One that makes no step is killed and replaced; twice in a row is WORKER_HUNG, with phase."""
    hasty = replace(CALM, phase_s={"denoise": 3.0})
    async with scripted(tmp_path, script, patience=hasty) as here:
        script.plan("hang", "denoise")
        clip = await here.clip(request("hung-once"))
        assert clip.provenance.notes[-1].startswith("1 workers were lost")
        script.plan("hang", "denoise", times=2)
        error = await here.refused(request("hung"))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "WORKER_HUNG")
        assert error.metadata["phase"] == "denoise"
        await here.audit(pids(here))


async def test_too_little_memory_leads_to_a_cheaper_plan(tmp_path: Path, script: Script) -> None:
    """Plans are tried from the fastest on, with the same worker; the next clip begins with the one
    that fitted, and the plan is on record."""
    async with scripted(tmp_path, script) as here:
        script.plan("memory", "denoise", times=2)
        clip = await here.clip(request("large"))
        (worker,) = pids(here)
        assert clip.provenance.settings["memory_plan"] == "model_offload"
        await here.clip(request("as-large"))
        assert script.log("film") == [
            "/models/one FASTEST",
            "/models/one VAE_TILING",
            "/models/one MODEL_OFFLOAD",
            "/models/one MODEL_OFFLOAD",
        ]
        assert pids(here) == [worker]


async def test_too_little_memory_for_every_plan_is_final(tmp_path: Path, script: Script) -> None:
    """It is FAILED_PRECONDITION: an equal device would not do either, and nobody shall try."""
    async with scripted(tmp_path, script) as here:
        script.plan("memory", "decode", times=99)
        error = await here.refused(request("too-large"))
        assert error.code is grpc.StatusCode.FAILED_PRECONDITION
        assert error.reason == "OUT_OF_MEMORY"
        await here.audit(pids(here))


@pytest.mark.parametrize(
    ("what", "phase", "code", "reason"),
    [
        ("corrupt", "load", grpc.StatusCode.DATA_LOSS, "MODEL_CORRUPT"),
        ("refuse", "load", grpc.StatusCode.FAILED_PRECONDITION, "TOO_MANY_FRAMES"),
        ("full", "write", grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_FULL"),
        ("fail", "encode", grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
async def test_what_the_studio_says_reaches_the_caller(
    tmp_path: Path, script: Script, what: str, phase: str, code: grpc.StatusCode, reason: str
) -> None:
    """Its errors keep code and reason, are not tried again, and leave the worker as it was."""
    async with scripted(tmp_path, script) as here:
        (worker,) = pids(here)
        script.plan(what, phase)
        error = await here.refused(request("wrong"))
        assert (error.code, error.reason) == (code, reason)
        assert len(script.log("film")) == 1
        assert pids(here) == [worker]
        await here.audit([worker])


async def test_cancelling_takes_effect_within_a_step(tmp_path: Path, script: Script) -> None:
    """The worker stops at its next step and keeps its model for the next clip."""
    async with scripted(tmp_path, script) as here:
        (worker,) = pids(here)
        script.plan("slow", "denoise")
        asked = request("cancelled")
        call = asyncio.create_task(here.events(asked))
        await assert_eventually(lambda: script.log("load") == ["/models/one"])
        assert await here.cancel(asked)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call
        assert ended.value.code() is grpc.StatusCode.CANCELLED
        await here.audit([worker])
        await here.clip(request("next"))
        assert script.log("load") == ["/models/one"]
        assert pids(here) == [worker]


async def test_a_step_without_end_does_not_keep_a_slot(tmp_path: Path, script: Script) -> None:
    """A worker that does not stop in its time is killed; its slot is free again."""
    async with scripted(tmp_path, script, patience=replace(CALM, stop_s=0.5)) as here:
        (worker,) = pids(here)
        script.plan("hang", "denoise")
        asked = request("stuck")
        call = asyncio.create_task(here.events(asked))
        await assert_eventually(lambda: script.log("load") == ["/models/one"])
        assert await here.cancel(asked)
        await asyncio.gather(call, return_exceptions=True)
        await here.audit()
        await here.clip(request("next"))
        assert worker not in pids(here)


async def test_a_store_that_is_away_for_a_moment_costs_no_clip(
    tmp_path: Path, script: Script
) -> None:
    """What was filmed is stored when the store is back, without filming again."""
    async with scripted(tmp_path, script) as here:
        await here.clip(request("before"))
        clips = tmp_path / "artifacts" / "projects" / "tests" / "clips" / "away"
        clips.mkdir(parents=True)
        # A folder stands where the record goes: the store cannot be written there.
        staging = tmp_path / "artifacts" / ".staging"
        moved = tmp_path / "moved"
        staging.rename(moved) if staging.exists() else None
        staging.write_text("in the way")
        call = asyncio.create_task(here.events(request("away")))
        await assert_eventually(lambda: len(script.log("film")) == 2)
        await asyncio.sleep(0.3)
        staging.unlink()
        events = await call
        assert events[-1].clip.video.size_bytes > 0
        assert len(script.log("film")) == 2
        await here.audit(pids(here))


async def test_models_share_a_device_within_its_memory(tmp_path: Path, script: Script) -> None:
    """A model is loaded once; the least recently used goes when the next would not fit."""
    models = ("one", "two", "three")
    async with scripted(tmp_path, script, models=models, memory_bytes=2500) as here:
        for number, model in enumerate(("one", "two", "one", "three", "one", "two")):
            clip = await here.clip(request(f"clip-{number}", model))
            assert clip.provenance.model_id == model
            assert (clip.provenance.model_revision, clip.provenance.model_licence) == ("r1", "MIT")
        loads = [name.rpartition("/")[2] for name in script.log("load")]
        assert loads == ["one", "two", "three", "two"]
        assert script.log("release") == ["/models/two", "/models/three"]
        (worker,) = (await here.load()).workers
        assert [model.id for model in worker.resident_models] == ["one", "two"]
        assert sum(model.size_bytes for model in worker.resident_models) == 2000
        error = await here.refused(request("unknown", "four"))
        assert isinstance(error, InvalidArgument)
        assert error.field_violations[0][0] == "model"


async def test_many_faults_at_once_leak_nothing(tmp_path: Path, script: Script) -> None:
    """Deaths, cancellations and failures among many clips on two devices: every caller gets an
    answer, and all slots, places, files and processes are accounted for afterwards."""
    async with scripted(tmp_path, script, devices=2, queue_limit=20) as here:
        for what, phase in (("kill", "load"), ("kill", "write"), ("fail", "denoise"),
                            ("full", "decode"), ("kill", "denoise")):  # fmt: skip
            script.plan(what, phase)
        asked = [request(f"many-{number}") for number in range(12)]
        calls = [asyncio.create_task(here.events(each)) for each in asked]
        await assert_eventually(lambda: len(script.log("film")) >= 3)
        for each in asked[9:]:
            await here.cancel(each)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        made = [answer for answer in answers if isinstance(answer, list)]
        assert len(made) >= 6
        assert all(isinstance(a, list | grpc.aio.AioRpcError) for a in answers)
        await here.audit(pids(here))
        assert len(pids(here)) == 2
