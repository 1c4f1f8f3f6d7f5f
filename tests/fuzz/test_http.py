"""Whatever is asked of the gateway over HTTP, it answers or says what is wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from fuzz.gateways import PARENT, RENDER, UPLOAD, Gateway, song
from fuzz.http_requests import HttpRequest
from fuzz.http_sending import Answer, answers, check, exchange, held
from fuzz.http_strategies import Wire, broken, good, wires
from fuzz.sending import CASES, SEED, TIMEOUT_S
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning
from structlog.testing import LogCapture

from soundsight_gateway.http import calls
from soundsight_gateway.http.requests import request_of
from soundsight_kit.testing import assert_eventually

log = logging.getLogger("fuzz")
pytestmark = pytest.mark.timeout(TIMEOUT_S)

PATIENCE_S = 0.1
"""How long to wait for an answer to what may be no whole request."""
EVENTS = (("Accept", "text/event-stream"),)
AS_WAV = (("Connection", "keep-alive"), ("Content-Type", "audio/wav"))


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """A gateway that all tests here ask. It was asked before, and so knows its services."""
    with Gateway() as target:
        for wire in good(target):
            ask(target, wire)
        yield target


@pytest.fixture
def faults(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[Any]]]:
    """Gives what was logged as a fault since it was last asked."""
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[capture])

    def take() -> list[Any]:
        records = [record for record in caplog.records if record.levelno >= logging.ERROR]
        taken = [*capture.entries, *records]
        capture.entries.clear()
        caplog.clear()
        return taken

    yield take
    structlog.configure(processors=before)


def ask(gateway: Gateway, wire: Wire) -> Answer:
    """Sends a whole request, and gives its one answer."""
    received = gateway.run(exchange(gateway.http, [wire.written()]))
    [answer] = answers(received, to_head=wire.is_head)
    return answer


def repeat(sent: st.SearchStrategy[Any], test: Callable[[Any], None], cases: int) -> None:
    """Runs a test with whatever a strategy gives. A failure names the seed that finds it again."""
    made = settings(
        max_examples=max(1, cases),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HypothesisWarning)
            seed(SEED)(made(given(sent)(test)))()
    except BaseException as failure:
        failure.add_note(f"again with SOUNDSIGHT_FUZZ_SEED={SEED}")
        raise


def check_nothing_is_left(gateway: Gateway, before: tuple[int, int]) -> None:
    """Fails unless the gateway serves, and holds no more tasks and sockets than before."""

    async def settled() -> bool:
        tasks, sockets = held()
        return tasks <= before[0] and sockets <= before[1]

    gateway.run(assert_eventually(settled, message=f"{before} before"))
    [answer] = answers(
        gateway.run(exchange(gateway.http, [b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"]))
    )
    assert json.loads(answer.body) == {"status": "SERVING"}


async def counted() -> tuple[int, int]:
    """What is held now, in the loop."""
    return held()


def test_good_requests_are_good(gateway: Gateway) -> None:
    """The requests that the others are made of are mostly answered with success."""
    refused = Counter(ask(gateway, wire).reason for wire in good(gateway))
    assert refused[""] > sum(refused.values()) / 3, refused


def test_an_upload_may_be_answered_before_it_has_come(
    gateway: Gateway, faults: Callable[[], list[Any]]
) -> None:
    """Who has an answer although not all is sent may send on, and ask more over the connection."""
    body = song()
    head = Wire(HttpRequest("PUT", f"/v1/{PARENT}/uploads/{UPLOAD}", body), AS_WAV).written()
    head = head.removesuffix(body)
    last = Wire(HttpRequest("GET", f"/v1/{PARENT}/uploads/{UPLOAD}")).written()

    async def send() -> bytes:
        host, _, port = gateway.http.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head)
        received = await reader.readuntil(b"}")
        await asyncio.sleep(0.05)
        writer.write(body + last)
        received += await reader.read()
        writer.close()
        await writer.wait_closed()
        return received

    early, later = answers(gateway.run(send()))
    assert (early.status, later.status) == (200, 200)
    assert not faults()


def test_who_leaves_leaves_nothing(gateway: Gateway, faults: Callable[[], list[Any]]) -> None:
    """Of callers that go away in the middle of an upload, a download or a watch nothing is left,
    and nothing is logged as a fault."""
    body = os.urandom(1 << 20)
    path = f"/v1/{PARENT}/uploads/upload-0009"
    [stored] = answers(
        gateway.run(exchange(gateway.http, [Wire(HttpRequest("PUT", path, body)).written()]))
    )
    uri = quote(json.loads(stored.body)["artifact"]["uri"])
    sent = [
        Wire(HttpRequest("GET", f"/v1/{PARENT}/artifacts:download?uri={uri}")).written(),
        Wire(HttpRequest("PUT", f"{path}0", body)).written()[: 1 << 19],
        Wire(HttpRequest("GET", f"/v1/{RENDER}:watch"), EVENTS).written(),
        Wire(HttpRequest("GET", f"/v1/{RENDER}")).written(),
    ]

    async def leave(data: bytes, after_bytes: int) -> None:
        host, _, port = gateway.http.rpartition(":")
        with socket.socket() as small:
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            small.setblocking(False)
            await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
            reader, writer = await asyncio.open_connection(sock=small)
            writer.write(data)
            if after_bytes:
                await reader.read(after_bytes)
            writer.transport.abort()

    before = gateway.run(counted())
    for data in sent:
        for after_bytes in (0, 0, 1, 1000):
            if not after_bytes or data is not sent[1]:
                gateway.run(leave(data, after_bytes))
    check_nothing_is_left(gateway, before)
    assert not faults()


def test_no_bytes_break_it(gateway: Gateway, faults: Callable[[], list[Any]]) -> None:
    """Bytes that may be no request at all get answers meant for callers or none; nothing is left
    of them, and nothing is logged as a fault."""

    def send(case: tuple[list[bytes], bool]) -> None:
        pieces, leave = case
        sent = gateway.run(exchange(gateway.http, pieces, patience_s=PATIENCE_S, leave=leave))
        status, _, _ = sent.partition(b"\r\n")
        assert not status or status.startswith(b"HTTP/"), sent[:200]
        assert status[9:12] not in (b"500", b"502", b"503", b"504"), sent
        assert not faults()

    before = gateway.run(counted())
    repeat(st.tuples(broken(gateway), st.booleans()), send, CASES // 10)
    check_nothing_is_left(gateway, before)


def test_a_large_body_holds_nobody_up(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is read, which may take seconds, other requests are answered."""
    begun, others_answered = threading.Event(), threading.Event()

    def read(*arguments: Any) -> Message:
        begun.set()
        assert others_answered.wait(timeout=60), "nothing was answered meanwhile"
        return request_of(*arguments)

    async def ask_both() -> bytes:
        large = json.dumps({"notes": ["x"] * calls.SMALL_BYTES}).encode()
        wire = Wire(HttpRequest("POST", f"/v1/{PARENT}/renders", large))
        with monkeypatch.context() as patched:
            patched.setattr(calls, "request_of", read)
            slow = asyncio.create_task(exchange(gateway.http, [wire.written()]))
            await asyncio.to_thread(begun.wait, 60)
        await exchange(gateway.http, [Wire(HttpRequest("GET", f"/v1/{RENDER}")).written()])
        others_answered.set()
        return await slow

    [answer] = answers(gateway.run(ask_both()))
    assert answer.status == 400
    check(answer)


