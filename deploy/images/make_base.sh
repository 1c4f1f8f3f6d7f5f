#!/usr/bin/env bash
# Makes a base image out of Debian's packages alone, for machines that reach no registry of images:
#
#   make_base.sh NAME [SUITE]    SUITE is bookworm (Python 3.11) or trixie (Python 3.13)
#
# Needs root, debootstrap and buildah. The certificates that this machine trusts and its pip.conf go
# along, so that the builds on it reach what this machine reaches.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: make_base.sh NAME [SUITE]" >&2; exit 1; }
name="$1"
suite="${2:-bookworm}"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv "$suite" "$root/base" \
  >"$root/log" || { tail -5 "$root/log" >&2; exit 1; }
rm -rf "$root"/base/var/cache/apt/* "$root"/base/var/lib/apt/lists/*
cp /etc/ssl/certs/ca-certificates.crt "$root/base/etc/ssl/certs/ca-certificates.crt"
if [ -f /etc/pip.conf ]; then
  cp /etc/pip.conf "$root/base/etc/pip.conf"
fi

container="$(buildah from scratch)"
buildah add --quiet "$container" "$root/base" / >/dev/null
buildah config --cmd python3 \
  --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --quiet --rm "$container" "$name" >/dev/null
echo "made $name from $suite"
