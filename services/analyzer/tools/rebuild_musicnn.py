"""Rebuilds the frozen musicnn graphs from the published wheel, without TensorFlow.

    pip download musicnn==0.1.0 --no-deps
    python rebuild_musicnn.py musicnn-0.1.0-py3-none-any.whl [--out DIRECTORY]

The wheel holds the trained variables as TensorFlow 1 checkpoints beside a graph made for training.
This script writes the network anew for inference (Pons and Serra, "musicnn: Pre-trained
convolutional neural networks for music audio tagging", 2019) and puts the variables in as
constants. The result is the same to the last byte on every machine; SHA256SUMS beside the weights
names it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path

import numpy as np
from tf_checkpoint import read_checkpoint
from tf_graph import Graph, a_bool, a_number

WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
MODELS = {"msd": "MSD_musicnn", "mtt": "MTT_musicnn"}
FRAMES, BANDS = 187, 96
EPSILON = 0.001  # of batch normalisation, the default of tf.layers
WEIGHTS = Path(__file__).resolve().parent.parent / "src" / "soundsight_analyzer" / "weights"

Variables = dict[str, np.ndarray]


def read_variables(wheel: zipfile.ZipFile, model: str) -> Variables:
    """The trained variables of a model in the wheel, without the optimiser's."""
    folder = f"musicnn/{model}/"
    variables = read_checkpoint(
        wheel.read(folder + ".index"), wheel.read(folder + ".data-00000-of-00001")
    )
    return {name: values for name, values in variables.items() if "Adam" not in name}


def build_graph(variables: Variables) -> bytes:
    """The network for inference: (batch, 187, 96) log-mel in, (batch, 50) probabilities out."""
    graph = Graph()

    def conv(index: int, source: str, padding: str) -> str:
        name = _numbered("conv2d", index)
        kernel, bias = variables[f"{name}/kernel"], variables[f"{name}/bias"]
        return graph.conv2d(f"model/{name}", source, kernel, bias, padding)

    def norm(index: int, source: str) -> str:
        name = _numbered("batch_normalization", index)
        return graph.batch_norm(
            f"model/{name}", source, _norm_parameters(variables, index), EPSILON
        )

    def dense(index: int, source: str) -> str:
        name = _numbered("dense", index)
        kernel = graph.constant(f"model/{name}/kernel", variables[f"{name}/kernel"])
        bias = graph.constant(f"model/{name}/bias", variables[f"{name}/bias"])
        product = graph.matmul(f"model/{name}/MatMul", source, kernel)
        return graph.binary(f"model/{name}/Add", "AddV2", product, bias)

    def flat_norm(index: int, source: str) -> str:
        scale, shift = _affine(_norm_parameters(variables, index))
        name = f"model/{_numbered('batch_normalization', index)}"
        scaled = graph.binary(f"{name}/Mul", "Mul", source, graph.constant(f"{name}/scale", scale))
        return graph.binary(f"{name}/Add", "AddV2", scaled, graph.constant(f"{name}/shift", shift))

    patches = graph.placeholder("model/Placeholder", [-1, FRAMES, BANDS])
    image = graph.with_integers("model/Image", "ExpandDims", [patches], 3, "Tdim")
    image = norm(0, image)

    # Front end: timbres are tall filters, rhythms are long ones; each keeps its best band.
    padded = graph.pad_time("model/FrontPad", image, 3)
    features = []
    for index in range(5):
        timbral = index < 2
        source, padding = (padded, "VALID") if timbral else (image, "SAME")
        bands = BANDS - variables[f"{_numbered('conv2d', index)}/kernel"].shape[1] + 1
        heard = norm(index + 1, conv(index, source, padding))
        features.append(graph.max_over_bands(f"model/Front{index}", heard, bands))
    join = {"N": a_number(len(features))}
    front = graph.with_integers("model/Front", "ConcatV2", features, 2, "Tidx", **join)
    front = graph.with_integers("model/FrontImage", "ExpandDims", [front], 3, "Tdim")

    # Middle: three layers, each adding to the one before it, all of them kept.
    layers = [front]
    for index in range(3):
        padded = graph.pad_time(f"model/MiddlePad{index}", layers[-1], 3)
        heard = norm(index + 6, conv(index + 5, padded, "VALID"))
        layer = graph.with_integers(
            f"model/Middle{index}", "Transpose", [heard], [0, 1, 3, 2], "Tperm"
        )
        if index:
            layer = graph.binary(f"model/MiddleSum{index}", "AddV2", layer, layers[-1])
        layers.append(layer)
    join = {"N": a_number(len(layers))}
    middle = graph.with_integers("model/Middle", "ConcatV2", layers, 2, "Tidx", **join)

    # Back end: maximum and mean over time, then two dense layers.
    keep = {"keep_dims": a_bool(False)}
    strongest = graph.with_integers("model/Max", "Max", [middle], 1, "Tidx", **keep)
    average = graph.with_integers("model/Mean", "Mean", [middle], 1, "Tidx", **keep)
    join = {"N": a_number(2)}
    pooled = graph.with_integers("model/Pool", "ConcatV2", [strongest, average], 2, "Tidx", **join)
    width = variables["dense/kernel"].shape[0]
    flat = graph.with_integers("model/Flat", "Reshape", [pooled], [-1, width], "Tshape")
    hidden = graph.unary("model/dense/Relu", "Relu", dense(0, flat_norm(9, flat)))
    graph.unary("model/Sigmoid", "Sigmoid", dense(1, flat_norm(10, hidden)))
    return graph.serialise()


def _numbered(name: str, index: int) -> str:
    """TensorFlow numbers the second variable of a name `_1`."""
    return f"{name}_{index}" if index else name


def _norm_parameters(variables: Variables, index: int) -> list[np.ndarray]:
    name = _numbered("batch_normalization", index)
    return [
        variables[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
    ]


def _affine(parameters: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    gamma, beta, mean, variance = (values.astype(np.float64) for values in parameters)
    scale = gamma / np.sqrt(variance + EPSILON)
    return scale, beta - mean * scale


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path, help="musicnn-0.1.0-py3-none-any.whl")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where to write (%(default)s)")
    arguments = parser.parse_args()
    found = hashlib.sha256(arguments.wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        parser.error(f"{arguments.wheel} is another file: its SHA-256 is {found}")
    sums = []
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for short, model in MODELS.items():
            graph = build_graph(read_variables(wheel, model))
            path = arguments.out / f"musicnn-{short}.pb"
            path.write_bytes(graph)
            sums.append(f"{hashlib.sha256(graph).hexdigest()}  {path.name}\n")
            sys.stdout.write(f"{path}: {len(graph)} bytes\n")
    (arguments.out / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
