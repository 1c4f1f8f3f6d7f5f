"""Watching over HTTP: every state change once and in order, whatever breaks on the way."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from prometheus_client import REGISTRY

from soundsight_gateway.error_table import RENDER_SERVICE
from soundsight_gateway.http import streams
from soundsight_gateway.http.server import http_served
from soundsight_kit.testing import assert_eventually

EVENTS = {"Accept": "text/event-stream"}


def frames(body: bytes) -> list[dict[str, str]]:
    """The events of an event stream, as their fields."""
    return [
        dict(line.split(": ", 1) for line in frame.splitlines() if not line.startswith(":"))
        for frame in body.decode().split("\n\n")
        if frame.strip(":\n")
    ]


async def waiting_render(web: Any, bench: Any, song: bytes) -> str:
    """A render that waits at the analyzer; returns the path of its resource."""
    bench.services.analyzer.may_finish.clear()
    path = f"/v1/{(await web.create(await web.upload(song)))['name']}"

    async def waits() -> bool:
        return bool((await web.ask("GET", path)).json["state"] == "RENDER_STATE_ANALYZING")

    await assert_eventually(waits)
    return path


async def test_browsers_get_every_state_change_with_its_number(web: Any, song: bytes) -> None:
    """The id of each is its sequence; progress has none, and so never moves where to go on."""
    name = (await web.create(await web.upload(song)))["name"]
    watched = await web.ask("GET", f"/v1/{name}:watch", headers=EVENTS)
    assert watched.headers["Content-Type"] == "text/event-stream"
    events = frames(watched.body)
    numbered = [event for event in events if "id" in event]
    assert {event["event"] for event in numbered} == {"stateChange"}
    assert [event["id"] for event in numbered] == [str(i + 1) for i in range(len(numbered))]
    for event in events:
        assert list(json.loads(event["data"])) == [event["event"]]
    for event in numbered:
        assert json.loads(event["data"])["stateChange"]["sequence"] == event["id"]


async def test_a_watch_goes_on_behind_the_last_event(web: Any, song: bytes) -> None:
    """With the id that a browser sends back, and after the last one there is nothing: 204."""
    name = (await web.create(await web.upload(song)))["name"]
    whole = frames((await web.ask("GET", f"/v1/{name}:watch", headers=EVENTS)).body)
    numbers = [event["id"] for event in whole if "id" in event]
    resumed = await web.ask(
        "GET", f"/v1/{name}:watch", headers={**EVENTS, "Last-Event-ID": numbers[3]}
    )
    assert [event["id"] for event in frames(resumed.body)] == numbers[4:]
    ended = await web.ask(
        "GET", f"/v1/{name}:watch", headers={**EVENTS, "Last-Event-ID": numbers[-1]}
    )
    assert (ended.status, ended.body) == (204, b"")
    lines = await web.ask("GET", f"/v1/{name}:watch?afterSequence={numbers[-1]}")
    assert (lines.status, lines.body) == (200, b"")


@pytest.mark.parametrize("number", ["x", "-1", "1" * 19, "٣"])
async def test_an_id_that_is_none_is_refused(web: Any, song: bytes, number: str) -> None:
    """Rather than taken for the beginning: state changes would come twice."""
    name = (await web.create(await web.upload(song)))["name"]
    headers = {**EVENTS, "Last-Event-ID": number}
    answer = await web.ask("GET", f"/v1/{name}:watch", headers=headers)
    assert (answer.status, answer.json["violations"][0]["field"]) == (400, "Last-Event-ID")


@pytest.mark.parametrize("headers", [EVENTS, {}])
async def test_what_fails_at_once_has_its_own_status(web: Any, headers: dict[str, str]) -> None:
    """A render that is not there is 404 however it is watched."""
    answer = await web.ask("GET", "/v1/projects/demo/renders/none:watch", headers=headers)
    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")


async def test_a_browser_is_kept_while_the_gateway_is_away(bench: Any) -> None:
    """An EventSource gives up at a status of failure, and comes again after a stream that ended;
    all others are told by the status."""
    settings = bench.settings(http_listen="127.0.0.1:0")
    async with http_served(bench.kit(), settings) as http, aiohttp.ClientSession() as session:
        assert http is not None
        url = f"http://{http.address}/v1/projects/demo/renders/none:watch"
        async with session.get(url, headers=EVENTS) as response:
            assert (response.status, response.content_type) == (200, "text/event-stream")
            (event,) = frames(await response.read())
            assert (event["event"], json.loads(event["data"])["status"]) == ("problem", 503)
        async with session.get(url) as response:
            assert response.status == 503


async def test_silence_is_filled(
    web: Any, bench: Any, song: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments, which no reader sees, keep proxies from ending a stream that has nothing to say."""
    monkeypatch.setattr(streams, "SILENCE_S", 0.02)
    path = await waiting_render(web, bench, song)
    async with web.session.get(f"{path}:watch", headers=EVENTS) as response:
        async for line in response.content:
            if line == b":\n":
                return
    pytest.fail("the stream ended")


async def test_a_stream_begins_before_anything_happens(
    web: Any, bench: Any, song: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller with nothing to catch up on knows at once that it watches."""
    monkeypatch.setattr(streams, "PROMPT_S", 0.02)
    path = await waiting_render(web, bench, song)
    render = (await web.ask("GET", path)).json
    async with web.session.get(f"{path}:watch?afterSequence={render['sequence']}") as response:
        assert response.status == 200


@pytest.mark.parametrize("headers", [EVENTS, {}])
async def test_a_gateway_that_leaves_says_so(
    web: Any, bench: Any, song: bytes, headers: dict[str, str]
) -> None:
    """The last word of a stream that had begun is why it ended."""
    path = await waiting_render(web, bench, song)
    async with web.session.get(f"{path}:watch", headers=headers) as response:
        await response.content.readline()
        await web.gateway.gateway_leaves()
        rest = await response.read()
    last = rest.decode().strip().splitlines()[-1]
    value = json.loads(last.removeprefix("data: "))
    problem = value if headers else value["problem"]
    assert (problem["status"], problem["reason"]) == (503, "DRAINING")
    assert problem["retryAfterS"] > 0
    assert not headers or "event: problem" in rest.decode()


async def test_who_goes_away_lets_go_of_the_call(web: Any, bench: Any, song: bytes) -> None:
    """A watcher that vanished leaves no call behind it."""

    def cancelled() -> float:
        labels = {"service": RENDER_SERVICE, "method": "WatchRender", "code": "CANCELLED"}
        return REGISTRY.get_sample_value("soundsight_rpc_handled_total", labels) or 0.0

    before = cancelled()
    path = await waiting_render(web, bench, song)
    async with web.session.get(f"{path}:watch") as response:
        await response.content.readline()
        response.close()
    await assert_eventually(lambda: cancelled() == before + 1)


async def test_lines_are_for_all_who_ask_for_no_events(web: Any, song: bytes) -> None:
    """One JSON object a line, and every line an event."""
    name = (await web.create(await web.upload(song)))["name"]
    async with web.session.get(f"/v1/{name}:watch", timeout=aiohttp.ClientTimeout(300)) as response:
        assert response.headers["Content-Type"] == "application/x-ndjson"
        events = [json.loads(line) async for line in response.content]
    assert all(len(event) == 1 for event in events)
