"""The mezzanine format: clips encoded so that they are cut and joined by stream copy.

`H264Writer` turns pictures into such a clip. Settings and their meaning are in `encoder`, the
reading side is in `bitstream`; their public names are repeated here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import threading
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from soundsight.common.v1 import common_pb2
from soundsight_kit.errors import Cancelled, DeadlineExceeded, Internal, InvalidArgument
from soundsight_kit.media import ffmpeg
from soundsight_kit.media.bitstream import StreamSignature, stream_signature
from soundsight_kit.media.encoder import (
    check_encoder_settings,
    default_encoder_settings,
    h264_level,
    x264_options,
)
from soundsight_kit.media.processes import STDERR_TAIL_LINES

__all__ = [
    "H264Writer",
    "StreamSignature",
    "WrittenClip",
    "check_encoder_settings",
    "default_encoder_settings",
    "h264_level",
    "stream_signature",
]

_PIPE_BYTES = 1 << 20
_REAP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class WrittenClip:
    """A finished clip file."""

    path: Path
    frames: int
    size_bytes: int


class H264Writer:
    """Pictures in, a mezzanine MP4 out, through an ffmpeg child.

    Blocking, meant for a worker thread or process: `write` waits while the encoder is behind.
    `abort` may be called from any thread. As a context manager it finishes the file on a clean
    exit and removes it otherwise:

        with H264Writer(path, settings=s, width=w, height=h, rate=Fraction(24),
                        frames=n, keyframes=(handle_in, handle_in + shot)) as writer:
            for picture in pictures:
                writer.write(picture)
        writer.result  # WrittenClip

    A picture is I420 (BT.709, 16 to 235: h * w * 3 / 2 bytes in any shape) or, with
    `pixel_format="rgb24"`, RGB of shape (h, w, 3); anything with the buffer protocol.
    Frame 0 is always an IDR frame; `keyframes` adds more. The same pictures and settings give
    the same bytes. The destination appears only when the clip is whole.
    """

    def __init__(
        self,
        destination: Path,
        *,
        settings: common_pb2.EncoderSettings,
        width: int,
        height: int,
        rate: Fraction,
        frames: int,
        keyframes: Collection[int] = (),
        pixel_format: Literal["yuv420p", "rgb24"] = "yuv420p",
        timeout_s: float = 3600.0,
        own_group: bool = True,
    ) -> None:
        """Starts the encoder. `frames` is the exact count to come; a keyframe equal to it (a
        boundary with no frames behind it) is ignored. `own_group` False leaves the encoder in
        this process's group, so that whoever kills that group kills the encoder too.

        Raises InvalidArgument for settings, sizes or keyframes that cannot be kept.
        """
        check_encoder_settings(settings, width, height, rate)
        if frames < 1:
            raise InvalidArgument("a clip has at least one frame", field="frames")
        if any(not 0 <= frame <= frames for frame in keyframes):
            raise InvalidArgument(f"keyframes must lie in 0 to {frames}", field="keyframes")
        self._destination = destination
        self._part = destination.with_name(destination.name + ".part")
        self._frames = frames
        self._picture_bytes = width * height * 3 // (2 if pixel_format == "yuv420p" else 1)
        self._written = 0
        self._result: WrittenClip | None = None
        self._aborted = False
        self._timed_out = False
        self._pipe_lock = threading.Lock()
        self._tail: deque[str] = deque(maxlen=STDERR_TAIL_LINES)
        self._timeout_s = timeout_s
        job = ffmpeg.raw_video_output(
            self._part,
            pixel_format=pixel_format,
            width=width,
            height=height,
            rate=rate,
            timescale=settings.timescale,
            options=x264_options(settings, [frame for frame in keyframes if frame < frames]),
        )
        self._process = subprocess.Popen(
            ffmpeg.command(job),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=own_group,
        )
        assert self._process.stdin is not None and self._process.stderr is not None
        self._stdin = self._process.stdin
        with contextlib.suppress(OSError, AttributeError):
            # A deeper pipe spares the encoder from waiting; the default holds 64 KiB.
            fcntl.fcntl(self._stdin.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._drain = threading.Thread(
            target=self._read_stderr, args=(self._process.stderr,), daemon=True
        )
        self._drain.start()
        self._watchdog = threading.Timer(timeout_s, self._time_out)
        self._watchdog.daemon = True
        self._watchdog.start()

    @property
    def result(self) -> WrittenClip:
        """The finished clip; raises Internal before `close`."""
        if self._result is None:
            raise Internal("the clip is not finished")
        return self._result

    @property
    def pid(self) -> int:
        """Process id of the encoder."""
        return self._process.pid

    @property
    def written_frames(self) -> int:
        """Pictures taken so far."""
        return self._written

    def write(self, picture: NDArray[Any] | bytes | memoryview) -> None:
        """Sends one picture; waits while the encoder is behind.

        Raises InvalidArgument for a picture of the wrong size or one too many, and what ended
        the encoder when it is gone.
        """
        data = picture.data if isinstance(picture, np.ndarray) else memoryview(picture)
        if data.nbytes != self._picture_bytes:
            raise InvalidArgument(
                f"a picture has {self._picture_bytes} bytes here, this one has {data.nbytes}"
            )
        if self._written >= self._frames:
            raise InvalidArgument(f"this clip was announced with {self._frames} frames")
        if not data.contiguous:
            data = memoryview(data.tobytes())
        data = data.cast("B")
        with self._pipe_lock:
            try:
                while data:
                    data = data[os.write(self._stdin.fileno(), data) :]
            except (OSError, ValueError):
                # A broken pipe, or one closed by abort(): how the encoder ended says why.
                self._finish_process()
                raise self._failure() from None
        self._written += 1

    def close(self) -> WrittenClip:
        """Finishes the file.

        Raises Internal when fewer pictures came than announced or the encoder failed; nothing is
        left behind then.
        """
        if self._result is not None:
            return self._result
        try:
            if self._written != self._frames and not self._aborted:
                raise Internal(f"{self._written} pictures came, {self._frames} were announced")
            with contextlib.suppress(OSError):
                self._stdin.close()
            self._process.wait()
            self._finish_process()
            if self._process.returncode != 0 or self._aborted:
                raise self._failure()
            size_bytes = self._part.stat().st_size
            self._part.replace(self._destination)
        except BaseException:
            self.abort()
            raise
        self._result = WrittenClip(self._destination, self._frames, size_bytes)
        return self._result

    def abort(self) -> None:
        """Kills the encoder and removes what it wrote; safe from any thread, at any time.

        A finished clip stays.
        """
        if self._result is not None:
            return
        self._aborted = True
        self._kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_TIMEOUT_S)
        self._watchdog.cancel()
        with self._pipe_lock, contextlib.suppress(OSError):
            # Killing the reader has freed a blocked write. The pipe is closed under the lock: its
            # number must not be reused while another thread writes to it.
            self._stdin.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def _kill(self) -> None:
        # ffmpeg starts no processes of its own: killing it kills all.
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _read_stderr(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._tail.append(line.decode("utf-8", "replace").rstrip())

    def _time_out(self) -> None:
        self._timed_out = True
        self._kill()

    def _finish_process(self) -> None:
        """Reaps the child and its helpers."""
        try:
            self._process.wait(_REAP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        self._watchdog.cancel()
        self._drain.join(_REAP_TIMEOUT_S)

    def _failure(self) -> Exception:
        if self._timed_out:
            return DeadlineExceeded(f"encoding took longer than {self._timeout_s:g} s")
        if self._aborted:
            return Cancelled("encoding was stopped")
        return ffmpeg.failure("encoding", self._process.returncode, "\n".join(self._tail))
