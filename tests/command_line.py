"""The command line as tests use it, on a state folder of their own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

RENDER_TIMEOUT_S = 600


@dataclass(frozen=True)
class CommandLine:
    """The `soundsight` command on one state folder."""

    state: Path
    timeout_s: float = RENDER_TIMEOUT_S

    def arguments(self, *words: str | Path) -> list[str]:
        """Returns the command's argument list."""
        first = [sys.executable, "-m", "soundsight_cli", "--state-dir", str(self.state)]
        return [*first, *map(str, words)]

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs the command to its end, whatever that is."""
        return subprocess.run(
            self.arguments(*words), capture_output=True, text=True, timeout=self.timeout_s
        )

    def ok(self, *words: str | Path) -> str:
        """Runs the command, which must succeed; returns what it printed."""
        done = self(*words)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        """Returns the ends of the suite's logs, to be shown when something failed."""
        parts = []
        for log in sorted((self.state / "logs").glob("*.log")):
            parts.append(f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-15:]))
        return "\n".join(parts)


@dataclass(frozen=True)
class Example:
    """The example song, rendered once for all tests that look at the result."""

    song: Path
    beats_s: list[float]
    video: Path
    printed: str
    command_line: CommandLine
