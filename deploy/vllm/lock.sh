#!/usr/bin/env bash
# Compiles cpu.in and cuda.in to cpu.txt and cuda.txt, with hashes.
#
#   lock.sh             keeps the versions that are pinned already, as far as they still fit
#   lock.sh --upgrade   takes the newest versions that vLLM allows
set -euo pipefail
cd "$(dirname "$0")"

# compile NAME [OPTION...]
compile() {
  local name="$1"
  shift
  ../../.venv/bin/uv pip compile "$name.in" --output-file "$name.txt" \
    --quiet --system-certs --universal --python-version 3.11 --fork-strategy fewest \
    --generate-hashes --custom-compile-command "deploy/vllm/lock.sh" --no-annotate \
    --no-emit-index-url --no-emit-find-links "$@" >/dev/null
}

compile cpu --override cpu-overrides.txt "$@"
compile cuda "$@"
