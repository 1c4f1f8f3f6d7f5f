"""FILMING: scenes to clips, each under its key, by whichever endpoint has room.

A *take* is one scene's filming as it was decided: its key, the fingerprint the key was derived for,
and what it follows. Takes are decided one by one, just before they are queued, so that those still
to come follow a pool that was upgraded in the middle of the render.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass

import grpc
from google.rpc import status_pb2

from soundsight.common.v1 import common_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight.videogen.v1 import videogen_pb2
from soundsight_gateway import calls, metrics, plan, rows, states
from soundsight_gateway.endpoint import Endpoint
from soundsight_gateway.names import RenderRef
from soundsight_gateway.retry import (
    FINGERPRINT_MISMATCH,
    SCENE_TIMEOUT,
    broke_off,
    turned_away,
)
from soundsight_gateway.stages import CANCEL_TIMEOUT_S, Tools
from soundsight_kit.artifacts import ensure_project
from soundsight_kit.context import bind_ids
from soundsight_kit.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    SoundsightError,
    error_from_rpc,
)
from soundsight_kit.logs import log
from soundsight_kit.media.mezzanine import default_encoder_settings

STORYBOARDS_KEPT = 8


@dataclass(frozen=True, slots=True)
class Take:
    """One scene's filming as it was decided.

    `after` is the scene whose last picture it begins with, `starts_chain` whether the next take
    begins with its own; `done` says that the clip was found in the store.
    """

    scene_id: str
    key: str
    fingerprint: str
    after: str
    starts_chain: bool
    done: bool


class Filming:
    """The filming of renders."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools
        self._storyboards: OrderedDict[str, storyboard_pb2.Storyboard] = OrderedDict()
        self._filmed: dict[RenderRef, dict[str, float]] = {}
        self._wanted: dict[str, int] = {}

    async def begin(self, ref: RenderRef) -> list[list[str]]:
        """Fixes what holds for all clips, enters FILMING, returns the chains of scenes.

        Backend, internal size and encoder are fixed here, once, so that clips join whatever
        happens to the pool's configuration later.
        """
        with bind_ids(render=ref.name):
            render = await self._t.store.get(ref)
            storyboard = await self._storyboard(render.outputs.storyboard)
            if not render.HasField("video"):
                wish = plan.wish(render.spec)
                fingerprint, profile = await self._t.services.identity(
                    wish.pool, self._t.settings.pool_patience_s
                )
                size = wish.resolution
                video = r.VideoSettings(
                    pool=wish.pool,
                    fingerprints=[fingerprint],
                    internal_resolution=plan.internal_resolution(profile, size, wish.quality),
                    encoder=default_encoder_settings(
                        wish.quality_word, width=size.width, height=size.height, rate=wish.rate
                    ),
                    profile=profile,
                )
                await self._t.store.enter(
                    ref,
                    states.FILMING,
                    video=video,
                    scene_ids=[scene.id for scene in storyboard.scenes],
                )
                render = await self._t.store.get(ref)
            return plan.chains(storyboard, render.video.profile)

    async def decide(
        self, ref: RenderRef, scene_id: str, after: str, *, starts_chain: bool
    ) -> Take:
        """Decides how a scene is filmed; marks it done when its clip exists already."""
        with bind_ids(render=ref.name, scene=scene_id):
            render = await self._t.store.get(ref)
            fingerprint = render.video.fingerprints[-1]
            footing, scene = await self._footing(ref, render, scene_id)
            key, request = await self._request(
                footing, scene, render, fingerprint, after, starts_chain=starts_chain
            )
            clip = await self._existing(request)
            if clip is not None:
                status = _status(render, scene_id)
                status.state = r.SCENE_STATE_DONE
                status.clip_key = key
                status.reused = status.attempts == 0
                status.ClearField("error")
                status.clip.CopyFrom(clip.video)
                await self._t.store.put_scene(ref, status)
                self._moved(ref, render, footing, scene_id, 1.0)
            return Take(scene_id, key, fingerprint, after, starts_chain, clip is not None)

    async def film(self, ref: RenderRef, take: Take, attempt: int) -> None:
        """Films one scene, or attaches to its filming, or finds it filmed.

        Raises what the endpoint answered with; FailedPrecondition (FINGERPRINT_MISMATCH) when the
        pool is no longer what the take was decided for.
        """
        with bind_ids(render=ref.name, scene=take.scene_id):
            render = await self._t.store.get(ref)
            if render.video.fingerprints[-1] != take.fingerprint:
                raise FailedPrecondition(
                    f"{take.scene_id} was keyed for a video pool that was upgraded since",
                    reason=FINGERPRINT_MISMATCH,
                )
            footing, scene = await self._footing(ref, render, take.scene_id)
            key, request = await self._request(
                footing,
                scene,
                render,
                take.fingerprint,
                take.after,
                starts_chain=take.starts_chain,
            )
            status = _status(render, take.scene_id)
            again = status.state == r.SCENE_STATE_FILMING and status.attempts == attempt
            status.state = r.SCENE_STATE_FILMING
            status.clip_key = key
            status.attempts = attempt
            await self._t.store.put_scene(ref, status)
            try:
                async with asyncio.timeout(self._time_left_s(status)):
                    clip = await self._dispatch(ref, render, footing, scene, request)
            except TimeoutError:
                raise DeadlineExceeded(
                    f"{take.scene_id} was not filmed within "
                    f"{self._t.settings.scene_timeout_s:g} s, all attempts together",
                    reason=SCENE_TIMEOUT,
                ) from None
            status.state = r.SCENE_STATE_DONE
            status.ClearField("error")
            status.clip.CopyFrom(clip.video)
            # An interrupted attempt that finds its own clip has filmed it; another render may have
            # had it filmed in between.
            status.reused = clip.reused and not again
            await self._t.store.put_scene(ref, status)
            self._moved(ref, render, footing, take.scene_id, 1.0)

    async def tried(
        self, ref: RenderRef, scene_id: str, times: int, error: status_pb2.Status, *, final: bool
    ) -> None:
        """Writes down that an attempt failed, for good or to be repeated.

        `times` is how often the scene has failed, this time included.
        """
        status = await self._t.store.scene(ref, scene_id)
        status.state = r.SCENE_STATE_FAILED if final else r.SCENE_STATE_PENDING
        status.error.CopyFrom(error)
        rows.add_failure(status, times, error)
        await self._t.store.put_scene(ref, status)

    async def adopt(self, ref: RenderRef) -> None:
        """Asks the pool what it is now; scenes still to come are keyed for that."""
        with bind_ids(render=ref.name):
            render = await self._t.store.get(ref)
            fingerprint, profile = await self._t.services.identity(
                render.video.pool, self._t.settings.pool_patience_s
            )
            if fingerprint == render.video.fingerprints[-1]:
                return
            render.video.fingerprints.append(fingerprint)
            # What the new backend consumes decides the new keys. Size and encoder stay.
            render.video.profile.CopyFrom(profile)
            await self._t.store.note(
                ref,
                video=render.video,
                notes=["the video backend changed while scenes were filmed: later ones are its"],
            )

    def forget(self, ref: RenderRef) -> None:
        """Drops what is kept in memory for a render's progress."""
        self._filmed.pop(ref, None)

    def _time_left_s(self, status: r.SceneStatus) -> float:
        """Seconds that a scene has left, this attempt and further ones together."""
        left_s = self._t.settings.scene_timeout_s
        if status.failures:
            left_s -= time.time() - status.failures[0].time.ToNanoseconds() / 1e9
        return left_s

    async def _dispatch(
        self,
        ref: RenderRef,
        render: r.Render,
        footing: plan.Footing,
        scene: storyboard_pb2.Scene,
        request: videogen_pb2.GenerateClipRequest,
    ) -> videogen_pb2.Clip:
        """Finds an endpoint with room and has the clip filmed there.

        An endpoint that does not take the clip after all is not a failed attempt: the next one is
        asked.
        """
        pool = self._t.services.pool(render.video.pool)
        prefer = await self._t.memory.placement(request.output_key)
        while True:
            async with pool.lease(
                request.expected_fingerprint, self._t.settings.pool_patience_s, prefer
            ) as endpoint:
                await self._t.memory.place(request.output_key, endpoint.target)
                try:
                    clip = await self._generate(ref, render, footing, scene, request, endpoint)
                except SoundsightError as error:
                    endpoint.failed(error)
                    metrics.dispatch_failed(pool.name, error.code.name)
                    if not broke_off(error):
                        # Nothing is under way there any more: the next attempt goes anywhere.
                        await self._t.memory.place(request.output_key, "")
                    if not turned_away(error):
                        raise
                    prefer = None
                    continue
                endpoint.worked()
            ensure_project(self._t.artifacts, clip.video, ref.project)
            if not plan.fits(clip, request):
                raise Internal(
                    f"the video backend answered with another clip than {scene.id} asks for",
                    reason="WRONG_CLIP",
                )
            return clip

    async def _generate(
        self,
        ref: RenderRef,
        render: r.Render,
        footing: plan.Footing,
        scene: storyboard_pb2.Scene,
        request: videogen_pb2.GenerateClipRequest,
        endpoint: Endpoint,
    ) -> videogen_pb2.Clip:
        def progress(moved: common_pb2.Progress) -> None:
            if moved.stage == "film" and moved.total > 0:
                self._moved(ref, render, footing, scene.id, moved.done / moved.total)

        def other(event: videogen_pb2.GenerateClipResponse) -> None:
            shown = r.ScenePreview(
                scene_id=scene.id,
                image=event.preview.image,
                media_type=event.preview.media_type,
            )
            self._t.hub.preview(ref, shown)

        key = request.output_key
        self._wanted[key] = self._wanted.get(key, 0) + 1
        stopped = False
        try:
            clip: videogen_pb2.Clip = await calls.result_of(
                endpoint.stub.GenerateClip(request, timeout=self._t.settings.filming_timeout_s),
                "clip",
                silence_timeout_s=self._t.settings.silence_timeout_s,
                on_progress=progress,
                on_other=other,
            )
        except asyncio.CancelledError:
            stopped = True
            raise
        finally:
            self._wanted[key] -= 1
            if self._wanted[key] == 0:
                del self._wanted[key]
                if stopped:
                    await asyncio.shield(self._stop(ref, endpoint, key))
        return clip

    async def _stop(self, ref: RenderRef, endpoint: Endpoint, output_key: str) -> None:
        """Stops the work if the render was cancelled; otherwise it goes on for its grace."""
        if (await self._t.store.standing(ref)).state != states.CANCELLED:
            return
        request = videogen_pb2.CancelClipRequest(output_key=output_key)
        try:
            await endpoint.stub.CancelClip(request, timeout=CANCEL_TIMEOUT_S)
        except grpc.RpcError as error:
            why = error_from_rpc(error).message
            log.warning("clip not cancelled", output_key=output_key, why=why)

    async def _request(
        self,
        footing: plan.Footing,
        scene: storyboard_pb2.Scene,
        render: r.Render,
        fingerprint: str,
        after: str,
        *,
        starts_chain: bool,
    ) -> tuple[str, videogen_pb2.GenerateClipRequest]:
        predecessor, predecessor_key = None, ""
        if after:
            predecessor_key = _status(render, after).clip_key
            found = await self._t.records.find(
                f"projects/{footing.project}/clips/{predecessor_key}/clip.json",
                videogen_pb2.Clip(),
            )
            predecessor = found[0] if found is not None else videogen_pb2.Clip()
        return plan.clip_request(
            footing,
            scene,
            fingerprint=fingerprint,
            starts_chain=starts_chain,
            predecessor=predecessor,
            predecessor_key=predecessor_key,
        )

    async def _existing(
        self, request: videogen_pb2.GenerateClipRequest
    ) -> videogen_pb2.Clip | None:
        """The clip under a request's key, if it is there and is what the request asks for."""
        record = f"{request.output_key}/clip.json"
        found = await self._t.records.find(record, videogen_pb2.Clip())
        if found is None or not plan.fits(found[0], request):
            return None
        clip = found[0]
        if await self._t.artifacts.head(self._t.artifacts.key_of(clip.video.uri)) is None:
            # The picture is gone and the record would keep it from being made again.
            await self._t.artifacts.delete(record)
            return None
        return clip

    async def _footing(
        self, ref: RenderRef, render: r.Render, scene_id: str
    ) -> tuple[plan.Footing, storyboard_pb2.Scene]:
        storyboard = await self._storyboard(render.outputs.storyboard)
        footing = plan.Footing(
            ref.project,
            plan.wish(render.spec),
            storyboard,
            render.video,
            self._t.settings.detach_grace_s,
        )
        return footing, next(scene for scene in storyboard.scenes if scene.id == scene_id)

    async def _storyboard(self, artifact: common_pb2.ArtifactRef) -> storyboard_pb2.Storyboard:
        """A storyboard; the latest ones are kept, since each of their scenes asks for them."""
        if artifact.sha256 not in self._storyboards:
            read = await self._t.records.read(artifact, storyboard_pb2.Storyboard())
            self._storyboards[artifact.sha256] = read
            while len(self._storyboards) > STORYBOARDS_KEPT:
                self._storyboards.popitem(last=False)
        self._storyboards.move_to_end(artifact.sha256)
        return self._storyboards[artifact.sha256]

    def _moved(
        self, ref: RenderRef, render: r.Render, footing: plan.Footing, scene_id: str, share: float
    ) -> None:
        """Tells how far filming is, in frames of all scenes."""
        scenes = footing.storyboard.scenes
        filmed = self._filmed.setdefault(ref, {})
        for status in render.scenes:
            # Another gateway may have filmed it.
            if status.state == r.SCENE_STATE_DONE:
                filmed[status.scene_id] = 1.0
        filmed[scene_id] = max(share, filmed.get(scene_id, 0.0))
        done = sum(plan.clip_frames(scene) * filmed.get(scene.id, 0.0) for scene in scenes)
        moved = common_pb2.Progress(
            stage="film", done=round(done), total=sum(map(plan.clip_frames, scenes))
        )
        self._t.hub.report(
            ref, states.FILMING, footing.wish.goal, render.song.frames, moved, scene_id
        )


def _status(render: r.Render, scene_id: str) -> r.SceneStatus:
    """Where a scene stood when the render was read."""
    return next(status for status in render.scenes if status.scene_id == scene_id)
