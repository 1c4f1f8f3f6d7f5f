"""The language model of a suite: chosen by options, served by vLLM, gone with the suite."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil
import pytest
from command_line import CommandLine
from scripted_writer import MODEL, writing_model

from songsmith import first_light
from songsmith.files import write_song
from soundsight_cli.child import SuiteError
from soundsight_cli.languagemodel import ENVIRONMENT, LanguageModel, choose, only_model
from soundsight_kit.testing import assert_eventually

SUPPORT = Path(__file__).parents[2] / "services" / "scenewriter" / "tests" / "support"

# Takes the place of vLLM: the same command line, the same paths, and a child of its own.
PROGRAM = f"""#!{sys.executable}
import signal, subprocess, sys, threading
sys.path.insert(0, {str(SUPPORT)!r})
from scripted_writer import WritingModel
from soundsight_kit.testing_languagemodel import serving_model
assert sys.argv[1] == "serve", sys.argv
if "broken" in sys.argv[2]:
    sys.exit("the weights are not those of a model")
told = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())
engine = subprocess.Popen(["sleep", "997.25"])
port = int(sys.argv[sys.argv.index("--port") + 1])
name = sys.argv[sys.argv.index("--served-model-name") + 1]
with serving_model(WritingModel(name=name), port):
    told.wait()
"""


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example song."""
    return write_song(first_light(), tmp_path_factory.mktemp("song"), "first-light")[0]


@pytest.fixture
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with a program `vllm`; beside it a folder with a model."""
    program = tmp_path / "vllm" / "bin" / "vllm"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setenv(ENVIRONMENT, str(program.parents[1]))
    for name in ("tiny", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    return tmp_path


async def test_a_model_is_served_as_long_as_the_suite(
    vllm: Path, song: Path, tmp_path: Path
) -> None:
    """`--llm FOLDER` serves the model, has it write the storyboard, and leaves no process."""
    soundsight = CommandLine(tmp_path / "state")
    part = (song, "--from", "0:00", "--to", "0:08")
    printed = soundsight.ok("storyboard", *part, "--llm", vllm / "tiny", "--json", "-")
    authorship = json.loads(printed)["authorship"]
    assert (authorship["writer"], authorship["model_id"]) == ("llm", "tiny")
    await assert_eventually(lambda: not [p for p in psutil.process_iter() if "997.25" in _words(p)])


def test_a_model_that_cannot_be_loaded_is_told(vllm: Path, song: Path, tmp_path: Path) -> None:
    """When vLLM ends at once the command says what its log said last."""
    soundsight = CommandLine(tmp_path / "state")
    done = soundsight("storyboard", song, "--llm", vllm / "broken", "--json", "-")
    assert done.returncode == 1
    assert "the language model cannot start: the weights are not those" in done.stderr


def test_a_running_model_is_used(song: Path, tmp_path: Path) -> None:
    """`--llm-url URL` has the model there write; its name is found out where there is but one."""
    with writing_model() as model:
        soundsight = CommandLine(tmp_path / "state")
        part = (song, "--from", "0:00", "--to", "0:08")
        printed = soundsight.ok("storyboard", *part, "--llm-url", model.url, "--json", "-")
        assert json.loads(printed)["authorship"]["model_id"] == MODEL
        assert model.requests
        assert only_model(model.url) == MODEL


def test_what_is_missing_is_told(
    vllm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options that contradict each other, and what is not there, are told in a line each."""
    assert choose(None, None, None) is None
    assert choose("org/model", None, None) == LanguageModel(source="org/model")
    with pytest.raises(SuiteError, match="give one"):
        choose("org/model", "http://there/v1", None)
    with pytest.raises(SuiteError, match="--llm-url"):
        choose(None, None, "name")
    with pytest.raises(SuiteError, match="no folder"):
        choose("./nowhere", None, None)
    with pytest.raises(SuiteError, match=r"config\.json"):
        choose(str(vllm), None, None)
    with pytest.raises(SuiteError, match="no language model answers"):
        choose(None, "http://127.0.0.1:9/v1", None)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "none"))
    with pytest.raises(SuiteError, match="make setup-vllm"):
        choose("org/model", None, None)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
