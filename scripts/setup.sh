#!/usr/bin/env bash
# Makes or updates .venv. `make setup` and `make setup-dev` call this when something it reads changed.
#
#   setup.sh runtime   what the suite needs to run, the parts themselves, and the GL library
#   setup.sh dev       what tests and lint need beside that
#   setup.sh torch     PyTorch, for models of the user's own; TORCH_INDEX names the index it comes from
#
# PYTHON names the interpreter to use; otherwise the first suitable one is taken.
set -euo pipefail
cd "$(dirname "$0")/.."

PARTS=(protos kit services/analyzer services/scenewriter services/videogen services/composer
  gateway client cli)
TORCH=torch==2.13.0
GL_PACKAGES=(libegl1 libgl1 libgl1-mesa-dri)

say() { printf 'setup: %s\n' "$*"; }
stop() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# is_suitable PYTHON: whether it runs and is one of the versions the parts are made for.
is_suitable() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

# can_make_venv PYTHON: Debian and Ubuntu keep ensurepip in a package of its own (pythonX.Y-venv).
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# find_python: prints the interpreter to use. One that can make environments goes before one that
# first needs a system package.
find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    is_suitable "$PYTHON" || stop "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13."
    echo "$PYTHON"
    return
  fi
  local candidates=(python3.13 python3.12 python3.11 python3)
  for candidate in "${candidates[@]}"; do
    if is_suitable "$candidate" && can_make_venv "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  for candidate in "${candidates[@]}"; do
    if is_suitable "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  stop "needs Python 3.11, 3.12 or 3.13, and found none." \
    "Install one, or name it: make setup PYTHON=/path/to/python3.12"
}

# can_load_gl PYTHON: whether the libraries that the built-in renderer draws with are there.
can_load_gl() {
  "$1" -c 'import ctypes; ctypes.CDLL("libEGL.so.1"), ctypes.CDLL("libGL.so.1")' 2>/dev/null
}

# install_system_packages PACKAGE...: with apt-get, where that works without a question asked.
install_system_packages() {
  local as_root=() attempt
  if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
  fi
  if command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; then
    say "installing system packages that are missing: $*"
    # The package lists of a fresh machine are empty or old: update them when the first try fails.
    for attempt in first second; do
      if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet --no-install-recommends "$@" </dev/null >/dev/null 2>&1; then
        return
      fi
      if [ "$attempt" = first ]; then
        "${as_root[@]}" apt-get update --quiet </dev/null >/dev/null 2>&1 || true
      fi
    done
  fi
  stop "system packages are missing. Run this, then try again:" \
    "sudo apt-get update && sudo apt-get install -y $*"
}

# is_made_with PYTHON: whether .venv was made with that very interpreter.
is_made_with() {
  local identity='import sys; print(sys.base_prefix, sys.version)'
  [ "$(.venv/bin/python -c "$identity")" = "$("$1" -c "$identity")" ]
}

# make_venv: keeps an environment that works, unless PYTHON asks for another interpreter.
make_venv() {
  local python version missing=()
  if is_suitable .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null; then
    if [ -z "${PYTHON:-}" ] || is_made_with "$PYTHON"; then
      return
    fi
  fi
  python="$(find_python)"
  version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
  # Everything that is missing is asked for at once, and before the long download.
  can_make_venv "$python" || missing+=("python$version-venv")
  can_load_gl "$python" || missing+=("${GL_PACKAGES[@]}")
  if [ "${#missing[@]}" -gt 0 ]; then
    install_system_packages "${missing[@]}"
  fi
  say "making .venv with Python $version ($(command -v "$python"))"
  "$python" -m venv --clear .venv
}

# pip, not uv: it is there already, and it reads the index, certificates and proxy that a user has
# configured for pip. uv takes 6 s where pip takes 28 s with everything at hand; on an ordinary line
# the download of some 520 MB outweighs that, and it is paid once.
pip_install() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@"
}

install_runtime() {
  local part editable=()
  for part in "${PARTS[@]}"; do
    editable+=(--editable "./$part")
  done
  say "installing pinned dependencies (600 MB the first time: minutes on a slow line)"
  pip_install --require-hashes --requirement locks/runtime.txt
  # The parts have no hashes, hence a step of their own. What builds them is pinned above.
  pip_install --no-deps --no-build-isolation "${editable[@]}"
}

# From the usual index, pip brings the build with CUDA on Linux: some 3 GB to download.
install_torch() {
  local index=()
  if [ -n "${TORCH_INDEX:-}" ]; then
    index=(--index-url "$TORCH_INDEX")
  fi
  say "installing PyTorch (200 MB for a CPU; 3 GB with CUDA)"
  # Whatever torch needs and is there stays as it is; the pins come last, and hold.
  pip_install "${index[@]}" "$TORCH"
  pip_install --require-hashes --requirement locks/torch.txt
}

# The built-in renderer draws through EGL. Only a real attempt tells whether library and driver work.
can_draw() {
  .venv/bin/python - <<'PROBE'
import moderngl

moderngl.create_context(standalone=True, backend="egl", require=330).release()
PROBE
}

check_gl() {
  local answer
  if can_draw 2>/dev/null; then
    return
  fi
  install_system_packages "${GL_PACKAGES[@]}"
  if ! answer="$(can_draw 2>&1)"; then
    stop "EGL does not work although ${GL_PACKAGES[*]} are installed: ${answer##*$'\n'}"
  fi
}

case "${1:-}" in
  runtime)
    make_venv
    install_runtime
    check_gl
    say "ready: .venv/bin/soundsight"
    ;;
  dev)
    say "installing what tests and lint need"
    pip_install --require-hashes --requirement locks/dev.txt
    ;;
  torch)
    install_torch
    say "ready: name a model, such as SOUNDSIGHT_ANALYZER_CLAP_MODEL=folder; docs/models.md has video"
    ;;
  *) stop "usage: scripts/setup.sh runtime|dev|torch" ;;
esac
