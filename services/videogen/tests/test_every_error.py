"""Every error that a caller may hear of has a test that brings it about."""

from __future__ import annotations

import ast
import json
import struct
from functools import cache
from pathlib import Path

import grpc
import pytest
from scripted_serving import CALM, Script, request, scripted
from videogen_serving import serving

from soundsight_kit.errors import Unavailable
from soundsight_videogen.diffusion.renderer import DiffusionRenderer, Hands, film_models
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.error_table import TABLE
from soundsight_videogen.supervising.process import Launch, Patience, Worker

HERE = "test_every_error.py"
CONDITIONS, FEATURES, STUDIO = (
    f"torch/test_{name}.py" for name in ("conditions", "features", "studio")
)
BROUGHT_ABOUT: dict[tuple[str, str], tuple[str, str]] = {
    ("INVALID_ARGUMENT", "INVALID_ARGUMENT"): (
        "test_service.py", "test_wrong_requests_never_reach_a_worker"),
    ("FAILED_PRECONDITION", "FINGERPRINT_MISMATCH"): (
        "test_service.py", "test_another_fingerprint_is_refused"),
    ("RESOURCE_EXHAUSTED", "NO_FREE_SLOT"): (
        "test_service.py", "test_who_finds_no_room_is_sent_away"),
    ("NOT_FOUND", "NOT_FOUND"): ("test_remote.py", "test_a_start_image_goes_along"),
    ("CANCELLED", "WORK_CANCELLED"): ("test_service.py", "test_cancelling_leaves_nothing_behind"),
    ("UNAVAILABLE", "WORKER_DIED"): (
        "test_workers.py", "test_a_clip_that_takes_workers_with_it_is_given_up"),
    ("UNAVAILABLE", "WORKER_HUNG"): (
        "test_workers.py", "test_a_worker_that_hangs_is_told_from_one_that_dies"),
    ("UNAVAILABLE", "WORKER_NOT_STARTED"): (HERE, "test_a_worker_has_its_time_to_start"),
    ("FAILED_PRECONDITION", "OUT_OF_MEMORY"): (
        "test_workers.py", "test_too_little_memory_for_every_plan_is_final"),
    ("DATA_LOSS", "MODEL_CORRUPT"): (
        "test_workers.py", "test_what_the_studio_says_reaches_the_caller"),
    ("FAILED_PRECONDITION", "MODEL_NOT_LOADABLE"): (STUDIO, "test_models_that_cannot_be"),
    ("FAILED_PRECONDITION", "LIBRARY_MISSING"): (HERE, "test_a_library_that_lacks_is_named"),
    ("FAILED_PRECONDITION", "MODEL_NOT_FOUND"): (STUDIO, "test_models_that_cannot_be"),
    ("FAILED_PRECONDITION", "NOT_A_PIPELINE"): (STUDIO, "test_models_that_cannot_be"),
    ("FAILED_PRECONDITION", "UNSAFE_WEIGHTS"): (STUDIO, "test_models_that_cannot_be"),
    ("FAILED_PRECONDITION", "MODEL_NOT_SUPPORTED"): (STUDIO, "test_models_that_cannot_be"),
    ("FAILED_PRECONDITION", "FEATURE_WITHOUT_EFFECT"): (
        FEATURES, "test_an_attention_backend_that_is_not_there_is_an_error"),
    ("FAILED_PRECONDITION", "CACHE_NOT_SUPPORTED"): (
        FEATURES, "test_a_cache_that_does_not_work_is_refused"),
    ("FAILED_PRECONDITION", "LORA_UNUSABLE"): (FEATURES, "test_a_lora_is_loaded_and_seen"),
    ("FAILED_PRECONDITION", "FRAMES_BEYOND_MODEL"): (
        STUDIO, "test_a_clip_beyond_the_model_is_refused"),
    ("FAILED_PRECONDITION", "START_IMAGE_NEEDED"): (
        CONDITIONS, "test_pictures_that_lack_or_cannot_be_used"),
    ("FAILED_PRECONDITION", "END_IMAGE_NEEDED"): (
        CONDITIONS, "test_pictures_that_lack_or_cannot_be_used"),
    ("FAILED_PRECONDITION", "NOT_A_NUMBER"): (
        STUDIO, "test_pictures_that_are_no_numbers_are_an_error"),
    ("INTERNAL", "INTERNAL"): ("test_workers.py", "test_what_the_studio_says_reaches_the_caller"),
    ("UNAVAILABLE", "REMOTE_UNAVAILABLE"): ("test_remote.py", "test_what_goes_wrong_has_a_name"),
    ("INVALID_ARGUMENT", "REMOTE_REFUSED"): ("test_remote.py", "test_what_goes_wrong_has_a_name"),
    ("FAILED_PRECONDITION", "REMOTE_REFUSED"): (
        "test_remote.py", "test_what_goes_wrong_has_a_name"),
    ("INTERNAL", "REMOTE_FAILED"): ("test_remote.py", "test_what_goes_wrong_has_a_name"),
    ("DEADLINE_EXCEEDED", "REMOTE_TIMEOUT"): (
        "test_remote.py", "test_a_job_that_never_ends_is_given_up"),
    ("DATA_LOSS", "REMOTE_WRONG_VIDEO"): ("test_remote.py", "test_what_goes_wrong_has_a_name"),
    ("DATA_LOSS", "DATA_LOSS"): (HERE, "test_a_record_that_cannot_be_read_is_named"),
}  # fmt: skip


