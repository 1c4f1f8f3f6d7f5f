"""Writing songs and their truth to disk."""

import io
import json
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from songsmith.rendering import render
from songsmith.score import SAMPLE_RATE_HZ, Song, truth_of

BLOCK_SAMPLES = 4096
# What an encoder of MP3 and its decoder add before the song, at most: two frames.
MP3_DELAY_SAMPLES = 2304


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


def read_mono(path: Path) -> NDArray[np.float32]:
    """The mean of a FLAC file's channels around full scale 1; shape (n,)."""
    return read_stereo(path).mean(axis=1, dtype=np.float32) / np.float32(32768.0)


def read_stereo(path: Path) -> NDArray[np.int16]:
    """The samples of a 16-bit stereo FLAC file; shape (n, 2)."""
    with av.open(str(path), "r") as container:
        blocks = [frame.to_ndarray() for frame in container.decode(container.streams.audio[0])]
    return np.concatenate(blocks, axis=1).reshape(-1, 2).astype(np.int16, copy=False)


def through_mp3(samples: NDArray[np.int16], kbps: int) -> NDArray[np.int16]:
    """What is left of stereo samples (n, 2) at 44.1 kHz after MP3; as many, in their places.

    Raises ValueError when the decoder does not return the song where it was.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=SAMPLE_RATE_HZ)
        stream.layout = "stereo"
        stream.bit_rate = 1000 * kbps
        for start in range(0, len(samples), BLOCK_SAMPLES):
            block = np.ascontiguousarray(samples[start : start + BLOCK_SAMPLES].T)
            frame = av.AudioFrame.from_ndarray(block, format="s16p", layout="stereo")
            frame.sample_rate = SAMPLE_RATE_HZ
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    decoded = _decoded(buffer.getvalue())
    kept = np.zeros(samples.shape, dtype=np.float32)
    start = _delay(decoded, samples)
    found = decoded[start : start + len(samples)]
    kept[: len(found)] = found
    return np.clip(np.rint(32767.0 * kept), -32768, 32767).astype(np.int16)


def _delay(decoded: NDArray[np.float32], samples: NDArray[np.int16]) -> int:
    """How many samples later the song is in what was decoded: players differ in what they trim."""
    # Half a minute from the middle tells as much as the whole.
    first = max(0, len(samples) // 2 - 15 * SAMPLE_RATE_HZ)
    excerpt = samples[first : first + 30 * SAMPLE_RATE_HZ].mean(axis=1)
    around = decoded[first : first + len(excerpt) + MP3_DELAY_SAMPLES].mean(axis=1)
    length = 1 << (len(around) + len(excerpt)).bit_length()
    spectrum = np.fft.rfft(around, length) * np.conj(np.fft.rfft(excerpt, length))
    likeness = np.fft.irfft(spectrum, length)[:MP3_DELAY_SAMPLES]
    return int(likeness.argmax())


def _decoded(data: bytes) -> NDArray[np.float32]:
    """The samples of an encoded song around full scale 1; shape (n, channels)."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE_HZ)
        blocks = [
            block.to_ndarray()
            for frame in (*container.decode(stream), None)
            for block in resampler.resample(frame)
        ]
    return np.ascontiguousarray(np.concatenate(blocks, axis=1).T)
