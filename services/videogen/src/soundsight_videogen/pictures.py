"""Brings the pictures that a request refers to onto this machine."""

from __future__ import annotations

from pathlib import Path

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.errors import InvalidArgument, NotFound
from soundsight_videogen.backend import Pictures

MAX_PICTURE_BYTES = 64 << 20
MAX_DRAFT_BYTES = 1 << 30


async def fetch_pictures(
    store: ArtifactStore, request: GenerateClipRequest, folder: Path
) -> Pictures:
    """Copies start, end and reference images and the draft into a folder.

    Raises NotFound for what is not there or belongs to another project, InvalidArgument for what is
    too large, DataLoss for what is not what its reference says.
    """

    async def fetch(name: str, given: bool, reference: ArtifactRef) -> Path | None:
        if not given:
            return None
        most_bytes = MAX_DRAFT_BYTES if name == "draft" else MAX_PICTURE_BYTES
        if reference.size_bytes > most_bytes:
            raise InvalidArgument(
                f"{name}: at most {most_bytes >> 20} MiB", field=name.partition("-")[0]
            )
        key = store.key_of(reference.uri)
        if not key.startswith(f"projects/{request.project}/"):
            raise NotFound("artifact", reference.uri)
        path = folder / name
        await store.get_file(reference, path)
        return path

    references = [
        await fetch(f"reference_images-{number}", True, reference)
        for number, reference in enumerate(request.reference_images)
    ]
    return Pictures(
        start=await fetch("start_image", request.HasField("start_image"), request.start_image),
        end=await fetch("end_image", request.HasField("end_image"), request.end_image),
        references=tuple(path for path in references if path is not None),
        draft=await fetch("draft", request.HasField("draft"), request.draft),
    )
