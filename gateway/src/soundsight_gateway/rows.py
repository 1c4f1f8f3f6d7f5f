"""Between rows and messages: how a render lies in its tables. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import states
from soundsight_gateway.names import RenderRef

M = TypeVar("M", bound=Message)

PAUSED_NOTE = "paused: ask for the same render again and it goes on where it stopped"


FAILURES_KEPT: Final = 10
"""Of a stage or a scene; a patient policy could fill the tables."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt at a stage that failed and was made again."""

    step: str
    """The step of the workflow that failed; a stage may have more than one."""
    times: int
    """How often that step had failed, this time included."""
    number: int
    """Its number among the stage's failures, from 1."""
    time_us: int
    error: str
    """A google.rpc.Status as protobuf JSON."""


@dataclass(frozen=True, slots=True)
class Span:
    """When a stage began and, once it has, ended, in microseconds since 1970; and what went wrong
    in it."""

    state: states.State
    start_us: int
    end_us: int | None = None
    failures: tuple[Failure, ...] = ()


def dump(message: Message) -> str:
    """A message as one line of protobuf JSON."""
    return json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True)


def load(text: str, message: M) -> M:
    """Fills `message` from protobuf JSON; fields of a later version are left out."""
    return json_format.Parse(text, message, ignore_unknown_fields=True)


def timestamp(us: int) -> Timestamp:
    """A moment in microseconds since 1970 as a message."""
    moment = Timestamp()
    moment.FromMicroseconds(us)
    return moment


def load_spans(text: str) -> list[Span]:
    """The stages in a `timings` column."""
    return [
        Span(state, start_us, end_us, tuple(Failure(*one) for one in failures[0]))
        if failures
        else Span(state, start_us, end_us)
        for state, start_us, end_us, *failures in json.loads(text)
    ]


def dump_spans(spans: Iterable[Span]) -> str:
    """Stages for a `timings` column."""
    return json.dumps(
        [
            [span.state, span.start_us, span.end_us, *_failures_column(span.failures)]
            for span in spans
        ]
    )


def _failures_column(failures: Sequence[Failure]) -> list[Any]:
    """A fourth column for what failed; none for most stages, as in rows of before."""
    rows = [[one.step, one.times, one.number, one.time_us, one.error] for one in failures]
    return [rows] if rows else []


def spans_with_failure(
    spans: Sequence[Span], step: str, times: int, error: status_pb2.Status, now_us: int
) -> list[Span] | None:
    """The stages after a failed attempt at the present one; None when it is there already.

    Before the first stage there is none to count it for.
    """
    if not spans:
        return []
    span = spans[-1]
    if any((one.step, one.times) == (step, times) for one in span.failures):
        return None
    number = span.failures[-1].number + 1 if span.failures else 1
    failure = Failure(step, times, number, now_us, dump(error))
    kept = (*span.failures, failure)[-FAILURES_KEPT:]
    return [*spans[:-1], replace(span, failures=kept)]


def next_spans(spans: Sequence[Span], state: states.State, now_us: int) -> list[Span]:
    """The stages after a change to `state`: what ran has ended, what begins is open."""
    ended = [replace(span, end_us=now_us) if span.end_us is None else span for span in spans]
    if state in states.FINAL or state == states.QUEUED:
        return ended
    return [*ended, Span(state, now_us)]


def add_failure(status: r.SceneStatus, times: int, error: status_pb2.Status) -> None:
    """Adds a failed attempt to a scene, unless it is there already.

    `times` is how often the scene has failed, this time included.
    """
    if all(failure.number != times for failure in status.failures):
        failure = status.failures.add(number=times, error=error)
        failure.time.GetCurrentTime()
        del status.failures[:-FAILURES_KEPT]


def etag(row: sa.Row[Any] | Mapping[str, Any]) -> str:
    """The etag of a render's row."""
    fields = row if isinstance(row, Mapping) else row._mapping
    return f"{fields['revision']:x}-{fields['update_us']:x}"


def render_message(row: sa.Row[Any], labels: Mapping[str, str], scenes: Iterable[str]) -> r.Render:
    """A render as callers see it.

    Args:
        row: its row in `renders`.
        labels: its labels.
        scenes: the `status` columns of its scenes, in order.
    """
    render = r.Render(
        name=RenderRef(row.project, row.render).name,
        etag=etag(row),
        labels=labels,
        spec=load(row.spec, r.RenderSpec()),
        state=row.state,
        sequence=row.sequence,
        create_time=timestamp(row.create_us),
        update_time=timestamp(row.update_us),
        scenes=[load(status, r.SceneStatus()) for status in scenes],
        notes=json.loads(row.notes),
    )
    if row.end_us is not None:
        render.end_time.CopyFrom(timestamp(row.end_us))
    if row.error is not None:
        render.error.CopyFrom(load(row.error, status_pb2.Status()))
    if row.song is not None:
        render.song.CopyFrom(load(row.song, r.CanonicalSong()))
    if row.video is not None:
        render.video.CopyFrom(load(row.video, r.VideoSettings()))
    if row.outputs is not None:
        render.outputs.CopyFrom(load(row.outputs, r.RenderOutputs()))
    for span in load_spans(row.timings):
        timing = render.timings.add(state=span.state, start_time=timestamp(span.start_us))
        if span.end_us is not None:
            timing.end_time.CopyFrom(timestamp(span.end_us))
        timing.attempts = 1 + (span.failures[-1].number if span.failures else 0)
        for failure in span.failures:
            timing.failures.add(
                number=failure.number,
                time=timestamp(failure.time_us),
                error=load(failure.error, status_pb2.Status()),
            )
    if row.paused:
        render.notes.append(PAUSED_NOTE)
    return render
