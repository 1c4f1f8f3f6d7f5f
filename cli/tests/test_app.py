"""What can be typed: help, versions, completion, and what is answered to what was mistyped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

COMMANDS = ("render", "resume", "analyze", "storyboard", "serve", "info", "doctor", "clean")
PROGRAM = Path(sys.executable).with_name("soundsight")


def soundsight(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the installed program in a wide, colourless terminal's environment."""
    return subprocess.run(
        [PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", **environment},
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(command: str) -> None:
    """`--help` of every command shows whole examples of that command, each on a line."""
    shown = soundsight(command, "--help")
    assert shown.returncode == 0
    examples = shown.stdout.split("Examples:")[1].split("╭")[0].strip().splitlines()
    assert examples
    for example in examples:
        assert re.match(rf"soundsight (--\S+ \S+ )?{command}\b", example.strip()), example


def test_help_groups_the_commands() -> None:
    """`--help` lists every command, those that make something apart from the others."""
    shown = soundsight("--help").stdout
    making, looking_after = shown.split("Make something of a song")[1].split("Look after")
    named = [re.findall(rf"│ ({'|'.join(COMMANDS)}) ", part) for part in (making, looking_after)]
    assert named == [
        ["render", "resume", "analyze", "storyboard"],
        ["serve", "info", "doctor", "clean"],
    ]


def test_help_shows_the_defaults_of_a_render() -> None:
    """What happens without an option is said at the option."""
    shown = " ".join(soundsight("render", "--help").stdout.split())
    for default in ("SONG's name.mp4", "1280", "720", "24", "standard"):
        assert re.search(rf"\[default: \(?{default}\)?\]", shown), default


def test_the_version_is_the_distributions() -> None:
    """`--version` prints the name and the version that is installed."""
    assert soundsight("--version").stdout == f"soundsight {metadata.version('soundsight')}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rendr",), "No such command 'rendr'. Did you mean 'render'?; see `soundsight --help`"),
        (("render",), "Missing argument 'SONG'; see `soundsight render --help`"),
        (("render", "--nix", "x"), "No such option: --nix; see `soundsight render --help`"),
        (("clean", "--all", "--older-than", "3"), "--all removes everything"),
        (("clean", "--older-than", "-3"), "--older-than"),
    ],
)
def test_what_is_mistyped_is_told_in_one_line(words: tuple[str, ...], told: str) -> None:
    """A wrong command line ends with code 2 and one line that says where to look."""
    done = soundsight(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("soundsight: ")
    assert told in done.stderr


def test_without_a_command_the_help_is_shown() -> None:
    """`soundsight` alone shows the help and nothing that looks like a failure."""
    done = soundsight()
    assert "Usage: soundsight" in done.stdout + done.stderr
    assert "Error" not in done.stdout + done.stderr


def completed(*typed: str) -> list[str]:
    """What bash offers after these words, asked with the script that `--show-completion` gives."""
    words = " ".join(f"'{word}'" for word in ("soundsight", *typed))
    script = (
        'eval "$(soundsight --show-completion)"\n'
        f"COMP_WORDS=({words}) COMP_CWORD={len(typed)}\n"
        '_soundsight_completion soundsight\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_bash_completes_commands_and_values() -> None:
    """In bash `soundsight ren` becomes render, and `--quality d` becomes draft."""
    assert completed("ren") == ["render"]
    assert completed("render", "song.mp3", "--quality", "d") == ["draft"]
    assert "--timings" in completed("render", "--tim")


def test_zsh_completes_commands() -> None:
    """Asked as its zsh script asks, the program offers render with what it does."""
    done = soundsight(_SOUNDSIGHT_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="soundsight ren")
    assert '"render":"Render SONG into a music video."' in done.stdout


def test_completion_can_be_installed(tmp_path: Path) -> None:
    """`--install-completion` puts a script where a new bash finds it."""
    done = subprocess.run(
        ["bash", "-c", f"{PROGRAM} --install-completion; true"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert "bash completion installed" in done.stdout, done.stderr
    assert "soundsight.sh" in (tmp_path / ".bashrc").read_text()


@pytest.mark.parametrize("command", ["render", "analyze", "storyboard"])
def test_a_missing_song_costs_nothing(command: str, tmp_path: Path) -> None:
    """A song that does not exist is told in one line, before any suite is started."""
    state = tmp_path / "state"
    done = soundsight("--state-dir", str(state), command, str(tmp_path / "song.mp3"))
    assert done.returncode == 1
    assert done.stderr == (
        f"soundsight: {tmp_path / 'song.mp3'} does not exist; check its name and folder\n"
    )
    assert not state.exists()


def test_a_gateway_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """A gateway that cannot be reached ends the command at once, saying which and what to do."""
    song = tmp_path / "song.mp3"
    song.write_bytes(b"x")
    done = soundsight("--gateway", "127.0.0.1:1", "storyboard", "-q", str(song))
    assert done.returncode == 1
    assert "no gateway answers at 127.0.0.1:1" in done.stderr
    assert "check --gateway" in done.stderr


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A wrong setting is told with the service, the setting and the log, in one line."""
    song = tmp_path / "song.mp3"
    song.write_bytes(b"x")
    done = soundsight(
        *("--state-dir", str(tmp_path / "state"), "analyze", "-q", str(song)),
        SOUNDSIGHT_SCENEWRITER_SLOTS="many",
        SOUNDSIGHT_LOG_LEVEL="loud",
    )
    assert done.returncode == 1
    assert re.fullmatch(
        r"soundsight: the \w+ service cannot start: SOUNDSIGHT_\w+='\w+': .* "
        rf"\(see {tmp_path}/state/logs/\w+\.log\)\n",
        done.stderr,
    )
