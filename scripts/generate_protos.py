"""Generates the Python code of the contracts: protos/soundsight/ -> protos/src/soundsight/.

Contracts of others that a part serves lie in a module of their own, protos/external/: their code is
generated beside ours, and that is all that happens to them.

    generate_protos.py             writes what has changed (`make protos`)
    generate_protos.py --check     writes nothing; exits 1 and names the files that are stale
    generate_protos.py --release   records our contracts as released, in protos/released.binpb:
                                   `make lint` refuses changes that would break callers of these

Generated code must never be newer than the runtime it meets, so protoc comes from the grpcio-tools
that locks/dev.txt pins beside the protobuf runtime. Google's own protos (google/api, google/rpc)
are the ones that googleapis-common-protos installs.
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
import tempfile
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent.parent / "protos"
EXTERNAL = PROTOS / "external"
GENERATED = PROTOS / "src" / "soundsight"
RELEASED = PROTOS / "released.binpb"
PATTERNS = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def run_protoc(module: Path, *arguments: str) -> None:
    """Compiles the contracts of a module, PROTOS or EXTERNAL, with the given outputs; exits with
    protoc's own message on errors."""
    scripts = Path(sysconfig.get_path("scripts"))
    command = [
        "protoc",
        f"-I{module}",
        f"-I{sysconfig.get_path('purelib')}",
        f"-I{Path(protoc.__file__).parent / '_proto'}",
        f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        *arguments,
        *(str(path.relative_to(module)) for path in sorted(module.glob("soundsight/**/*.proto"))),
    ]
    if protoc.main(command) != 0:
        sys.exit("protoc failed: see its messages above.")


def write_image(destination: Path, *, source_info: bool) -> None:
    """Writes our contracts and what they import as one FileDescriptorSet, which buf reads."""
    options = ["--include_imports", *(["--include_source_info"] if source_info else [])]
    run_protoc(PROTOS, *options, f"--descriptor_set_out={destination}")


def generate() -> dict[Path, str]:
    """Returns every generated file's text by its path below protos/src/soundsight."""
    with tempfile.TemporaryDirectory() as folder:
        for module in (PROTOS, EXTERNAL):
            run_protoc(
                module,
                f"--python_out={folder}",
                f"--grpc_python_out={folder}",
                f"--mypy_out=quiet:{folder}",
                f"--mypy_grpc_out=quiet:{folder}",
            )
        root = Path(folder) / "soundsight"
        files = {path.relative_to(root): path.read_text() for path in sorted(root.rglob("*.py*"))}
    # Protos without a service get gRPC modules that hold nothing: leave those out.
    for path in list(files):
        if path.name.endswith("_pb2_grpc.py") and "Servicer" not in files[path]:
            del files[path]
            files.pop(path.with_suffix(".pyi"), None)
    for path in {parent for file in files for parent in file.parents} - {Path()}:
        package = ".".join(("soundsight", *path.parts))
        files[path / "__init__.py"] = f'"""Generated code of the contracts in {package}."""\n'
    return files


def committed() -> dict[Path, str]:
    """Returns the generated files as they lie in the repository."""
    paths = {path for pattern in PATTERNS for path in GENERATED.rglob(pattern)}
    paths |= set(GENERATED.rglob("__init__.py")) - {GENERATED / "__init__.py"}
    return {path.relative_to(GENERATED): path.read_text() for path in sorted(paths)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Generates the Python code of the contracts.")
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when stale")
    parser.add_argument("--release", action="store_true", help="also record them as released")
    arguments = parser.parse_args()

    wanted, present = generate(), committed()
    stale = sorted(
        path for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path)
    )
    if arguments.check:
        for path in stale:
            print(f"{GENERATED / path}: differs from what the .proto files give", file=sys.stderr)
        if stale:
            print("The generated code is stale: run `make protos`.", file=sys.stderr)
        return 1 if stale else 0

    for path in stale:
        target = GENERATED / path
        if path in wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted[path])
        else:
            target.unlink()
    print(f"{len(wanted)} generated files, {len(stale)} of them changed.")
    if arguments.release:
        write_image(RELEASED, source_info=False)
        print(f"Recorded the contracts as released in {RELEASED.relative_to(PROTOS.parent)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