def test_large_bodies_wait_for_their_turn(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is read at a time, of whichever method, although the caller before has left."""
    reading: list[int] = []
    let_go = threading.Event()

    def read(*arguments: Any) -> Message:
        if len(arguments[-1]) > calls.SMALL_BYTES:
            reading.append(1)
            assert let_go.wait(timeout=60)
        return request_of(*arguments)

    async def ask_both() -> bytes:
        large = json.dumps({"notes": ["x"] * calls.SMALL_BYTES}).encode()
        first, last = (
            Wire(HttpRequest("POST", f"/v1/{path}", large)).written()
            for path in (f"{PARENT}/renders", f"{RENDER}:cancel")
        )
        host, _, port = gateway.http.rpartition(":")
        with monkeypatch.context() as patched:
            patched.setattr(calls, "request_of", read)
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(first)
            await assert_eventually(lambda: bool(reading))
            writer.transport.abort()
            waiting = asyncio.create_task(exchange(gateway.http, [last]))
            for _ in range(3):
                await exchange(gateway.http, [Wire(HttpRequest("GET", f"/v1/{RENDER}")).written()])
            await asyncio.sleep(0.2)
            assert len(reading) == 1
            let_go.set()
            return await waiting

    [answer] = answers(gateway.run(ask_both()))
    assert (answer.status, len(reading)) == (400, 2)


def test_a_body_that_does_not_come_is_not_waited_for(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever announces one and sends nothing is told so, and holds nothing."""
    monkeypatch.setattr(calls, "BODY_TIMEOUT_S", 0.05)
    head = Wire(HttpRequest("POST", f"/v1/{RENDER}:cancel", b"{}")).written()[:-1]
    [answer] = answers(gateway.run(exchange(gateway.http, [head], patience_s=5.0)))
    assert (answer.status, answer.reason) == (408, "BODY_TOO_SLOW")
    check(answer)


@pytest.mark.parametrize("deleting", [False, True], ids=["other", "deleting"])
def test_nothing_breaks_it(
    gateway: Gateway, faults: Callable[[], list[Any]], deleting: bool
) -> None:
    """Whole requests of any route, with anything in them, get one answer each: of success, or a
    problem that names its status. Nothing is left of them, and nothing is logged as a fault."""
    got: Counter[tuple[int, str]] = Counter()

    def send(wire: Wire) -> None:
        answer = ask(gateway, wire)
        got[answer.status, answer.reason] += 1
        check(answer, to_head=wire.is_head)
        assert not faults()

    before = gateway.run(counted())
    repeat(wires(gateway, deleting=deleting), send, CASES // 20 if deleting else CASES // 2)
    check_nothing_is_left(gateway, before)
    log.info("HTTP, seed %d: %s", SEED, got.most_common())
