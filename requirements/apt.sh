#!/usr/bin/env bash
# apt.sh PACKAGE...: installs Debian packages when this account may, and fails without a word when it may not.
set -euo pipefail

command -v apt-get >/dev/null || exit 1
as_root=()
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || exit 1
    as_root=(sudo -n)
fi

echo "setup: apt-get install $*"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 </dev/null; }

apt update || true # one unreachable source must not stop the others
apt install --yes --no-install-recommends "$@" || { cat "$log" >&2; exit 1; }
