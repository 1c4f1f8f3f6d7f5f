"""Paints pictures with OpenGL: one world, one size, bloom, grade, edges, Y'CbCr.

A GL context belongs to the thread that made it. Drawing is asynchronous: `draw` hands a frame to
the driver, `read` waits for it, so that a caller can encode one frame while the driver's own
threads paint the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from soundsight_videogen.builtin.shaders import shader_source

UniformValue = float | Sequence[float]
_NEAR, _FAR = 4, 16
# Typed as anything: the library's stub wants a dictionary for each setting, its code a text.
_WITHOUT_DISPLAY: Any = {"backend": "egl"}
_BLOOM_THRESHOLD = 0.7
_MOST_CORNERS = 6


class PainterUnavailable(Exception):
    """There is no OpenGL on this machine that can be used without a display."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What the last passes do with a scene's light. Hues are linear RGB over luminance."""

    exposure: float
    bloom: float
    contrast: float
    pivot: float
    hue_pull: float
    hues: Sequence[Sequence[float]]
    hue_weights: Sequence[float]
    shadow_tone: Sequence[float]


@dataclass(frozen=True, slots=True)
class Patch:
    """A convex part of the picture and the shader that paints it.

    `polygon` holds 3 to 6 corners in clip coordinates, -1 to 1; y points up.
    """

    shader: str
    switches: frozenset[str]
    polygon: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Target:
    framebuffer: moderngl.Framebuffer
    texture: moderngl.Texture


@dataclass(frozen=True, slots=True)
class _Pass:
    program: moderngl.Program
    fan: moderngl.VertexArray
    whole: moderngl.VertexArray

    def set(self, values: Mapping[str, UniformValue | bytes]) -> None:
        """Sets the uniforms that the shader uses; the compiler drops the others."""
        for name, value in values.items():
            uniform = self.program.get(name, None)
            if isinstance(uniform, moderngl.Uniform):
                if isinstance(value, bytes):
                    uniform.write(value)
                else:
                    uniform.value = value


