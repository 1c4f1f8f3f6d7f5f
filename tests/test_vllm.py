"""A real vLLM with a tiny model writes a storyboard over the whole way; `make test-vllm` runs this.

The model (SmolLM2, 135 million parameters) writes badly. What it shows is that everything fits:
vLLM comes up with the suite, answers by our schemas, what it says becomes a sound storyboard with
the plan's structure, and it goes with the suite.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from pathlib import Path

import psutil
import pytest
from command_line import CommandLine
from google.protobuf import json_format

from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_kit.testing import assert_eventually
from soundsight_kit.timeline import check_storyboard

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]

# Eager, since compiling takes minutes; a context as small as a small model has.
ARGUMENTS = "--enforce-eager --max-num-seqs 4 --max-model-len 3072"


async def test_a_real_model_writes_a_storyboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a song becomes a sound storyboard; the model's server ends with the suite."""
    folder = os.environ["SOUNDSIGHT_TEST_LLM"]
    monkeypatch.setenv("SOUNDSIGHT_VLLM_ARGS", ARGUMENTS)
    soundsight = CommandLine(tmp_path / "state", timeout_s=1700)
    part = (os.environ["SOUNDSIGHT_TEST_SONG"], "--from", "0:08", "--to", "0:20")

    started = time.monotonic()
    printed = soundsight.ok("storyboard", *part, "--llm", folder, "--json", "-")
    took_s = time.monotonic() - started
    storyboard = json_format.Parse(printed, Storyboard())
    check_storyboard(storyboard)
    assert storyboard.authorship.writer == "llm"
    assert storyboard.authorship.model_id == Path(folder).name
    assert storyboard.authorship.prompt_version
    assert [scene.id for scene in storyboard.scenes] == [
        f"s{index + 1:03d}" for index in range(len(storyboard.scenes))
    ]
    places = {place.id for place in storyboard.treatment.places}
    assert all(scene.place_id in places and scene.description for scene in storyboard.scenes)
    await assert_eventually(
        lambda: not any(folder in " ".join(_words(each)) for each in psutil.process_iter()),
        within_s=60.0,
    )

    said = (tmp_path / "state" / "logs" / "supervisor.log").read_text()
    loaded = re.search(r"loaded, after (\d+) s", said)
    assert loaded is not None
    log.info(f"loading {loaded[1]} s, all {took_s:.0f} s, {len(storyboard.scenes)} scenes")
    log.info("\n".join(storyboard.notes))
    for scene in storyboard.scenes:
        log.info(f"{scene.id}  {json.dumps(scene.description)}")


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
