"""The listening process: songs are listened to here, apart from the server.

Requests come as lines of JSON on standard input; frames go out on what was standard output. What
libraries print goes to standard error. When the server is gone, so is this process.
"""

from __future__ import annotations

import os
import queue
import resource
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeResponse
from soundsight.common.v1.common_pb2 import Progress
from soundsight_analyzer.frames import Kind, Request, write_frame
from soundsight_analyzer.listening import listen
from soundsight_analyzer.messages import to_analysis
from soundsight_analyzer.quiet import essentia_standard, has_essentia
from soundsight_kit.errors import FailedPrecondition

MEMORY_LIMIT_VARIABLE = "SOUNDSIGHT_ANALYZER_WORKER_LIMIT_BYTES"
_RETIRE_ABOVE_BYTES = 1 << 30
_CLAP_BYTES = 2 << 30
"""What PyTorch and a model may hold for good: loading them anew for each song takes longer."""


def main() -> None:
    """Listens to songs until standard input ends."""
    limit = int(os.environ.get(MEMORY_LIMIT_VARIABLE, "0"))
    if limit:
        # Only the soft limit: a GPU needs more, and its user lifts it.
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    if has_essentia():
        essentia_standard()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    while True:
        request = Request.from_json(requests.get())
        _serve(request, pipe)
        kept_for_good = _CLAP_BYTES if request.options.clap is not None else 0
        if _resident_bytes() > _RETIRE_ABOVE_BYTES + kept_for_good:
            write_frame(pipe, Kind.RETIRED)
            return
        write_frame(pipe, Kind.DONE)


def _serve(request: Request, pipe: BinaryIO) -> None:
    def report(stage: str, done: int, total: int) -> None:
        progress = Progress(stage=stage, done=done, total=total)
        write_frame(pipe, Kind.EVENT, AnalyzeResponse(progress=progress).SerializeToString())

    try:
        analysis = to_analysis(listen(request.song, request.options, report))
    except MemoryError:
        write_frame(pipe, Kind.FAILED, b"the song needs more memory than one process may have")
        return
    except FailedPrecondition as error:
        write_frame(pipe, Kind.UNREADY, error.message.encode())
        return
    write_frame(pipe, Kind.EVENT, AnalyzeResponse(analysis=analysis).SerializeToString())


def _read_requests(requests: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        requests.put(line)
    # The server is gone: nobody waits for what is being computed.
    os._exit(0)


def _resident_bytes() -> int:
    """Memory this process holds now; 0 where the system does not say.

    The peak that getrusage tells will not do: it starts with that of the server it came from.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
