#!/usr/bin/env bash
# Builds images: build.sh IMAGE...
#
# IMAGE is gateway, analyzer, scenewriter, videogen, composer, cli or vllm, or a variant:
#   analyzer-reduced                without essentia, so without AGPL-3.0
#   analyzer-cuda,  videogen-cuda   with models on NVIDIA's GPUs
#   analyzer-cpu,   videogen-cpu    with models on the processor
#   vllm-cpu                        language models on the processor
#
# From the environment, beside what engine.sh reads:
#   BASE          Debian with Python 3.11 to 3.13; its pip and apt configuration is used
#   TORCH_INDEX   the index that torch comes from
#   SOURCE        where the source of what is built can be had, for the images' labels
#   ENGINE_ARGS   further arguments for the engine, such as --no-cache
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/images/engine.sh
. deploy/images/engine.sh

build() {
  local image="$1" arguments=() started
  case "$image" in
    gateway | analyzer | scenewriter | videogen | composer | cli | vllm) ;;
    analyzer-reduced) arguments=(--build-arg ESSENTIA=) ;;
    analyzer-cuda | videogen-cuda) arguments=(--build-arg TORCH=cuda) ;;
    analyzer-cpu | videogen-cpu) arguments=(--build-arg TORCH=cpu) ;;
    vllm-cpu) arguments=(--build-arg BUILD=cpu) ;;
    *) stop "there is no image $image; the head of deploy/images/build.sh lists them" ;;
  esac
  case "$image" in
    vllm | *-cpu | *-cuda) arguments+=(--build-arg "TORCH_INDEX=${TORCH_INDEX:-}") ;;
  esac
  if [ -n "${BASE:-}" ]; then
    arguments+=(--build-arg "BASE=$BASE")
  fi
  started="$(date +%s)"
  # shellcheck disable=SC2086  # ENGINE_ARGS are words
  "$engine" build --file "deploy/images/${image%%-*}.Dockerfile" --tag "$(reference "$image")" \
    "${arguments[@]}" "${labels[@]}" ${ENGINE_ARGS:-} .
  echo "built $(reference "$image") in $(($(date +%s) - started)) s"
}

[ $# -gt 0 ] || stop "name images, such as gateway or videogen-cuda; the head of" \
  "deploy/images/build.sh lists them"
engine="$(find_engine)"
labels=(--label "org.opencontainers.image.version=$TAG")
if revision="$(git rev-parse HEAD 2>/dev/null)"; then
  labels+=(--label "org.opencontainers.image.revision=$revision")
fi
if [ -n "${SOURCE:-}" ]; then
  labels+=(--label "org.opencontainers.image.source=$SOURCE")
fi
for image in "$@"; do
  build "$image"
done
