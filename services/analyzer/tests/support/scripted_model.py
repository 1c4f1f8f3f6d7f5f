"""A server that speaks OpenAI's chat completions as an audio language model does, by a script.

It checks what it is sent as a real one would, decodes the sound, and misbehaves when told to.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

MODEL = "scripted/qwen2-audio"


@dataclass(frozen=True)
class Heard:
    """One stretch of sound that came in."""

    rate_hz: int
    channels: int
    seconds: float
    rms: float
    prompt: str


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP; ``after_s`` later. A status of 0 closes the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    after_s: float = 0.0


def says(content: str) -> Reply:
    """A completion with this content."""
    message = {"role": "assistant", "content": content}
    completion = {
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }
    return Reply(body=json.dumps(completion).encode())


Script = Callable[[dict[str, Any]], "Reply | None"]
"""Told a request's body; returns how to misbehave, or None to answer well."""


@dataclass
class ScriptedModel:
    """What the server was sent, and its script."""

    url: str = ""
    script: Script = lambda _: None
    heard: list[Heard] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    at_work: int = 0
    most_at_work: int = 0
    abandoned: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: dict[str, Any]) -> Reply:
        """A good answer: JSON by the schema that was asked for."""
        name = body["response_format"]["json_schema"]["name"]
        count = len(self.requests)
        if name == "passage":
            return says(json.dumps({"text": f"A street at dusk, number {count}."}))
        prompt = str(body["messages"])
        numbers = [n for n in range(1000) if f"Part {n}:" in prompt or f"Part {n} (" in prompt]
        parts = [{"number": n, "text": f"Part {n} goes on."} for n in numbers]
        return says(json.dumps({"summary": "A day in a town.", "parts": parts}))

    def take(self, body: dict[str, Any]) -> Reply:
        with self.lock:
            self.requests.append(body)
            sound = sound_of(body)
            if sound is not None:
                self.heard.append(sound)
            reply = self.script(body)
            return reply if reply is not None else self.answer(body)


def sound_of(body: dict[str, Any]) -> Heard | None:
    """The sound in a request, decoded; None when there is none."""
    for message in body["messages"]:
        if isinstance(message["content"], str):
            continue
        text = " ".join(part.get("text", "") for part in message["content"])
        for part in message["content"]:
            if part["type"] == "input_audio":
                assert part["input_audio"]["format"] == "wav"
                data = base64.b64decode(part["input_audio"]["data"], validate=True)
                with wave.open(io.BytesIO(data)) as reader:
                    frames = reader.readframes(reader.getnframes())
                    samples = np.frombuffer(frames, dtype="<i2").astype(np.float64)
                    return Heard(
                        rate_hz=reader.getframerate(),
                        channels=reader.getnchannels(),
                        seconds=reader.getnframes() / reader.getframerate(),
                        rms=float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0,
                        prompt=text,
                    )
    return None


@contextmanager
def scripted_model() -> Iterator[ScriptedModel]:
    """A running server on the loopback interface."""
    model = ScriptedModel()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(Reply(body=b'{"object":"list","data":[]}'))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            model.keys.add(self.headers.get("Authorization", ""))
            with model.lock:
                model.at_work += 1
                model.most_at_work = max(model.most_at_work, model.at_work)
            try:
                self._send(model.take(body))
            finally:
                with model.lock:
                    model.at_work -= 1

        def _send(self, reply: Reply) -> None:
            if not reply.status or not self._waited(reply.after_s):
                self.close_connection = True
                return
            try:
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:
                model.abandoned += 1

        def _waited(self, seconds: float) -> bool:
            """Waits; returns whether the caller is still there."""
            self.connection.settimeout(0.02)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                try:
                    if not self.connection.recv(1):
                        model.abandoned += 1
                        return False
                except TimeoutError:
                    continue
            self.connection.settimeout(None)
            return True

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
