#!/usr/bin/env bash
# Compiles locks/*.in, and the dependencies that the parts declare, to locks/*.txt with hashes, for
# Python 3.11 to 3.13 on every system.
#
#   lock.sh             keeps the versions that are pinned already, as far as they still fit
#   lock.sh --upgrade   takes the newest versions
#   lock.sh --check     writes nothing; fails when `make lock` would change a lock file
set -euo pipefail
cd "$(dirname "$0")/.."

mode="${1:-}"
folder=locks
if [ "$mode" = --check ]; then
  # The pinned versions are read from copies, so that the check upgrades nothing.
  folder="$(mktemp -d)"
  trap 'rm -rf "$folder"' EXIT
  cp locks/runtime.txt locks/dev.txt locks/torch.txt "$folder/"
fi

# compile NAME [OPTION...]
compile() {
  local name="$1"
  shift
  # --fork-strategy fewest: one version of a library for all interpreters wherever there is one.
  # --no-emit-package: the parts themselves are installed from the clone, they have no hashes.
  # --system-certs: trust what the machine trusts, as pip does.
  # The last options keep the registry that was used out of the files.
  .venv/bin/uv pip compile "locks/$name.in" --output-file "$folder/$name.txt" \
    --quiet --system-certs --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
    --no-emit-package soundsight-protos --no-emit-package soundsight-kit \
    --no-emit-package soundsight-analyzer --no-emit-package soundsight-scenewriter \
    --no-emit-package soundsight-videogen --no-emit-package soundsight-composer \
    --no-emit-package soundsight-gateway --no-emit-package soundsight-client \
    --no-emit-package soundsight \
    --custom-compile-command "make lock" --no-annotate \
    --no-emit-index-url --no-emit-find-links \
    "$@" >/dev/null
}

upgrade=()
if [ "$mode" = --upgrade ]; then
  upgrade=(--upgrade)
fi
compile runtime "${upgrade[@]}"
compile dev --constraint "$folder/runtime.txt" "${upgrade[@]}"
compile torch --constraint "$folder/runtime.txt" --override locks/torch.override.in \
  --no-emit-package torch "${upgrade[@]}"

if [ "$mode" = --check ]; then
  for name in runtime dev torch; do
    if ! diff -u "locks/$name.txt" "$folder/$name.txt"; then
      echo "locks/$name.txt does not fit what the parts declare: run \`make lock\`." >&2
      exit 1
    fi
  done
fi
