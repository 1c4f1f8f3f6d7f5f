"""The sound of a composition: the user's own stream where it may be copied, AAC otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from soundsight_composer.order import Order
from soundsight_composer.workshop import Workshop
from soundsight_kit.errors import SoundsightError
from soundsight_kit.media.children import Refused
from soundsight_kit.media.ffmpeg import file_input, run_ffmpeg
from soundsight_kit.media.paths import file_url

# Rates that every player of AAC takes; a song of another rate is resampled to the last one.
_AAC_RATES_HZ = (32_000, 44_100, 48_000)


@dataclass(frozen=True, slots=True)
class Sound:
    """An MP4 with the sound alone; its edit list begins at the song's first sample."""

    path: Path
    rate_hz: int
    copied: bool
    note: str = ""


class _NotCopyable(SoundsightError):
    """The original's stream cannot be taken over; the message says why."""


async def prepare_sound(
    shop: Workshop,
    order: Order,
    canonical: Path,
    original: Path | None,
    progress: Callable[[float], None],
) -> Sound:
    """Copies the original's sound when it proves to be the song, encodes the song otherwise."""
    path = shop.folder / "sound.mp4"
    note = ""
    if original is not None:
        try:
            return await _copy(shop, order, canonical, original, path)
        except _NotCopyable as reason:
            path.unlink(missing_ok=True)
            note = f"The sound was encoded, not copied: {reason.message}."
    rate_hz = aac_rate_hz(order.sample_rate_hz)
    await _encode(shop, order, canonical, path, rate_hz, progress)
    return Sound(path, rate_hz, copied=False, note=note)


def aac_rate_hz(rate_hz: int) -> int:
    """The sample rate at which a song of this rate is encoded."""
    return rate_hz if rate_hz in _AAC_RATES_HZ else _AAC_RATES_HZ[-1]


async def _copy(shop: Workshop, order: Order, canonical: Path, original: Path, path: Path) -> Sound:
    copied = await shop.ask(
        "_sound",
        {
            "original": str(original),
            "canonical": str(canonical),
            "destination": str(path),
            "samples": order.samples,
            "sample_rate_hz": order.sample_rate_hz,
        },
        task="copying the sound",
        blame=_not_copyable,
    )
    return Sound(path, copied["sample_rate_hz"], copied=True)


def _not_copyable(refused: Refused) -> SoundsightError:
    return _NotCopyable(str(refused))


async def _encode(
    shop: Workshop,
    order: Order,
    canonical: Path,
    path: Path,
    rate_hz: int,
    progress: Callable[[float], None],
) -> None:
    source = file_input(canonical).audio
    if rate_hz != order.sample_rate_hz:
        source = source.filter("aresample", rate_hz, resampler="soxr", precision=28)
    job = source.output(
        file_url(path),
        format="mp4",
        acodec="aac",
        audio_bitrate=order.bit_rate_bps,
        map_metadata=-1,
        # Exact to the sample: the edit list is counted in this.
        movie_timescale=rate_hz,
        fflags="+bitexact",
        **{"flags:a": "+bitexact"},
    )
    timeout_s = shop.settings.step_timeout_s
    await run_ffmpeg(
        job,
        timeout_s=timeout_s,
        task="encoding the sound",
        memory_bytes=shop.settings.memory_mib << 20,
        cpu_s=int(timeout_s) + 1,
        progress=progress,
    )
