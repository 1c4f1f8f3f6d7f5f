"""Which render and scene the present work is for: carried over gRPC, shown in every log line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

RENDER_KEY = "x-soundsight-render"
SCENE_KEY = "x-soundsight-scene"
MAX_ID_CHARACTERS = 128

_render: ContextVar[str] = ContextVar("soundsight_render", default="")
_scene: ContextVar[str] = ContextVar("soundsight_scene", default="")


@contextmanager
def bind_ids(*, render: str = "", scene: str = "") -> Iterator[None]:
    """Marks the work within the block; an empty id keeps the one around it."""
    tokens = [(_render, _render.set(render or _render.get()))]
    tokens.append((_scene, _scene.set(scene or _scene.get())))
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)


def bound_ids() -> dict[str, str]:
    """The ids of the present work: `render` and `scene`, those that are known."""
    ids = {"render": _render.get(), "scene": _scene.get()}
    return {name: value for name, value in ids.items() if value}


def to_metadata() -> list[tuple[str, str]]:
    """The ids as gRPC metadata."""
    keys = {"render": RENDER_KEY, "scene": SCENE_KEY}
    return [(keys[name], value) for name, value in bound_ids().items()]


def ids_from_metadata(metadata: Mapping[str, str | bytes]) -> dict[str, str]:
    """The ids in a call's metadata, as arguments of `bind_ids`. A caller's text is not trusted:
    what is not short and printable is dropped, so that it cannot forge log lines."""
    found = {"render": metadata.get(RENDER_KEY, ""), "scene": metadata.get(SCENE_KEY, "")}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and len(value) <= MAX_ID_CHARACTERS and value.isprintable()
    }
