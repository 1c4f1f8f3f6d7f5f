"""Commands that manifests hold are run as they stand, by the programs that the images hold too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chart.rendering import only, pod, render_profile

PROGRAMS = Path(sys.executable).parent


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a container's command, its program taken from this environment."""
    words = [str(PROGRAMS / command[0]), *command[1:]]
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def test_pods_wait_for_the_mark_that_the_job_leaves(tmp_path: Path) -> None:
    """What the Job runs last ends the waiting of the pods."""
    manifests = render_profile("gpu")
    (marking,) = only(manifests, "Job")["spec"]["template"]["spec"]["containers"]
    (waiting,) = pod(manifests, "videogen-default").spec["initContainers"]
    mark = str(tmp_path) + marking["command"][-1].removeprefix("/models")
    waiter = subprocess.Popen([str(PROGRAMS / "python"), *waiting["command"][1:-1], mark])
    try:
        assert waiter.poll() is None
        assert run([*marking["command"][:-1], mark]).returncode == 0
        assert waiter.wait(timeout=60) == 0
    finally:
        waiter.kill()
        waiter.wait()
    assert run([*marking["command"][:-1], mark]).returncode == 0  # again, after an eviction


def test_the_job_asks_the_hub_in_its_own_words() -> None:
    """The hub's program knows every option that the Job gives it."""
    (job,) = [one for one in render_profile("gpu") if one["kind"] == "Job"]
    (fetching,) = job["spec"]["template"]["spec"]["initContainers"]
    options = ["--revision", "main", "--include", "*.json", "--include", "*.safetensors"]
    told = run([*fetching["command"], *options, "--help"])
    assert told.returncode == 0, told.stderr


def test_the_tests_of_a_release_can_be_typed(tmp_path: Path) -> None:
    """The command line takes the words of `helm test`, and gets as far as asking the gateway."""
    song = tmp_path / "song.flac"
    song.write_bytes(b"fLaC")
    test = pod(render_profile("gpu"), "test").spec
    (rendering,), (asking,) = test["containers"], test["initContainers"]
    words = [
        word.replace("/usr/share/soundsight/first-light.flac", str(song))
        .replace("s-soundsight-gateway:7000", f"unix:{tmp_path}/nobody")
        .replace("/tmp/video.mp4", str(tmp_path / "video.mp4"))
        for word in rendering["command"]
    ]
    told = run(words, SOUNDSIGHT_STATE_DIR=str(tmp_path / "state"))
    assert (told.returncode, "no gateway answers" in told.stderr) == (1, True), told.stderr
    nobody = [
        f"{word.partition('=')[0]}=unix:{tmp_path}/nobody" if "=" in word else word
        for word in asking["command"]
    ]
    told = run(nobody, SOUNDSIGHT_STATE_DIR=str(tmp_path / "state"))
    assert (told.returncode, told.stdout.count("does not answer")) == (1, 4), told.stderr
