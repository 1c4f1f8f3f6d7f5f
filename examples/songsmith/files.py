"""Writing songs and their truth to disk."""

import json
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from songsmith.rendering import render
from songsmith.score import SAMPLE_RATE_HZ, Song, truth_of

BLOCK_SAMPLES = 4096


def write_song(song: Song, directory: Path, stem: str) -> tuple[Path, Path]:
    """Render a song to `stem`.flac and write its truth to `stem`.json; returns both paths."""
    directory.mkdir(parents=True, exist_ok=True)
    audio_path, truth_path = directory / f"{stem}.flac", directory / f"{stem}.json"
    write_flac(audio_path, render(song), {"title": song.title, "artist": song.artist})
    truth_path.write_text(json.dumps(truth_of(song).as_json(), indent=1) + "\n", encoding="utf-8")
    return audio_path, truth_path


def write_flac(path: Path, samples: NDArray[np.int16], tags: dict[str, str]) -> None:
    """Write stereo samples of shape (n, 2) as 16-bit FLAC at 44.1 kHz."""
    with av.open(str(path), "w", format="flac", options={"fflags": "+bitexact"}) as container:
        container.metadata.update(tags)
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ)
        stream.layout = "stereo"
        stream.format = "s16"
        stream.options = {"compression_level": "8", "flags": "+bitexact"}
        for start in range(0, len(samples), BLOCK_SAMPLES):
            block = np.ascontiguousarray(samples[start : start + BLOCK_SAMPLES]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
            frame.sample_rate = SAMPLE_RATE_HZ
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
