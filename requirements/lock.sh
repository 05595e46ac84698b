#!/usr/bin/env bash
# lock.sh [--upgrade]: writes every hashed lock anew from pyproject.toml, keeping the versions unless told to upgrade.
#
# torch and the CUDA packages it drags in stay out: an override takes torch away, and install.sh adds it by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=.venv-lock/bin/uv
uv_version=0.13.9
if [ "$("$uv" --version 2>/dev/null | cut -d' ' -f2)" != "$uv_version" ]; then
    echo "lock: installing uv $uv_version in .venv-lock"
    "${PYTHON:-python3}" -m venv --clear .venv-lock
    .venv-lock/bin/python -m pip --disable-pip-version-check -qq install "uv==$uv_version"
fi

overrides=$(mktemp)
trap 'rm -f "$overrides"' EXIT
echo 'torch ; python_version < "3"' >"$overrides"

# lock NAME OPTION...
lock() {
    echo "lock: requirements/$1.txt"
    "$uv" pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate --group build "${@:2}" "${upgrade[@]}" -o "requirements/$1.txt" >/dev/null
}

upgrade=("$@")
lock cpu --extra cpu --extra otel
lock gpu --extra gpu --extra otel --constraint requirements/cpu.txt
lock test --extra cpu --extra test --group lint --constraint requirements/cpu.txt
lock train --extra train --extra bundle-v0 --constraint requirements/test.txt --override "$overrides"
