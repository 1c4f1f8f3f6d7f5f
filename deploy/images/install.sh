#!/bin/sh
# Makes /opt/soundsight, the environment that an image runs. Called in the build stage of the
# Dockerfiles, in the folder with the sources, so that a change of the sources installs them alone:
#
#   install.sh dependencies LOCK...   what locks/LOCK.txt pin, and torch when TORCH asks for it
#   install.sh parts PART             the parts that lie here, and the bill of materials of PART
#   install.sh bill ENVIRONMENT       only the bill of materials of another environment
#
# TORCH is none, cpu or cuda. TORCH_INDEX names the index that torch comes from, where it is not
# pip's own.
set -eu

TORCH_VERSION=2.13.0
images="$(dirname "$(readlink -f "$0")")"
tools=/opt/build
target=/opt/soundsight

stop() {
  echo "install.sh: $*" >&2
  exit 1
}

# pip lives in the tools' environment and installs into the target's, which has none.
pip() { "$tools/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@"; }
pip_into_target() { pip --python "$target/bin/python" install "$@"; }

make_tools() {
  python3 -m venv "$tools" || stop "the base image needs Python 3.11 to 3.13 with venv"
  pip install --require-hashes --requirement "$images/locks/build.txt"
}

install_torch() {
  if [ -n "${TORCH_INDEX:-}" ]; then
    pip_into_target --index-url "$TORCH_INDEX" "torch==$TORCH_VERSION"
  else
    pip_into_target "torch==$TORCH_VERSION"
  fi
  built_for="$("$target/bin/python" -c 'import torch; v = torch.version; print("cuda" if v.cuda or v.hip else "cpu")')"
  [ "$built_for" = "$TORCH" ] || stop "this torch is built for $built_for, the image is for $TORCH:" \
    "name an index of such builds with TORCH_INDEX"
}

write_bill() { # ENVIRONMENT [PYPROJECT]
  "$tools/bin/cyclonedx-py" environment "$1/bin/python" ${2:+--pyproject "$2"} \
    --mc-type application --output-reproducible --output-file "$1/sbom.cdx.json"
}

what="${1:-}"
[ $# -ge 2 ] || stop "usage: install.sh dependencies LOCK... | parts PART | bill ENVIRONMENT"
shift
case "$what" in
  dependencies)
    make_tools
    python3 -m venv --without-pip "$target"
    if [ "${TORCH:-none}" != none ]; then
      install_torch
    fi
    for lock in "$@"; do
      pip_into_target --require-hashes --requirement "$images/locks/$lock.txt"
    done
    ;;
  parts)
    # The parts have no hashes, hence a step of their own; what builds them is pinned.
    find . -name pyproject.toml -not -path './deploy/*' -printf '%h\0' \
      | xargs -0 "$tools/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps \
        --no-build-isolation --wheel-dir "$tools/wheels"
    pip_into_target --no-deps "$tools"/wheels/*.whl
    pip --python "$target/bin/python" check
    write_bill "$target" "$1/pyproject.toml"
    ;;
  bill)
    make_tools
    write_bill "$1"
    ;;
  *) stop "no such step: $what" ;;
esac
