"""Who listens to a song in the comparison: this analyzer, essentia's and librosa's own parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from analyzer_scores import Hearing, Spans
from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.listening import Feature, Options, listen
from soundsight_analyzer.messages import to_analysis
from soundsight_analyzer.song import SongFile

Listener = Callable[[Path], Hearing]
"""Hears a FLAC file."""

MUSICAL = frozenset({Feature.RHYTHM, Feature.HARMONY, Feature.STRUCTURE})
LAPLACIAN_CLUSTERS = 5


@contextmanager
def single_threaded() -> Iterator[None]:
    """Has the numerical libraries of processes that are started meanwhile use one thread."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def soundsight(path: Path, features: frozenset[Feature] = MUSICAL) -> Hearing:
    """This analyzer, as its service runs it: what the contract's message says."""
    return analysis_to_hearing(analyse(path, features))


def analyse(path: Path, features: frozenset[Feature] | None = None) -> pb.SongAnalysis:
    """The analysis of a canonical FLAC file; of all features when none are named."""
    song = song_file(path)
    options = Options() if features is None else Options(features=features)
    return to_analysis(listen(song, options, lambda stage, done, total: None))


def song_file(path: Path) -> SongFile:
    """A canonical FLAC file with its shape, which its header tells."""
    with av.open(str(path), "r") as container:
        stream = container.streams.audio[0]
        assert stream.duration is not None and stream.time_base is not None
        samples = round(stream.duration * stream.time_base * stream.rate)
        return SongFile(path, samples, stream.rate, stream.channels)


def analysis_to_hearing(analysis: pb.SongAnalysis) -> Hearing:
    """What an analysis says; the key is the one that holds longest, the metre the first."""
    rhythm = analysis.rhythm
    metre = (
        f"{rhythm.metres[0].beats_per_bar}/{rhythm.metres[0].beat_unit}" if rhythm.metres else ""
    )
    sections = analysis.sections
    return Hearing(
        beats_s=tuple(beat.time_s for beat in rhythm.beats),
        downbeats_s=tuple(beat.time_s for beat in rhythm.beats if beat.position == 1),
        tempi_bpm=(rhythm.tempo_bpm,),
        metre=metre,
        key=_main_key(analysis),
        sections=Spans(
            (*(section.start_s for section in sections), sections[-1].end_s),
            tuple(section.label for section in sections),
        )
        if sections
        else None,
        chords=tuple((c.start_s, c.end_s, c.label) for c in analysis.harmony.chords)
        if analysis.harmony.chords
        else None,
    )


def _main_key(analysis: pb.SongAnalysis) -> str:
    keys = analysis.harmony.keys
    if not keys:
        return "X"
    bounds_s = [*(key.start_s for key in keys), analysis.audio.duration_s]
    lengths_s: dict[str, float] = {}
    for key, (start_s, end_s) in zip(keys, pairwise(bounds_s), strict=True):
        mode = "minor" if key.mode == pb.MODE_MINOR else "major"
        name = f"{key.tonic} {mode}"
        lengths_s[name] = lengths_s.get(name, 0.0) + end_s - start_s
    return max(lengths_s, key=lambda name: lengths_s[name])


def essentia_degara(path: Path) -> Hearing:
    """essentia's BeatTrackerDegara alone, the faster of its two trackers."""
    samples, standard = _mono(path), _essentia()
    beats_s = tuple(float(beat_s) for beat_s in standard.BeatTrackerDegara()(samples))
    return Hearing(beats_s=beats_s, tempi_bpm=(_median_bpm(beats_s),))


def essentia_multifeature(path: Path) -> Hearing:
    """essentia's RhythmExtractor2013 (multifeature) and its KeyExtractor, as they come."""
    samples, standard = _mono(path), _essentia()
    bpm, beats_s, _, _, _ = standard.RhythmExtractor2013(method="multifeature")(samples)
    tonic, mode, _ = standard.KeyExtractor()(samples)
    return Hearing(
        beats_s=tuple(float(beat_s) for beat_s in beats_s),
        tempi_bpm=(float(bpm),),
        key=f"{tonic} {mode}",
    )


