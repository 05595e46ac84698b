#!/usr/bin/env bash
# install.sh cpu|test|train: makes .venv hold what that lock names, and does nothing when it already does.
# install.sh gpu: makes .venv-gpu hold what tests need, with the libraries for a GPU in place of those for a CPU.
#
# .venv/.made says that .venv is whole and which Python and folder it belongs to. It is taken away while pip works,
# so an environment left half-made by an interruption is built again from nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
venv=.venv
[ "${1:-}" != gpu ] || venv=.venv-gpu
venv_python=$venv/bin/python
torch=torch==2.13.0 # stays out of the locks; must be there before anything that would ask for another build of it

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }
sum() { cat "$@" | sha256sum | cut -d' ' -f1; }
pip() { "$venv_python" -m pip --disable-pip-version-check --no-input -qq "$@" </dev/null; }

identity() {
    "$python" -c 'import os, sys; print(sys.version.split()[0], sys.base_prefix, os.getcwd())'
}

check_python() {
    command -v "$python" >/dev/null || fail "$python not found: install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3.12"
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
        fail "$("$python" --version) is not supported: name a Python 3.11, 3.12 or 3.13, such as make PYTHON=python3.12"
}

# Debian ships venv and ensurepip apart from python3.
ensure_venv_module() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    local package
    package=$("$python" -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")')
    bash requirements/apt.sh "$package" ||
        fail "$python cannot create virtual environments. Run this as root, then make again:
    apt-get update && apt-get install --yes $package"
}

ensure_venv() {
    if [ "$(cat $venv/.made 2>/dev/null)" = "$(identity)" ] && "$venv_python" -c '' 2>/dev/null; then return; fi
    ensure_venv_module
    say "creating $venv with $("$python" --version)"
    rm -rf $venv
    "$python" -m venv $venv
    mkdir $venv/.locks
    identity >$venv/.made
}

# step STAMP CONTENT COMMAND...: runs COMMAND unless it has already run for this CONTENT.
step() {
    local stamp=$venv/.locks/$1 content=$2
    shift 2
    [ "$(cat "$stamp" 2>/dev/null)" = "$content" ] && return
    rm -f $venv/.made "$stamp"
    "$@" || fail "that did not work; the next make starts again from an empty $venv"
    mkdir -p $venv/.locks
    echo "$content" >"$stamp"
    identity >$venv/.made
}

install_lock() {
    say "installing requirements/$1.txt"
    pip install --require-hashes -r "requirements/$1.txt"
}

install_train() {
    say "installing $torch"
    pip install "$torch" || return
    say "installing requirements/train.txt"
    pip install --no-deps --require-hashes -r requirements/train.txt
}

# The two shadow each other's files. pip before 24.1 finds the versions in conflict, so it is not asked.
install_gpu() {
    pip uninstall --yes faiss-cpu onnxruntime faiss-gpu-cuvs onnxruntime-gpu
    say "installing requirements/gpu.txt (gigabytes)"
    pip install --no-deps --require-hashes -r requirements/gpu.txt
}

install_project() {
    say "installing samestyle itself (editable)"
    pip install --no-deps --no-build-isolation -e .
}

main() {
    local wanted=$1
    check_python
    ensure_venv
    if [ "$wanted" = gpu ]; then
        step test "$(sum requirements/test.txt)" install_lock test
        step gpu "$(sum requirements/test.txt requirements/gpu.txt)" install_gpu # the former brings those for a CPU again
        step project "$(sum pyproject.toml)" install_project
        return
    fi
    step cpu "$(sum requirements/cpu.txt)" install_lock cpu
    step project "$(sum pyproject.toml)" install_project
    if [ "$wanted" != cpu ]; then step test "$(sum requirements/test.txt)" install_lock test; fi
    if [ "$wanted" = train ]; then step train "$torch $(sum requirements/train.txt)" install_train; fi
}

case ${1:-} in cpu | test | train | gpu) ;; *) fail "usage: requirements/install.sh cpu|test|train|gpu" ;; esac
exec 9<requirements/install.sh
flock 9 # two makes at once take turns
main "$1"
