"""One composition from beginning to end: fetch, join, audio, mux, verify, store."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from soundsight.common.v1.common_pb2 import ArtifactRef, Progress
from soundsight.composer.v1 import composer_pb2
from soundsight_composer.order import Order, read_order
from soundsight_composer.picture import JoinedPicture, prepare_picture
from soundsight_composer.settings import ComposerSettings
from soundsight_composer.sound import Sound, prepare_sound
from soundsight_composer.workshop import Workshop, disk_full, input_error, workshop
from soundsight_kit.artifacts import ArtifactStore, ensure_project
from soundsight_kit.errors import (
    DataLoss,
    Internal,
    InvalidArgument,
    NotFound,
    SoundsightError,
)
from soundsight_kit.logs import log
from soundsight_kit.media.children import Refused

VIDEO, POSTER, RECORD = "video.mp4", "poster.jpg", "composition.json"
MAX_RECORD_BYTES = 1 << 20
_DEFAULT_COMMENT = "Made with Soundsight"
# The joined pieces and the finished file, which is moved once to bring its index to the front.
_ROOM_FACTOR = 2.5
_ROOM_BYTES = 64 << 20

Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Inputs as local files."""

    clips: list[Path]
    canonical: Path
    original: Path | None


async def find_finished(
    store: ArtifactStore, request: composer_pb2.ComposeRequest
) -> composer_pb2.Composition | None:
    """The composition that lies under the request's output key already, if there is one."""
    reference = await store.head(f"{request.output_key}/{RECORD}")
    if reference is None:
        return None
    record = await store.get_bytes(reference, MAX_RECORD_BYTES)
    return json_format.Parse(record, composer_pb2.Composition())


async def compose(
    request: composer_pb2.ComposeRequest,
    store: ArtifactStore,
    scratch_dir: Path,
    settings: ComposerSettings,
    tell: Tell,
) -> composer_pb2.Composition:
    """Makes the composition and stores it; nothing is left in `scratch_dir`, however it ends.

    Raises InvalidArgument, FailedPrecondition, NotFound and DataLoss for inputs that are wrong,
    naming them; DiskFull when there is no room; Internal when the finished file is not
    what was asked for.
    """
    order = read_order(request)
    if len(order.shots) > settings.max_clips:
        raise InvalidArgument(f"at most {settings.max_clips} clips are taken", field="clips")
    try:
        with workshop(scratch_dir, settings) as shop:
            return await _compose(request, order, store, shop, tell)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full("composing") from None
        raise


async def _compose(
    request: composer_pb2.ComposeRequest,
    order: Order,
    store: ArtifactStore,
    shop: Workshop,
    tell: Tell,
) -> composer_pb2.Composition:
    uris = [clip.video.uri for clip in request.clips]
    files = await _fetch(request, store, shop, tell)

    tell(Progress(stage="join", total=order.frames))
    picture = await prepare_picture(
        shop,
        order,
        files.clips,
        uris,
        files.canonical,
        lambda n, of: tell(Progress(stage="join", done=n, total=of)),
    )
    seconds = order.samples // order.sample_rate_hz
    tell(Progress(stage="audio", total=seconds))
    sound = await prepare_sound(
        shop,
        order,
        files.canonical,
        files.original,
        lambda at_s: tell(Progress(stage="audio", done=min(int(at_s), seconds), total=seconds)),
    )
    video = shop.folder / VIDEO
    await _mux(request, order, shop, picture, sound, video, tell)
    tell(Progress(stage="verify", total=3))
    measured = await shop.ask(
        "_verify",
        {
            "video": str(video),
            "canonical": str(files.canonical),
            "rate": str(order.rate),
            "frames": order.frames,
            "samples": order.samples,
            "sample_rate_hz": order.sample_rate_hz,
            "poster_frame": order.poster_frame,
        },
        task="verifying the video",
        blame=_not_what_was_asked,
        progress=lambda n, of: tell(Progress(stage="verify", done=n, total=of)),
    )
    tell(Progress(stage="store", total=3))
    return await _store(request, order, store, shop, picture, sound, measured)


