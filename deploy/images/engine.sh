# shellcheck shell=bash
# What the scripts here share; read with `.`, not run.
#
#   ENGINE     docker, podman or buildah; otherwise the first of them that works
#   REGISTRY   what goes before an image's name, such as registry.example.org/music
#   TAG        the images' tag
#
# An image is named after its part, and a variant of it PART-VARIANT; the variant goes into the tag:
#   videogen-cuda   soundsight-videogen:TAG-cuda

REGISTRY="${REGISTRY:-localhost}"
TAG="${TAG:-0.1.0}"

stop() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

find_engine() {
  local candidate
  for candidate in ${ENGINE:-docker podman buildah}; do
    if "$candidate" info >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  stop "needs docker, podman or buildah, and found none that works." \
    "Name one: make images ENGINE=podman"
}

# reference IMAGE: the full name under which it is built.
reference() {
  local part="${1%%-*}"
  printf '%s/soundsight-%s:%s%s\n' "$REGISTRY" "$part" "$TAG" "${1#"$part"}"
}
