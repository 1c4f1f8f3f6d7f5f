#!/usr/bin/env bash
# Compiles deploy/images/locks/*.in to *.txt with hashes: what each image holds, in the versions of
# locks/runtime.txt and locks/torch.txt wherever those have one.
#
#   lock.sh             keeps the versions that are pinned already, as far as they still fit
#   lock.sh --upgrade   takes the newest versions of what only images have
#   lock.sh --check     writes nothing; fails when `make lock` would change a lock file
set -euo pipefail
cd "$(dirname "$0")/locks"
root=../../..

parts=()
for part in protos kit analyzer scenewriter videogen composer gateway client; do
  parts+=(--no-emit-package "soundsight-$part")
done

mode="${1:-}"
folder=.
upgrade=()
case "$mode" in
  --check)
    # The pinned versions are read from copies, so that the check upgrades nothing.
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
    cp ./*.txt "$folder/"
    ;;
  --upgrade) upgrade=(--upgrade) ;;
esac

for file in *.in; do
  name="${file%.in}"
  # scripts/lock.sh tells what the options are for. torch is left out: install.sh brings it.
  "$root/.venv/bin/uv" pip compile "$file" --output-file "$folder/$name.txt" \
    --constraint "$root/locks/runtime.txt" --constraint "$root/locks/torch.txt" \
    --override "$root/locks/torch.override.in" \
    --quiet --system-certs --universal --python-version 3.11 --fork-strategy fewest \
    --generate-hashes --custom-compile-command "make lock" --no-annotate --no-emit-index-url \
    --no-emit-find-links --no-emit-package soundsight "${parts[@]}" "${upgrade[@]}" >/dev/null
  if [ "$mode" = --check ] && ! diff -u "$name.txt" "$folder/$name.txt"; then
    echo "deploy/images/locks/$name.txt does not fit what the parts declare: run \`make lock\`." >&2
    exit 1
  fi
done
