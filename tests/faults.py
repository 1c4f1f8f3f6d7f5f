"""A render to which things happen: when it is how far, and what can be done to its suite then."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from command_line import CommandLine

from soundsight_cli.auditing import audit
from soundsight_cli.findings import Check
from soundsight_cli.state import StateFolder
from soundsight_cli.supervisor import SERVICES
from soundsight_kit.media.ffmpeg import ffmpeg_binary

LOOK_S = 0.01
"""How often a render is looked at: the shortest of its stages last some hundredths of a second."""

PATIENCE_S = 400.0
"""For whatever a render comes to, on a machine that has much else to do."""


@dataclass(frozen=True)
class Undisturbed:
    """What a render comes to when nothing happens to it."""

    pictures: str
    """Digest of all decoded frames."""
    sound: str
    clips: int


@dataclass(frozen=True)
class Rendering:
    """One command that renders one song, on a state folder of its own."""

    line: CommandLine
    song: Path
    video: Path
    options: tuple[str, ...]

    @property
    def state(self) -> StateFolder:
        """The state folder."""
        return StateFolder(self.line.state)

    def start(self) -> Running:
        """Gives the command."""
        told = self.video.with_suffix(".told")
        with told.open("wb") as out:
            process = subprocess.Popen(
                self.line.arguments("render", self.song, "-o", self.video, *self.options),
                stdout=out,
                stderr=out,
            )
        return Running(self, process, told)

    def clips(self) -> Counter[str]:
        """How often videogen has filmed each clip, by output key."""
        return Counter(_logged(self.state.logs / "videogen.log", "clip filmed", "output_key"))

    def filmed_for(self) -> list[str]:
        """The renders that videogen has filmed clips for, clip by clip."""
        return list(_logged(self.state.logs / "videogen.log", "clip filmed", "render"))

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for the state folder: the supervisor, services, their children."""
        found = []
        for process in psutil.process_iter():
            try:
                # Children of services inherit nothing of their environment but TMPDIR.
                scratch = process.environ().get("TMPDIR", "")
                if scratch.startswith(str(self.state.scratch)) or (
                    "serve" in process.cmdline() and str(self.state.root) in process.cmdline()
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def came_to(self) -> Undisturbed:
        """Measures the finished video."""
        return Undisturbed(
            pictures=_decoded(self.video, "v"),
            sound=_decoded(self.video, "a"),
            clips=len(self.clips()),
        )


@dataclass(frozen=True)
class Running:
    """A command under way."""

    rendering: Rendering
    process: subprocess.Popen[bytes]
    told_to: Path

    @property
    def told(self) -> str:
        """What it has printed."""
        return self.told_to.read_text(errors="replace")

    def wait_for(self, stage: Callable[[Running], bool]) -> None:
        """Returns when the render has come to a stage, which it must before its end."""
        deadline = time.monotonic() + PATIENCE_S
        while not stage(self):
            assert self.process.poll() is None, f"it ended before that:\n{self.told}"
            assert time.monotonic() < deadline, f"it never came to that:\n{self.told}"
            time.sleep(LOOK_S)

    def ends(self) -> int:
        """Waits for the command's end and returns its exit code."""
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"no end:\n{self.told}\n{self.rendering.line.logs()}") from None


def _printed(pattern: str) -> Callable[[Running], bool]:
    return lambda running: re.search(pattern, running.told) is not None


def _filmed(share: float) -> Callable[[Running], bool]:
    """Whether a share of the clips is filmed; 0 means that filming has begun."""

    def reached(running: Running) -> bool:
        found = re.search(r"filming: \d+ of (\d+) scenes", running.told)
        if found is None:
            return False
        return sum(running.rendering.clips().values()) >= share * int(found[1])

    return reached


STAGES: dict[str, Callable[[Running], bool]] = {
    "upload": _printed("sending the song"),
    "ingest": _printed("decoding the song"),
    "analysis": _printed("listening"),
    "writing": _printed("writing the storyboard"),
    "first clip": _filmed(0.0),
    "half the clips": _filmed(0.5),
    "last clip": _filmed(0.9),
    "composition": _printed("cutting the video"),
    "publishing": _printed("putting it in place"),
}
"""How a render is known to have come somewhere, in order."""

LAUNCHER = "the launcher's process group"
EVERYTHING = "every process of the suite"
TARGETS = (*SERVICES, LAUNCHER, EVERYTHING)


def victims(rendering: Rendering, target: str) -> list[psutil.Process]:
    """The processes of a target, the launcher before its services."""
    record = rendering.state.read_record()
    assert record is not None
    launcher = psutil.Process(record.pid)
    if target == LAUNCHER:
        return [launcher]
    if target == EVERYTHING:
        return [launcher, *launcher.children(recursive=True)]
    return [
        child
        for child in launcher.children()
        if f"soundsight_{target}" in " ".join(child.cmdline())
    ]


def send(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Sends a signal to processes that are still there."""
    for process in processes:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue


def left_behind(rendering: Rendering, *, stopped: bool = False) -> list[str]:
    """What is not as it should be once nobody uses the suite, whose end is waited for: what
    `soundsight doctor` would find, and files beside the video. That the render is not finished is
    as it should be when it was stopped."""
    deadline = time.monotonic() + PATIENCE_S
    while (running := rendering.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = [f"process {' '.join(process.cmdline())}" for process in running]
    left += [
        f"{finding.check.value}: {finding.what}"
        for finding in audit(rendering.state)
        if not (stopped and finding.check is Check.RENDERS)
    ]
    beside = rendering.video.parent.iterdir()
    names = {rendering.video.name, rendering.song.name, f"{rendering.video.stem}.told"}
    left += [str(path) for path in beside if path.is_file() and path.name not in names]
    return left


def _logged(log: Path, event: str, key: str) -> Iterator[str]:
    if not log.exists():
        return
    for text in log.read_text(errors="replace").splitlines():
        if event in text:
            yield json.loads(text)[key]


def _decoded(video: Path, stream: str) -> str:
    raw = subprocess.run(
        [ffmpeg_binary(), "-loglevel", "error", "-i", str(video), "-map", f"0:{stream}:0",
         "-f", "md5", "-"],
        check=True,
        capture_output=True,
    ).stdout  # fmt: skip
    return hashlib.sha256(raw).hexdigest()