async def _fetch(
    request: composer_pb2.ComposeRequest, store: ArtifactStore, shop: Workshop, tell: Tell
) -> Fetched:
    """Brings all inputs into the workshop; a file that several clips share only once."""
    sound = request.soundtrack
    wanted: dict[str, tuple[ArtifactRef, str]] = {}
    for index, clip in enumerate(request.clips):
        wanted.setdefault(clip.video.uri, (clip.video, f"clip {index}"))
    wanted.setdefault(sound.canonical.uri, (sound.canonical, "the song"))
    if sound.HasField("original"):
        wanted.setdefault(sound.original.uri, (sound.original, "the original song"))
    for reference, name in wanted.values():
        _check_foreign(store, reference, request.project, name)
    total = len(wanted)
    tell(Progress(stage="fetch", total=total))
    needed = sum(reference.size_bytes for reference, _ in wanted.values())
    if shutil.disk_usage(shop.folder).free < needed * _ROOM_FACTOR + _ROOM_BYTES:
        raise disk_full("composing")
    gate = asyncio.Semaphore(shop.settings.fetches)
    done = 0

    async def fetch(reference: ArtifactRef, name: str, path: Path) -> None:
        nonlocal done
        async with gate:
            try:
                await store.get_file(reference, path)
            except NotFound as error:
                raise _named(error, name, reference) from None
            except DataLoss as error:
                raise DataLoss(f"{name}: {error.message}", reason="ARTIFACT_CHANGED") from None
        done += 1
        tell(Progress(stage="fetch", done=done, total=total))

    paths = {uri: shop.folder / f"input-{number}" for number, uri in enumerate(wanted)}
    try:
        async with asyncio.TaskGroup() as tasks:
            for uri, (reference, name) in wanted.items():
                tasks.create_task(fetch(reference, name, paths[uri]))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return Fetched(
        [paths[clip.video.uri] for clip in request.clips],
        paths[sound.canonical.uri],
        paths[sound.original.uri] if sound.HasField("original") else None,
    )


def _check_foreign(store: ArtifactStore, reference: ArtifactRef, project: str, name: str) -> None:
    try:
        ensure_project(store, reference, project)
    except NotFound as error:
        raise _named(error, name, reference) from None


def _named(error: NotFound, name: str, reference: ArtifactRef) -> NotFound:
    return NotFound(
        "artifact",
        reference.uri,
        message=f"{name} ({reference.uri}) was not found",
        reason=error.reason,
    )


async def _mux(
    request: composer_pb2.ComposeRequest,
    order: Order,
    shop: Workshop,
    picture: JoinedPicture,
    sound: Sound,
    video: Path,
    tell: Tell,
) -> None:
    tell(Progress(stage="mux", total=order.frames))
    described = {
        "title": request.metadata.title,
        "artist": request.metadata.artist,
        "comment": request.metadata.comment or _DEFAULT_COMMENT,
    }
    await shop.ask(
        "_assemble",
        {
            "pieces": [
                {"path": str(path), "first": first, "end": end}
                for path, first, end in picture.pieces
            ],
            "sound": str(sound.path),
            "sound_rate_hz": sound.rate_hz,
            "sound_samples": round(Fraction(order.samples * sound.rate_hz, order.sample_rate_hz)),
            "rate": str(order.rate),
            "timescale": order.encoder.timescale,
            "frames": order.frames,
            "metadata": {key: text for key, text in described.items() if text},
            "destination": str(video),
        },
        task="joining picture and sound",
        blame=input_error([]),
        progress=lambda n, of: tell(Progress(stage="mux", done=n, total=of)),
    )


async def _store(
    request: composer_pb2.ComposeRequest,
    order: Order,
    store: ArtifactStore,
    shop: Workshop,
    picture: JoinedPicture,
    sound: Sound,
    measured: dict[str, Any],
) -> composer_pb2.Composition:
    """Stores video and poster, then the record that says they are there."""
    key = request.output_key
    notes = [*([sound.note] if sound.note else []), *picture.notes]
    if picture.reencoded:
        notes.append(f"Clips encoded again, as they could not be copied: {len(picture.reencoded)}.")
    log.info(
        "composed",
        frames=order.frames,
        pieces=len(picture.pieces),
        made_frames=picture.made_frames,
        audio_offsets_s=measured["audio_offsets_s"],
    )
    composition = composer_pb2.Composition(
        video=await store.put_file(f"{key}/{VIDEO}", shop.folder / VIDEO, "video/mp4"),
        poster=await store.put_file(
            f"{key}/{POSTER}", shop.folder / "verify" / POSTER, "image/jpeg"
        ),
        frames=measured["frames"],
        duration_s=measured["duration_s"],
        audio_treatment=(
            composer_pb2.AUDIO_TREATMENT_COPIED
            if sound.copied
            else composer_pb2.AUDIO_TREATMENT_ENCODED
        ),
        audio_codec=measured["audio_codec"],
        audio_offset_s=measured["audio_offset_s"],
        reencoded_clips=picture.reencoded,
        notes=notes,
    )
    record = json_format.MessageToJson(composition, preserving_proto_field_name=True)
    await store.put_bytes(f"{key}/{RECORD}", record.encode(), "application/json")
    # Another composer may have been first: its record counts, for us as for everyone.
    return await find_finished(store, request) or composition


def _not_what_was_asked(refused: Refused) -> SoundsightError:
    return Internal(f"the finished video is wrong: {refused}", reason=refused.reason)