def librosa_pipeline(path: Path) -> Hearing:
    """librosa's beat tracker, chroma, MFCC, and sections by Laplacian segmentation."""
    import librosa

    # 22,050 Hz is librosa's own rate.
    samples, rate_hz = librosa.load(path, sr=22_050)
    tempo_bpm, beats = librosa.beat.beat_track(y=samples, sr=rate_hz, trim=False)
    sections = _laplacian_sections(samples, rate_hz, beats)
    return Hearing(
        beats_s=tuple(float(beat_s) for beat_s in librosa.frames_to_time(beats, sr=rate_hz)),
        tempi_bpm=(float(np.atleast_1d(tempo_bpm)[0]),),
        sections=sections,
    )


def _laplacian_sections(samples: Any, rate_hz: float, beats: Any) -> Spans:
    """Structure as McFee and Ellis find it ("Analyzing song structure with spectral clustering",
    ISMIR 2014), with librosa's parts.

    A graph joins beats that sound alike in harmony, and each beat with the next by timbre; its
    Laplacian's first eigenvectors are clustered.
    """
    import librosa
    import scipy.linalg
    import scipy.ndimage
    from sklearn.cluster import KMeans

    # Chroma as a user of the pipeline would keep it; the graph wants the finer constant-Q.
    librosa.feature.chroma_cqt(y=samples, sr=rate_hz)
    octaves, per_octave = 7, 36
    pitches = librosa.amplitude_to_db(
        np.abs(
            librosa.cqt(
                y=samples, sr=rate_hz, bins_per_octave=per_octave, n_bins=octaves * per_octave
            )
        ),
        ref=np.max,
    )
    mfcc = librosa.feature.mfcc(y=samples, sr=rate_hz)
    starts: Any = librosa.util.fix_frames(beats, x_min=0)
    pitches = librosa.util.sync(pitches, starts, aggregate=np.median)
    mfcc = librosa.util.sync(mfcc, starts)

    alike = librosa.segment.recurrence_matrix(pitches, width=3, mode="affinity", sym=True)
    smooth = librosa.segment.timelag_filter(scipy.ndimage.median_filter)
    alike = smooth(alike, size=(1, 7))

    steps = np.sum(np.diff(mfcc, axis=1) ** 2, axis=0)
    near = np.exp(-steps / max(float(np.median(steps)), 1e-9))
    path = np.diag(near, 1) + np.diag(near, -1)
    along, across = path.sum(axis=1), alike.sum(axis=1)
    share = along @ (along + across) / max(float(np.sum((along + across) ** 2)), 1e-9)
    graph = share * alike + (1.0 - share) * path

    roots = 1.0 / np.sqrt(np.maximum(graph.sum(axis=1), 1e-9))
    laplacian = np.eye(len(graph)) - roots[:, None] * graph * roots
    _, vectors = scipy.linalg.eigh(laplacian)
    vectors = scipy.ndimage.median_filter(vectors, size=(9, 1))
    norms = np.sqrt(np.cumsum(vectors**2, axis=1))
    clusters = min(LAPLACIAN_CLUSTERS, len(graph))
    places = vectors[:, :clusters] / np.maximum(norms[:, clusters - 1 : clusters], 1e-9)
    labels = KMeans(clusters, n_init=10, random_state=0).fit_predict(places)

    times_s = librosa.frames_to_time(starts, sr=rate_hz)
    edges = np.flatnonzero(np.diff(labels, prepend=-1))
    return Spans(
        (*(float(times_s[edge]) for edge in edges), len(samples) / rate_hz),
        tuple(str(labels[edge]) for edge in edges),
    )


def _median_bpm(beats_s: tuple[float, ...]) -> float:
    return 60.0 / float(np.median(np.diff(beats_s))) if len(beats_s) > 1 else 0.0


def _essentia() -> Any:
    from soundsight_analyzer.quiet import essentia_standard

    return essentia_standard()


def _mono(path: Path) -> NDArray[np.float32]:
    from songsmith.files import read_mono

    return np.ascontiguousarray(read_mono(path))


LISTENERS: dict[str, Listener] = {
    "soundsight": soundsight,
    "essentia multifeature": essentia_multifeature,
    "essentia degara": essentia_degara,
    "librosa": librosa_pipeline,
}
