"""A server for tests that speaks OpenAI's chat completions and moderations, by a script.

It streams when it is asked to, misbehaves when told to, and counts callers who hang up.
"""

from __future__ import annotations

import abc
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE_CHARACTERS = 16


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP; ``after_s`` later. A status of 0 closes the connection instead.

    A completion that is streamed stops for ``stall_s`` after its first piece.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    after_s: float = 0.0
    stall_s: float = 0.0


def says(content: str, *, finish_reason: str = "stop", stall_s: float = 0.0) -> Reply:
    """A completion with this content."""
    message = {"role": "assistant", "content": content}
    completion = {
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": message}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }
    return Reply(body=json.dumps(completion).encode(), stall_s=stall_s)


Script = Callable[[dict[str, Any]], "Reply | None"]
"""Told a request's body; returns how to misbehave, or None to answer well."""


@dataclass
class ScriptedModel(abc.ABC):
    """What the server was sent, and its script. A subclass says what a good answer is."""

    url: str = ""
    name: str = "scripted/model"
    context_tokens: int = 0
    script: Script = lambda _: None
    flagged: Callable[[str], bool] = lambda _: False
    """Which texts the moderation objects to."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    moderated: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    at_work: int = 0
    most_at_work: int = 0
    abandoned: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @abc.abstractmethod
    def answer(self, body: dict[str, Any]) -> Reply:
        """A good answer: JSON by the schema that was asked for."""

    def take(self, body: dict[str, Any]) -> Reply:
        """What a chat request is answered with."""
        with self.lock:
            self.requests.append(body)
            reply = self.script(body)
            return reply if reply is not None else self.answer(body)

    def moderate(self, body: dict[str, Any]) -> Reply:
        """What a moderation request is answered with."""
        texts = [body["input"]] if isinstance(body["input"], str) else list(body["input"])
        with self.lock:
            self.moderated += texts
        results = [
            {"flagged": self.flagged(text), "categories": {"violence": self.flagged(text)}}
            for text in texts
        ]
        return Reply(body=json.dumps({"id": "m", "model": "m", "results": results}).encode())

    def models(self) -> Reply:
        """The list of models, as vLLM gives it."""
        model: dict[str, Any] = {"id": self.name, "object": "model", "created": 0, "owned_by": "us"}
        if self.context_tokens:
            model["max_model_len"] = self.context_tokens
        return Reply(body=json.dumps({"object": "list", "data": [model]}).encode())


@contextmanager
def serving_model(model: ScriptedModel, port: int = 0) -> Iterator[None]:
    """Serves the model on the loopback interface, at any free port; its ``url`` says where."""

    class Handler(_Handler):
        scripted = model

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    scripted: ScriptedModel

    def do_GET(self) -> None:
        self._send(self.scripted.models())

    def do_POST(self) -> None:
        model = self.scripted
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        if self.path.endswith("/moderations"):
            self._send(model.moderate(body))
            return
        with model.lock:
            model.keys.add(self.headers.get("Authorization", ""))
            model.at_work += 1
            model.most_at_work = max(model.most_at_work, model.at_work)
        try:
            reply = model.take(body)
            if body.get("stream") and reply.status == 200 and _is_completion(reply.body):
                self._stream(reply)
            else:
                self._send(reply)
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
            self._hung_up()

    def _stream(self, reply: Reply) -> None:
        """Server-sent events: the content in pieces, the end, the usage."""
        completion = json.loads(reply.body)
        choice = completion["choices"][0]
        content = choice["message"]["content"]
        pieces = [
            content[at : at + _PIECE_CHARACTERS] for at in range(0, len(content), _PIECE_CHARACTERS)
        ]
        self.close_connection = True
        if not self._waited(reply.after_s):
            return
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for index, piece in enumerate(pieces):
                self._event({"choices": [{"index": 0, "delta": {"content": piece}}]})
                if index == 0 and reply.stall_s and not self._waited(reply.stall_s):
                    return
            end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
            self._event({"choices": [end]})
            self._event({"choices": [], "usage": completion["usage"]})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self._hung_up()

    def _event(self, fields: dict[str, Any]) -> None:
        chunk = {"id": "s", "object": "chat.completion.chunk", "created": 0, "model": "m", **fields}
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def _waited(self, seconds: float) -> bool:
        """Waits; returns whether the caller is still there."""
        self.connection.settimeout(0.02)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if not self.connection.recv(1):
                    self._hung_up()
                    return False
            except TimeoutError:
                continue
            except OSError:
                self._hung_up()
                return False
        self.connection.settimeout(None)
        return True

    def _hung_up(self) -> None:
        with self.scripted.lock:
            self.scripted.abandoned += 1

    def log_message(self, *_: object) -> None:
        return


def _is_completion(body: bytes) -> bool:
    try:
        return bool(json.loads(body).get("object") == "chat.completion")
    except (ValueError, AttributeError):
        return False
