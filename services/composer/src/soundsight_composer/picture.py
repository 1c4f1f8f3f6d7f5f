"""The picture of a composition: clips checked, spliced, and made anew where they must be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import json_format

from soundsight_composer.captioning import DrawnCaptions, draw_captions
from soundsight_composer.captions import Caption
from soundsight_composer.order import Order
from soundsight_composer.splice import Copied, CutPoints, Made, splice, uncopyable_clips
from soundsight_composer.workshop import Workshop, input_error, wrong_clip
from soundsight_kit.media.children import Progress
from soundsight_kit.media.mezzanine import H264Writer, stream_signature

_NOT_COPYABLE = CutPoints()


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What was found in a clip's file."""

    frames: int
    digest: str
    width: int
    height: int
    mezzanine: bool
    on_time: bool
    trimmed: bool
    points: CutPoints


@dataclass(frozen=True, slots=True)
class JoinedPicture:
    """Files and the frames to take from each, in order; which clips were encoded anew; and what
    a user should know about the captions."""

    pieces: tuple[tuple[Path, int, int], ...]
    reencoded: tuple[int, ...]
    made_frames: int
    notes: tuple[str, ...] = ()


async def prepare_picture(
    shop: Workshop,
    order: Order,
    clips: Sequence[Path],
    uris: list[str],
    song: Path,
    progress: Progress,
) -> JoinedPicture:
    """Checks the clips and the song, and makes the frames that cannot be copied.

    Raises DataLoss for a clip that cannot be read, FailedPrecondition for one that is not what the
    request says, both naming it.
    """
    facts = await _inspect(shop, order, clips, uris, song)
    _check(order, facts, uris)
    drawn = await draw_captions(shop, order)
    points = _points(facts, await _signature(shop, order, facts, drawn.captions))
    pieces = splice(order.shots, points, drawn.captions)
    made_frames = sum(piece.frames for piece in pieces if isinstance(piece, Made))
    runs: list[tuple[Path, int, int]] = []
    done = 0
    for number, piece in enumerate(pieces):
        if isinstance(piece, Copied):
            runs.append((clips[piece.clip], piece.first, piece.end))
            continue
        path = shop.folder / f"made-{number}.mp4"
        tell = _shifted(progress, done, made_frames)
        await _make(shop, order, clips, uris, drawn, piece, path, tell)
        runs.append((path, 0, piece.frames))
        done += piece.frames
    return JoinedPicture(
        tuple(runs), tuple(uncopyable_clips(order.shots, points)), made_frames, drawn.notes
    )


def _points(facts: Sequence[ClipFacts], signature: str) -> list[CutPoints]:
    """Where each clip can be cut; nowhere for one that does not have the signature."""
    return [
        each.points if each.mezzanine and each.digest == signature else _NOT_COPYABLE
        for each in facts
    ]


async def _signature(
    shop: Workshop, order: Order, facts: Sequence[ClipFacts], captions: Sequence[Caption]
) -> str:
    """The signature that copied clips must have.

    When all clips share one and nothing has to be made, it is theirs, whoever encoded them.
    Otherwise it is that of the render's own encoder settings, since made frames will have it.
    """
    digests = {each.digest for each in facts}
    if len(digests) == 1:
        signature = facts[0].digest
        pieces = splice(order.shots, _points(facts, signature), captions)
        if all(isinstance(piece, Copied) for piece in pieces):
            return signature
    return await asyncio.to_thread(_settings_signature, order, shop.folder / "sample.mp4")


def _settings_signature(order: Order, path: Path) -> str:
    """The signature that the encoder settings give, found by encoding one picture."""
    with H264Writer(
        path,
        settings=order.encoder,
        width=order.width,
        height=order.height,
        rate=order.rate,
        frames=1,
    ) as writer:
        writer.write(bytes(order.width * order.height * 3 // 2))
    return stream_signature(path).digest


async def _inspect(
    shop: Workshop, order: Order, clips: Sequence[Path], uris: list[str], song: Path
) -> list[ClipFacts]:
    request = {
        "paths": [str(path) for path in clips],
        "rate": str(order.rate),
        "song": str(song),
        "samples": order.samples,
        "sample_rate_hz": order.sample_rate_hz,
    }
    found = await shop.ask("_inspect", request, task="checking the clips", blame=input_error(uris))
    return [
        ClipFacts(
            points=CutPoints(clip.pop("starts"), clip.pop("ends")),
            **clip,
        )
        for clip in found["clips"]
    ]


def _check(order: Order, facts: Sequence[ClipFacts], uris: list[str]) -> None:
    for index, (shot, clip) in enumerate(zip(order.shots, facts, strict=True)):
        if clip.frames != shot.clip_frames and not clip.trimmed:
            raise wrong_clip(
                index, uris[index], f"has {clip.frames} frames, not {shot.clip_frames}"
            )
        if not clip.on_time:
            raise wrong_clip(index, uris[index], f"does not run at {order.rate} frames per second")


async def _make(
    shop: Workshop,
    order: Order,
    clips: Sequence[Path],
    uris: list[str],
    drawn: DrawnCaptions,
    piece: Made,
    destination: Path,
    progress: Progress,
) -> None:
    """Encodes a piece."""
    request = {
        "paths": [str(path) for path in clips],
        "pictures": [
            (p.clip, p.frame, p.other_clip, p.other_frame, p.veil, p.share, p.captions)
            for p in piece.pictures
        ],
        "captions": [str(path) for path in drawn.paths],
        "keyframes": list(piece.keyframes),
        "encoder": json_format.MessageToDict(order.encoder, preserving_proto_field_name=True),
        "width": order.width,
        "height": order.height,
        "rate": str(order.rate),
        "timeout_s": shop.settings.step_timeout_s,
        "destination": str(destination),
    }
    await shop.ask("_make", request, task="encoding", blame=input_error(uris), progress=progress)


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    """Progress of one piece as progress of all."""
    return lambda done, _: progress(before + done, total)
