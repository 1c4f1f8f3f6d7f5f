"""An HTTP server that speaks the OpenAI-style videos API, and misbehaves as its script says."""

from __future__ import annotations

import email
import email.policy
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from soundsight_kit.media.mezzanine import H264Writer, default_encoder_settings

LEVEL_OF_FRAME = 3
"""Frame n of a video is a flat grey of 20 + 3 n."""


@dataclass
class Script:
    """What the server does wrong, how often it is still to do so, and what it was asked.

    `refuse` are statuses that creating answers with, one after the other; `cut_off` fetches break
    off in the middle; `frames_short` frames are missing; `polls` questions are answered with "in
    progress" first, a negative number with nothing else.
    """

    refuse: list[int] = field(default_factory=list)
    cut_off: int = 0
    frames_short: int = 0
    polls: int = 1
    fails: str = ""
    garbage: bool = False
    fps: int = 0
    created: list[dict[str, str]] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    jobs: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)


def video(frames: int, fps: int, width: int, height: int) -> bytes:
    """A video whose every frame says its number by its grey."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.mp4"
        rate = Fraction(fps)
        with H264Writer(
            path,
            settings=default_encoder_settings("high", width=width, height=height, rate=rate),
            width=width,
            height=height,
            rate=rate,
            frames=frames,
            pixel_format="rgb24",
        ) as writer:
            for number in range(frames):
                grey = min(250, 20 + LEVEL_OF_FRAME * number)
                writer.write(np.full((height, width, 3), grey, np.uint8))
        return path.read_bytes()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def do_POST(self) -> None:
        script = self.script
        script.keys.add(self.headers.get("Authorization", ""))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if script.refuse:
            status = script.refuse.pop(0)
            error = {"error": {"message": f"refused with {status}"}}
            self._answer(status, error, {"Retry-After": "0.05"})
            return
        fields = self._fields(body)
        job = f"video_{len(script.created)}"
        script.created.append(fields)
        script.jobs[job] = fields
        self._answer(200, self._job(job, "queued", 0))

    def do_GET(self) -> None:
        script, parts = self.script, self.path.strip("/").split("/")
        job = parts[2]
        if job not in script.jobs:
            self._answer(404, {"error": {"message": "no such job"}})
        elif parts[-1] == "content":
            self._content(script.jobs[job])
        else:
            asked = script.asked[job] = script.asked.get(job, 0) + 1
            if script.polls < 0 or asked <= script.polls:
                self._answer(200, self._job(job, "in_progress", 10 * asked))
            elif script.fails:
                self._answer(200, self._job(job, "failed", 50))
            else:
                self._answer(200, self._job(job, "completed", 100))

    def do_DELETE(self) -> None:
        job = self.path.rpartition("/")[2]
        self.script.deleted.append(job)
        self.script.jobs.pop(job, None)
        self._answer(200, {"id": job, "object": "video.deleted", "deleted": True})

    def _content(self, fields: dict[str, str]) -> None:
        script = self.script
        data = b"no video at all" * 50
        if not script.garbage:
            data = video(
                int(fields["num_frames"]) - script.frames_short,
                script.fps or int(fields["fps"]),
                int(fields["width"]),
                int(fields["height"]),
            )
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if script.cut_off > 0:
            script.cut_off -= 1
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        self.wfile.write(data)

    def _fields(self, body: bytes) -> dict[str, str]:
        kind = self.headers["Content-Type"]
        message = email.message_from_bytes(
            b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP
        )
        fields = {}
        for part in message.iter_parts():
            name = str(part.get_param("name", header="content-disposition"))
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            if name == "input_reference":
                self.script.pictures.append(payload)
            else:
                fields[name] = payload.decode()
        return fields

    def _job(self, job: str, status: str, progress: int) -> dict[str, object]:
        error = {"code": "x", "message": self.script.fails} if status == "failed" else None
        return {
            "id": job,
            "object": "video",
            "status": status,
            "progress": progress,
            "created_at": 1,
            "model": "m",
            "seconds": "4",
            "size": "1280x720",
            "error": error,
        }

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Nothing is printed."""


@contextmanager
def videos_api(script: Script) -> Iterator[str]:
    """Serves the API on the loopback; yields its base URL."""
    handler = type("Handler", (_Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
