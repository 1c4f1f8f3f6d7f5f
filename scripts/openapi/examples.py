"""Bodies of requests as they look in earnest, by the full name of what the body is."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import Message

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1 import render_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1.scenewriter_pb2 import Brief

_SHA256: Final = "5f2a0b6c1e9d4837aa51c7e02b94d6f81c3e7a9055d24b68f0e1937ac82d6b40"


def examples() -> dict[str, Any]:
    """An example of each body that deserves one."""
    song = ArtifactRef(
        uri=f"s3://soundsight/projects/demo/uploads/{_SHA256}",
        sha256=_SHA256,
        size_bytes=6_291_456,
        media_type="audio/flac",
    )
    wanted = r.Render(
        labels={"album": "dawn"},
        spec=r.RenderSpec(
            song=song,
            brief=Brief(style="snow, calm", must_have=["a lighthouse"]),
            seed=7,
            title="First Light",
        ),
    )
    again = render_pb2.RegenerateSceneRequest(scene_id="s004", note="make it rain")
    bodies: tuple[Message, ...] = (wanted, again)
    return {body.DESCRIPTOR.full_name: json_format.MessageToDict(body) for body in bodies}
