"""Converts BeatNet's weights from its wheel into one archive of numpy arrays, without PyTorch.

    pip download BeatNet==1.1.3 --no-deps
    python services/analyzer/tools/convert_beatnet.py BeatNet-1.1.3-py3-none-any.whl

writes `beatnet.npz` into the analyzer's weights. A PyTorch file is a zip archive of one pickle and
the raw bytes of each tensor; the pickle is read by an unpickler that knows four names and refuses
every other. The arrays are stored in half precision: activations change by less than a hundredth.
"""

from __future__ import annotations

import argparse
import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

TARGET = Path(__file__).parents[1] / "src/soundsight_analyzer/weights/beatnet.npz"
MODELS = (1, 2, 3)
# Left over in the files: the state in which training ended.
IGNORED = {"hidden", "cell"}


class _FloatStorage:
    """Stands for torch.FloatStorage."""


class _TensorUnpickler(pickle.Unpickler):
    """Builds numpy arrays where the pickle asks for tensors."""

    def __init__(self, data: bytes, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(data))
        self._archive = archive
        self._folder = folder

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "FloatStorage"): _FloatStorage,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, kind, key, _, count = pid
        if kind is not _FloatStorage:
            raise pickle.UnpicklingError(f"tensor {key} does not hold 32-bit floats")
        values = np.frombuffer(self._archive.read(f"{self._folder}/data/{key}"), "<f4")
        return values[:count]


def _rebuild(
    storage: np.ndarray, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> np.ndarray:
    view = np.lib.stride_tricks.as_strided(
        storage[offset:], shape, tuple(4 * step for step in stride)
    )
    return view.copy()


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch file by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        unpickler = _TensorUnpickler(archive.read(pickled), archive, pickled.rsplit("/", 1)[0])
        return dict(unpickler.load())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--target", type=Path, default=TARGET)
    args = parser.parse_args()
    arrays = {}
    with zipfile.ZipFile(args.wheel) as wheel:
        for model in MODELS:
            tensors = read_tensors(wheel.read(f"BeatNet/models/model_{model}_weights.pt"))
            for name, values in tensors.items():
                if name not in IGNORED:
                    arrays[f"{model}/{name}"] = values.astype(np.float16)
    write_archive(args.target, arrays)


def write_archive(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes an npz that is the same to the last byte whenever it is made."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            body = io.BytesIO()
            np.save(body, arrays[name], allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), body.getvalue())


if __name__ == "__main__":
    main()