class Painter:
    """An OpenGL context without a window, and the pictures of one size that it paints."""

    def __init__(self) -> None:
        """Raises PainterUnavailable when there is no usable OpenGL."""
        try:
            self._context = moderngl.create_standalone_context(require=330, **_WITHOUT_DISPLAY)
        except Exception as error:  # moderngl raises bare Exception
            raise PainterUnavailable(
                f"OpenGL 3.3 through EGL is not available ({error}); on Debian or Ubuntu install "
                "libegl1, libgl1 and libgl1-mesa-dri"
            ) from error
        # One triangle that covers the picture.
        corners = np.array([-1, -1, 3, -1, -1, 3], dtype=np.float32)
        self._corners = self._context.buffer(corners.tobytes())
        self._fan = self._context.buffer(reserve=_MOST_CORNERS * 8, dynamic=True)
        self._programs: dict[tuple[str, frozenset[str]], _Pass] = {}
        self._size = (0, 0)

    @property
    def renderer(self) -> str:
        """What the driver calls itself, such as `llvmpipe (LLVM 15.0.6, 256 bits)`."""
        return str(self._context.info["GL_RENDERER"])

    def prepare(self, width: int, height: int) -> None:
        """Makes the buffers of a size."""
        if self._size == (width, height):
            return
        self._release_targets()
        self._size = (width, height)
        self._scene = self._target(width, height, "f2")
        self._graded = self._target(width, height, "f1")
        self._near = [self._target(_less(width, _NEAR), _less(height, _NEAR), "f2") for _ in "ab"]
        self._far = [self._target(_less(width, _FAR), _less(height, _FAR), "f2") for _ in "ab"]
        self._output = self._target(width, height, "f1")

    def draw(
        self,
        patches: Sequence[Patch],
        uniforms: Mapping[str, UniformValue | bytes],
        grade: Grade,
        dither_seed: float,
    ) -> None:
        """Starts painting a frame whose patches cover it; read it before the next is drawn."""
        width, height = self._size
        for patch in patches:
            step = self._pass(patch.shader, patch.switches)
            step.set({**uniforms, "resolution": (width, height)})
            fan = np.asarray(patch.polygon, dtype=np.float32)
            self._fan.write(fan.tobytes())
            self._scene.framebuffer.use()
            step.fan.render(moderngl.TRIANGLE_FAN, vertices=len(fan))
        self._bloom()
        self._run(
            "post/grade.glsl",
            self._graded,
            (("source", self._scene), ("bloom_near", self._near[0]), ("bloom_far", self._far[0])),
            {
                "exposure": grade.exposure,
                "contrast": grade.contrast,
                "pivot": grade.pivot,
                "bloom": grade.bloom,
                "hue_pull": grade.hue_pull,
                "hue": _floats(grade.hues),
                "hue_unit": _floats([_unit(hue) for hue in grade.hues]),
                "hue_weight": _floats(grade.hue_weights),
                "shadow_tone": tuple(grade.shadow_tone),
            },
        )
        self._run(
            "post/finish.glsl",
            self._output,
            (("source", self._graded), ("things", self._scene)),
            {"pixel": (1.0 / width, 1.0 / height), "dither_seed": dither_seed},
        )

    def read(self) -> NDArray[np.uint8]:
        """The frame drawn last: Y'CbCr (BT.709, 16 to 235), (height, width, 3), top row first."""
        width, height = self._size
        data = self._output.framebuffer.read(components=3, alignment=1)
        return np.frombuffer(data, dtype=np.uint8).reshape(height, width, 3)[::-1]

    def close(self) -> None:
        """Gives the context back."""
        self._release_targets()
        self._context.release()

    def _bloom(self) -> None:
        width, height = self._size
        near, far = self._near, self._far
        shrink: dict[str, UniformValue | bytes] = {
            "pixel": (1.0 / width, 1.0 / height),
            "threshold": _BLOOM_THRESHOLD,
        }
        self._run("post/bright.glsl", near[0], (("source", self._scene),), shrink)
        self._blur(near)
        wide: dict[str, UniformValue | bytes] = {
            "pixel": (1.0 / near[0].texture.width, 1.0 / near[0].texture.height)
        }
        self._run("post/bright.glsl", far[0], (("source", near[0]),), {**wide, "threshold": 0.0})
        self._blur(far)

    def _blur(self, pair: list[_Target]) -> None:
        width, height = pair[0].texture.size
        for source, target, direction in (
            (pair[0], pair[1], (1.0 / width, 0.0)),
            (pair[1], pair[0], (0.0, 1.0 / height)),
        ):
            self._run("post/blur.glsl", target, (("source", source),), {"direction": direction})

    def _run(
        self,
        shader: str,
        target: _Target,
        textures: Sequence[tuple[str, _Target]],
        uniforms: Mapping[str, UniformValue | bytes],
    ) -> None:
        step = self._pass(shader)
        step.set(uniforms)
        for unit, (name, source) in enumerate(textures):
            source.texture.use(unit)
            step.set({name: unit})
        target.framebuffer.use()
        step.whole.render(moderngl.TRIANGLES)

    def _pass(self, shader: str, switches: frozenset[str] = frozenset()) -> _Pass:
        name = (shader, switches)
        if name not in self._programs:
            program = self._context.program(
                vertex_shader=shader_source("screen.vert.glsl"),
                fragment_shader=shader_source(shader, switches),
            )
            fan, whole = (
                self._context.vertex_array(program, [(corners, "2f", "corner")])
                for corners in (self._fan, self._corners)
            )
            self._programs[name] = _Pass(program, fan, whole)
        return self._programs[name]

    def _target(self, width: int, height: int, dtype: str) -> _Target:
        texture = self._context.texture((width, height), 4, dtype=dtype)
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        texture.repeat_x = texture.repeat_y = False
        return _Target(self._context.framebuffer([texture]), texture)

    def _release_targets(self) -> None:
        if self._size == (0, 0):
            return
        for target in (self._scene, self._graded, *self._near, *self._far, self._output):
            target.framebuffer.release()
            target.texture.release()


def _less(length: int, by: int) -> int:
    return max(1, length // by)


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


def _floats(values: Sequence[float] | Sequence[Sequence[float]]) -> bytes:
    return np.asarray(values, dtype=np.float32).tobytes()
