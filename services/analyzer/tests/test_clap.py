"""CLAP end to end, on a tiny model made on the spot and loaded as a real one is."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from serving import Serving, serving_analyzer

from soundsight.analyzer.v1.analyzer_pb2 import (
    FEATURE_DYNAMICS,
    FEATURE_STRUCTURE,
    FEATURE_TAGS,
    AnalyzeOptions,
)
from soundsight.common.v1.implementation_pb2 import GetInfoRequest
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight_analyzer.meaning.clap import ClapModel, choose_model, hear_labels
from soundsight_analyzer.meaning.labelsets import GROUPS
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import InvalidArgument, error_from_rpc

# Loading PyTorch takes a busy machine a minute, for each listening process.
pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]
PATIENCE_S = 500.0
shared_server = pytest.mark.asyncio(loop_scope="module")
RATE_HZ = 44_100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that holds the tiny one."""
    from tiny_clap import make_tiny_clap

    folder = tmp_path_factory.mktemp("models")
    (folder / "tiny-clap").mkdir()
    make_tiny_clap(folder / "tiny-clap")
    return folder


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-eight seconds: a hum, then noise."""
    path = tmp_path_factory.mktemp("song") / "song.flac"
    times = np.arange(14 * RATE_HZ) / RATE_HZ
    noise = np.random.default_rng(3).standard_normal(14 * RATE_HZ)
    soundfile.write(
        path, np.concatenate([0.3 * np.sin(2 * np.pi * 220 * times), 0.1 * noise]), RATE_HZ
    )
    return path


def settings(folder: Path, **more: object) -> AnalyzerSettings:
    values = {"models_dir": folder, "clap_model": "tiny-clap", "device": "cpu", **more}
    return AnalyzerSettings.model_validate(values)


def chosen(folder: Path, label_dir: Path | None = None) -> ClapModel:
    return choose_model(
        "tiny-clap", revision="", models_dir=folder, device="cpu", label_dir=label_dir
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def serving(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    async with serving_analyzer(tmp_path_factory.mktemp("serving"), settings(folder)) as running:
        yield running


@shared_server
async def test_labels_of_three_groups_come_beside_the_tags(serving: Serving, song: Path) -> None:
    """Song and sections get labels of each group, named after the model and its weights."""
    analysis, progress = await serving.analyse(
        await serving.stored(song),
        FEATURE_TAGS,
        FEATURE_STRUCTURE,
        options=AnalyzeOptions(max_tags=20),
        timeout_s=PATIENCE_S,
    )
    for tags in (analysis.tags, *(section.tags for section in analysis.sections)):
        assert {tag.group for tag in tags} >= set(GROUPS)
        assert len({tag.label for tag in tags}) == len(tags) <= 20
        for tag in tags:
            if tag.group in GROUPS:
                assert tag.evidence.source.startswith("tiny-clap@sha256:")
                # The weights are random: labels are hardly told apart, and the confidence says so.
                assert tag.evidence.confidence < 0.05
    assert {"musicnn-msd", "musicnn-mtt"} <= {tag.evidence.source for tag in analysis.tags}
    assert "tags" in {event.stage for event in progress}


@shared_server
async def test_what_is_not_asked_for_loads_no_model(serving: Serving, song: Path) -> None:
    """Without tags there are no labels either."""
    analysis, progress = await serving.analyse(await serving.stored(song), FEATURE_DYNAMICS)
    assert not analysis.tags
    assert "tags" not in {event.stage for event in progress}


@shared_server
async def test_get_info_names_the_model(serving: Serving, folder: Path) -> None:
    """GetInfo names the model, and its revision is the digest of its weights."""
    async with open_channel(serving.target) as channel:
        info = await ImplementationServiceStub(channel).GetInfo(GetInfoRequest(), timeout=30)
    (model,) = [model for model in info.models if model.id == "tiny-clap"]
    assert model.revision == chosen(folder).revision
    assert "clap-labels" in info.capabilities


@shared_server
async def test_a_broken_model_is_told_and_the_service_goes_on(
    folder: Path, song: Path, tmp_path: Path
) -> None:
    """Weights that cannot be read fail the songs that need them, by name, and no others."""
    broken = tmp_path / "broken"
    shutil.copytree(folder / "tiny-clap", broken)
    (broken / "model.safetensors").write_bytes(b"these are no weights")
    told = settings(folder, clap_model=str(broken))
    (tmp_path / "serving").mkdir()
    async with serving_analyzer(tmp_path / "serving", told) as running:
        stored = await running.stored(song)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.analyse(stored, FEATURE_TAGS, timeout_s=PATIENCE_S)
        error = error_from_rpc(caught.value)
        assert error.code is grpc.StatusCode.FAILED_PRECONDITION
        assert error.reason == "MODEL_NOT_LOADED"
        assert str(broken) in error.message
        analysis, _ = await running.analyse(stored, FEATURE_DYNAMICS)
        assert analysis.HasField("dynamics")


def test_the_same_sound_gives_the_same_labels(folder: Path) -> None:
    """Nothing is left to chance: two hearings agree, and batches do not matter."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(95 * RATE_HZ).astype(np.float32)
    model = chosen(folder)
    first, second = (hear_labels(noise, RATE_HZ, model) for _ in range(2))
    alone = hear_labels(noise[: 10 * RATE_HZ], RATE_HZ, model)
    assert first is not None and second is not None and alone is not None
    assert len(first.sounds) == 10
    assert np.array_equal(first.sounds, second.sounds)
    assert np.allclose(first.sounds[0], alone.sounds[0], atol=1e-5)
    assert np.allclose(np.linalg.norm(first.sounds, axis=1), 1.0, atol=1e-5)


def test_a_users_labels_replace_those_of_the_package(folder: Path, tmp_path: Path) -> None:
    """A folder with one group's file gives that group alone."""
    (tmp_path / "emotion.txt").write_text("Joy\ngrief | somebody weeps\n")
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE_HZ).astype(np.float32)
    heard = hear_labels(noise, RATE_HZ, chosen(folder, tmp_path))
    assert heard is not None
    (label_set,) = heard.label_sets
    assert label_set.labels == ("joy", "grief")
    assert heard.shares(label_set, 0.0, 1.0).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_holds_no_model_is_refused(
    folder: Path, tmp_path: Path, missing: str
) -> None:
    """Choosing an incomplete folder, or pickled weights, fails before any song does."""
    shutil.copytree(folder / "tiny-clap", tmp_path / "model")
    (tmp_path / "model" / missing).rename(tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(InvalidArgument, match="holds no CLAP model"):
        choose_model("model", revision="", models_dir=tmp_path, device="cpu", label_dir=None)


def test_a_name_that_is_nothing_is_refused() -> None:
    """What is neither a folder nor a hub's id is refused at once."""
    with pytest.raises(InvalidArgument, match="no folder"):
        choose_model("nowhere", revision="", models_dir=None, device="cpu", label_dir=None)


def test_nothing_has_no_labels(folder: Path) -> None:
    """Silence and a moment get none."""
    assert hear_labels(np.zeros(RATE_HZ, np.float32), RATE_HZ, chosen(folder)) is None
    assert hear_labels(np.ones(100, np.float32), RATE_HZ, chosen(folder)) is None
