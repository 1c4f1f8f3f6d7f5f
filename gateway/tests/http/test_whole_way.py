"""A song becomes a video over HTTP alone."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

PROJECT = "/v1/projects/demo"


async def test_a_song_becomes_a_video_over_http(web: Any, song: bytes) -> None:
    """Uploaded, rendered, watched to its end and downloaded: all by HTTP."""
    render = await web.create(await web.upload(song), title="First light")
    name = render["name"]
    watched = await web.ask("GET", f"/v1/{name}:watch", timeout=aiohttp.ClientTimeout(300))
    events = [json.loads(line) for line in watched.body.splitlines()]
    changes = [event["stateChange"] for event in events if "stateChange" in event]
    assert [int(change["sequence"]) for change in changes] == list(range(1, len(changes) + 1))
    assert changes[-1]["state"] == "RENDER_STATE_SUCCEEDED"
    render = (await web.ask("GET", f"/v1/{name}")).json
    assert render["spec"]["title"] == "First light"
    video = render["outputs"]["video"]
    downloaded = await web.ask("GET", f"/v1/{name}/outputs/video")
    assert len(downloaded.body) == int(video["sizeBytes"])
    by_uri = await web.ask("GET", f"{PROJECT}/artifacts:download", params={"uri": video["uri"]})
    assert by_uri.body == downloaded.body
    storyboard = (await web.ask("GET", f"/v1/{name}/storyboard")).json
    assert sum(int(scene["frames"]) for scene in storyboard["scenes"]) == 48
    assert (await web.ask("DELETE", f"/v1/{name}")).json == {}
    assert (await web.ask("GET", f"/v1/{name}")).status == 404
