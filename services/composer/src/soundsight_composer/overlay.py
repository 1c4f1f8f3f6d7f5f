"""What is laid over a picture: how much of it each pixel covers, and with what. I420, BT.709."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """One plane's part of an overlay: a box of the plane, `cover` 0 to 1, `light` already
    multiplied by the cover."""

    top: int
    left: int
    cover: F32
    light: F32


@dataclass(frozen=True, slots=True)
class Overlay:
    """Layers for Y, U and V of a picture of this size; the rest of it stays as it is."""

    width: int
    height: int
    layers: tuple[Layer, Layer, Layer]

    def over(self, picture: U8, strength: float) -> U8:
        """The I420 picture with this over it; a strength of 0 leaves it, 1 shows all of this."""
        made = np.array(picture, np.uint8, order="C")
        for plane, layer in zip(_planes(made, self.width, self.height), self.layers, strict=True):
            rows, columns = layer.cover.shape
            box = plane[layer.top : layer.top + rows, layer.left : layer.left + columns]
            box[...] = np.rint(box + np.float32(strength) * (layer.light - layer.cover * box))
        return made

    def save(self, path: Path) -> None:
        """Writes it to a file that `load` reads."""
        arrays: dict[str, NDArray[np.generic]] = {"size": np.array([self.width, self.height])}
        for number, layer in enumerate(self.layers):
            arrays[f"corner{number}"] = np.array([layer.top, layer.left])
            arrays[f"cover{number}"] = layer.cover
            arrays[f"light{number}"] = layer.light
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub misses plain arrays

    @classmethod
    def load(cls, path: Path) -> Overlay:
        """Reads what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            width, height = (int(side) for side in arrays["size"])

            def layer(number: int) -> Layer:
                top, left = (int(at) for at in arrays[f"corner{number}"])
                return Layer(top, left, arrays[f"cover{number}"], arrays[f"light{number}"])

            y, u, v = layer(0), layer(1), layer(2)
        return cls(width, height, (y, u, v))


def make_overlay(
    width: int,
    height: int,
    corner: tuple[int, int],
    covers: list[tuple[F32, tuple[int, int, int]]],
) -> Overlay:
    """An overlay of things on top of each other.

    Args:
        width: the picture's.
        height: the picture's.
        corner: top and left of the box that all things share; even numbers.
        covers: per thing, from the bottom up, how much it covers, shape (rows, columns), both
            even; and its colour, RGB 0 to 255.
    """
    top, left = corner
    shape = covers[0][0].shape
    cover = np.zeros(shape, np.float32)
    lights = [np.zeros(shape, np.float32) for _ in range(3)]
    for part, rgb in covers:
        for light, value in zip(lights, ycbcr(*rgb), strict=True):
            light += part * (np.float32(value) - light)
        cover += part * (1 - cover)
    y, u, v = lights
    half = (top // 2, left // 2)
    return Overlay(
        width,
        height,
        (
            Layer(top, left, cover, y),
            Layer(*half, cover=_halved(cover), light=_halved(u)),
            Layer(*half, cover=_halved(cover), light=_halved(v)),
        ),
    )


def ycbcr(red: int, green: int, blue: int) -> tuple[float, float, float]:
    """A colour as BT.709 in limited range."""
    luma = (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
    return (
        16 + 219 * luma,
        128 + 224 * (blue / 255 - luma) / 1.8556,
        128 + 224 * (red / 255 - luma) / 1.5748,
    )


def _planes(picture: U8, width: int, height: int) -> tuple[U8, U8, U8]:
    """Views of an I420 picture's planes."""
    flat = picture.reshape(-1)
    luma, chroma = width * height, width * height // 4
    half = (height // 2, width // 2)
    return (
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(half),
        flat[luma + chroma :].reshape(half),
    )


def _halved(plane: F32) -> F32:
    """Means of two by two."""
    rows, columns = plane.shape
    means: F32 = plane.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
    return means