def declared() -> set[tuple[str, str]]:
    """Codes and reasons of the error table."""
    return {
        (row.code, reason)
        for rows in TABLE.values()
        for row in rows
        for reason in row.reason.split(", ")
    }


@cache
def sources(file: str) -> dict[str, str]:
    """The source of each test of a file, with its decorators."""
    source = (Path(__file__).parent / file).read_text()
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found[node.name] = "\n".join(source.splitlines()[first - 1 : node.end_lineno])
    return found


def test_every_row_is_brought_about() -> None:
    """The list above has all that the table declares, and nothing else."""
    assert set(BROUGHT_ABOUT) == declared()


@pytest.mark.parametrize(("code", "reason"), sorted(BROUGHT_ABOUT))
def test_what_is_named_asks_for_it(code: str, reason: str) -> None:
    """Each test that the list names is there and asks for the reason, and the code where several
    share the reason."""
    file, name = BROUGHT_ABOUT[code, reason]
    source = sources(file)[name]
    assert f'"{reason}"' in source
    if sum(reason == other for _, other in BROUGHT_ABOUT) > 1:
        assert f"StatusCode.{code}" in source


async def test_a_worker_has_its_time_to_start() -> None:
    """One that is not ready in time is ended, and whoever waits may try again."""
    launch = Launch("timeit", arguments=("-n", "1", "import time; time.sleep(60)"))
    with pytest.raises(Unavailable) as failed:
        await Worker.start(launch, Patience(start_s=0.2))
    assert failed.value.reason == "WORKER_NOT_STARTED"


async def test_a_library_that_lacks_is_named(tmp_path: Path) -> None:
    """Where PyTorch is not installed, a clip ends with the name of what lacks and what to do."""
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    (lacking / "torch.py").write_text("raise ModuleNotFoundError(name='torch')")
    models = film_models([str(empty_model(tmp_path / "model"))], StudioSettings())
    hands = Hands(environment={"PYTHONPATH": str(lacking)}, patience=CALM)
    backend = DiffusionRenderer(models, ["cpu"], StudioSettings(), hands)
    async with serving(tmp_path, backend) as here:
        asked = request("lacking")
        asked.internal_resolution.width, asked.internal_resolution.height = 64, 64
        error = await here.refused(asked)
    assert (error.code, error.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION, "LIBRARY_MISSING")  # fmt: skip
    assert error.metadata["library"] == "torch"
    assert "make setup-torch" in error.message


async def test_a_record_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A clip whose record is damaged is not filmed over it: the caller hears which file it is."""
    script = Script(tmp_path)
    async with scripted(tmp_path, script) as here:
        await here.store.put_bytes("projects/tests/clips/torn/clip.json", b"{", "application/json")
        error = await here.refused(request("torn"))
    assert (error.code, error.reason) == (grpc.StatusCode.DATA_LOSS, "DATA_LOSS")
    assert "projects/tests/clips/torn/clip.json" in error.message


def empty_model(folder: Path) -> Path:
    """A folder that passes for a model as long as nobody loads it."""
    (folder / "transformer").mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "WanPipeline"}))
    header = b"{}"
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(struct.pack("<Q", len(header)) + header)
    return folder
