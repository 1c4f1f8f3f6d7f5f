#!/usr/bin/env bash
# Copies the bill of materials out of images that were built: sbom.sh FOLDER IMAGE...
#
# Each image holds its own, in CycloneDX, of the Python packages in it with versions and licences; it
# was written when the image was built. Debian's packages are known to the image's dpkg.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/images/engine.sh
. deploy/images/engine.sh

copy_out() { # IMAGE PATH DESTINATION
  local container folder
  if [ "$engine" = buildah ]; then
    container="$(buildah from --pull-never "$(reference "$1")")"
    folder="$(buildah mount "$container")"
    cp "$folder$2" "$3" || { buildah rm "$container" >/dev/null; return 1; }
  else
    container="$("$engine" create "$(reference "$1")")"
    "$engine" cp "$container:$2" "$3" || { "$engine" rm "$container" >/dev/null; return 1; }
  fi
  "$engine" rm "$container" >/dev/null
}

[ $# -ge 2 ] || stop "usage: sbom.sh FOLDER IMAGE..."
folder="$1"
shift
engine="$(find_engine)"
mkdir -p "$folder"
for image in "$@"; do
  case "$image" in
    vllm*) environment=/opt/soundsight/.venv-vllm ;;
    *) environment=/opt/soundsight ;;
  esac
  copy_out "$image" "$environment/sbom.cdx.json" "$folder/$image.cdx.json"
  echo "wrote $folder/$image.cdx.json"
done
