"""Children of the suite end with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil

from soundsight_cli import end_with_parent

WRAPPED = (sys.executable, "-I", "-S", str(end_with_parent.__file__))
# Starts what is given, as its own child; says the number of that, and waits.
STARTER = """
import os, subprocess, sys, time

child = subprocess.Popen([*sys.argv[1:5], str(os.getpid()), *sys.argv[5:]])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_command_ends_when_its_starter_is_killed() -> None:
    """Nobody tells it to: the kernel does."""
    sleeping = (sys.executable, "-c", "import time; time.sleep(600)")
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, *WRAPPED, *sleeping], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        child = psutil.Process(int(starter.stdout.readline()))
        while "end_with_parent" in " ".join(child.cmdline()):
            pass
        starter.kill()
    psutil.wait_procs([child], timeout=60)
    assert not child.is_running()


def test_who_comes_after_its_starters_death_does_not_begin() -> None:
    """What was started by a process that is gone says so instead of running for nobody."""
    done = subprocess.run(
        [*WRAPPED, "1", sys.executable, "-c", "print('ran')"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "died" in done.stderr


def test_the_command_is_the_process() -> None:
    """It has the number that its starter knows, its arguments, and the signals that reach it."""
    program = (
        "import os, sys, signal; print(os.getpid(), *sys.argv[1:], flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [*WRAPPED, str(os.getpid()), sys.executable, "-c", program, "a b", "--c"],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == f"{child.pid} a b --c\n"
        child.send_signal(signal.SIGTERM)
    assert child.returncode == -signal.SIGTERM
