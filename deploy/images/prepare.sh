#!/bin/sh
# Prepares the last stage of an image: the Debian packages that are named, the user, its folders.
#
#   prepare.sh [--compiler] [PACKAGE...]
#
# --compiler brings what torch.compile calls: a compiler, and Python's headers where Python is
# Debian's own, which has them in a package.
set -eu

if [ "${1:-}" = --compiler ]; then
  shift
  set -- gcc g++ libc6-dev "$@"
  if [ "$(command -v python3)" = /usr/bin/python3 ]; then
    set -- python3-dev "$@"
  fi
fi

if [ $# -gt 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet=2
  apt-get install --yes --quiet=2 --no-install-recommends "$@" >/dev/null
  rm -rf /var/lib/apt/lists/* /var/cache/apt/*
fi

groupadd --gid 10001 soundsight
useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin soundsight
# What a container may write to, beside /tmp. A new volume takes its owner from here.
install -d -o 10001 -g 10001 /models /var/lib/soundsight \
  /var/lib/soundsight/artifacts /var/lib/soundsight/scratch
