#!/usr/bin/env bash
# Finds or fetches the prometheus and promtool that the tests of rules and dashboards run. Never fails: without them those
# tests say so themselves. Debian's package is unpacked into .venv, not installed: that would start a server.
set -euo pipefail
cd "$(dirname "$0")/.."

found() { .venv/bin/python -m tests.servers.prometheus >/dev/null 2>&1; }

found && exit 0
if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    echo "setup: apt-get download prometheus"
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    download() { (cd "$folder" && apt-get -qq download prometheus >/dev/null 2>&1 </dev/null); }
    # Without package lists there is nothing to download: apt.sh fetches them, where this account may.
    download || { bash requirements/apt.sh ca-certificates && download; } || true
    for package in "$folder"/*.deb; do
        [ -e "$package" ] || continue
        dpkg-deb --fsys-tarfile "$package" | tar -xC "$folder" ./usr/bin/prometheus ./usr/bin/promtool &&
            mv "$folder"/usr/bin/prom* .venv/bin/
    done || true
fi
found && exit 0
cat >&2 <<'END'
setup: no Prometheus: "apt-get download prometheus" did not work.
setup: the tests of alert rules and dashboards are skipped here, and fail where CI=true.
END
