#!/usr/bin/env bash
# check.sh: builds the image, looks at what is in it, starts its service and asks it something.
#
# With Docker where its daemon runs; then the composition is started, too. Elsewhere with Debian's buildah, which needs
# none: chroot isolation, over a Debian made by debootstrap that stands for the base image of the same name. That takes
# root, and a few minutes the first time.
set -euo pipefail
cd "$(dirname "$0")/.."

base=debian:trixie-slim
image=samestyle:check
port=${PORT:-18765}
work=$(mktemp -d)
container=
compose=
service=

say() { echo "image-check: $*"; }
fail() { echo "image-check: $*" >&2; exit 1; }

tidy() {
    [ -z "$service" ] || kill "$(cat "$work/data/pid")" 2>/dev/null || true
    case $engine in
        docker)
            [ -z "$container" ] || docker rm --force "$container" >/dev/null
            # what the image's user made cannot be removed by ours
            [ ! -d "$work/data" ] || docker run --rm --user 0 --volume "$work:/work" --entrypoint rm $image -rf /work/data || true
            ;;
        buildah) for each in $container $compose; do buildah rm "$each" >/dev/null; done ;;
    esac
    rm -rf "$work"
}

# Docker: one container for each command, the root file system read-only, /data kept between them.
docker_build() { docker build --build-arg REVISION="$revision" --tag $image .; }
docker_inspect() { docker image inspect --format '{{json .Config}}' $image; }
in_docker() { # COMMAND...
    docker run --rm --read-only --cap-drop ALL --tmpfs /tmp --volume "$work/data:/data" --network host \
        --env SAMESTYLE_PORT="$port" --entrypoint "$1" $image "${@:2}"
}

docker_runs() { [ "$(docker inspect --format '{{.State.Running}}' "$container")" = true ]; }
docker_log() { docker logs "$container" 2>&1; }

# buildah: one working container; what it writes outside of /data and /tmp is looked for afterwards.
buildah_build() {
    buildah build --isolation chroot --format docker --pull-never --layers --build-arg REVISION="$revision" --tag $image .
    container=$(buildah from --pull-never --ulimit nofile=4096:4096 $image)
}
buildah_inspect() {
    buildah inspect --type image $image | .venv/bin/python -c '
import json, sys
print(json.dumps(json.load(sys.stdin)["Docker"]["config"], separators=(",", ":")))'
}
in_buildah() { # COMMAND...
    buildah run --isolation chroot --volume "$work/data:/data" --env SAMESTYLE_PORT="$port" "$container" -- "$@"
}

buildah_runs() { kill -0 "$service" 2>/dev/null; }
buildah_log() { cat "$work/service.log"; }

# The composition, as Compose itself reads it: both profiles, and no start without a password for Grafana.
docker_compose() { docker compose --project-directory . "$@"; }
buildah_compose() { # Debian's, in the base
    if [ -z "$compose" ]; then
        compose=$(buildah from --pull-never $base)
        buildah run --isolation chroot "$compose" -- sh -c \
            'apt-get -qq update && apt-get -qq install --yes --no-install-recommends docker-compose' >"$work/log" 2>&1 ||
            { tail -5 "$work/log" >&2; fail "docker-compose cannot be installed"; }
    fi
    buildah run --isolation chroot --volume "$PWD:$PWD:ro" --workingdir "$PWD" \
        --env GRAFANA_PASSWORD="${GRAFANA_PASSWORD:-}" "$compose" -- docker-compose "$@"
}
compose_check() {
    local services
    [ $engine = buildah ] || docker compose version >/dev/null 2>&1 ||
        { say "no docker compose here: not looked at"; return; }
    ! GRAFANA_PASSWORD='' "${engine}_compose" config --quiet 2>/dev/null || fail "Grafana would start without a password"
    services=$(GRAFANA_PASSWORD=x "${engine}_compose" config --services | sort | xargs)
    [ "$services" = "grafana prometheus redis samestyle" ] || fail "its services are $services"
    services=$(GRAFANA_PASSWORD=x "${engine}_compose" --profile gpu config --services | sort | xargs)
    [ "$services" = "grafana prometheus redis samestyle samestyle-gpu" ] || fail "its services on a GPU are $services"
}

make_base() {
    say "debootstrap makes $base"
    debootstrap --variant=minbase --include=ca-certificates trixie "$work/base" >"$work/log" 2>&1 ||
        { tail -5 "$work/log" >&2; fail "debootstrap failed"; }
    if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then # authorities this machine trusts besides
        cp /usr/local/share/ca-certificates/*.crt "$work/base/usr/local/share/ca-certificates/"
        chroot "$work/base" update-ca-certificates >/dev/null 2>&1
    fi
    local made
    made=$(buildah from scratch)
    buildah add --quiet "$made" "$work/base" / >/dev/null
    buildah commit --quiet "$made" "docker.io/library/$base" >/dev/null
    buildah rm "$made" >/dev/null
    rm -rf "$work/base"
}

is_in() { # WHAT TEXT: as it says it
    grep --quiet --fixed-strings -- "$1" <<<"$2" || fail "no $1 in: $2"
}

engine=buildah
docker info >/dev/null 2>&1 && engine=docker
if [ $engine = buildah ] && ! command -v buildah debootstrap >/dev/null; then
    bash requirements/apt.sh buildah debootstrap || fail "neither a Docker daemon nor buildah is here"
fi
trap tidy EXIT
revision=$(git rev-parse HEAD)
[ $engine = docker ] || buildah inspect --type image $base >/dev/null 2>&1 || make_base

say "composition"
compose_check
say "hadolint"
.venv/bin/hadolint Dockerfile docker/standins.Dockerfile
say "$engine builds $image"
"${engine}_build" >"$work/build.log" 2>&1 || { tail -20 "$work/build.log" >&2; fail "the build failed"; }

say "what is in it"
config=$("${engine}_inspect")
is_in '"User":"10001:10001"' "$config"
is_in '"Entrypoint":["samestyle"]' "$config"
is_in '"Cmd":["serve"]' "$config"
is_in '"Test":["CMD","samestyle","healthcheck"]' "$config"
is_in "\"org.opencontainers.image.revision\":\"$revision\"" "$config"
mkdir -m 777 "$work/data"
[ "$("in_$engine" id -u)" = 10001 ] || fail "it runs as root"
for tool in cc gcc g++ make pip; do
    ! "in_$engine" sh -c "command -v $tool" >/dev/null 2>&1 || fail "$tool is in the image"
done

"in_$engine" python3 -c 'import opentelemetry.exporter.otlp.proto.http' || fail "it cannot send traces"

say "its service"
touch "$work/before"
key=$("in_$engine" samestyle keys create check --role search 2>/dev/null)
"in_$engine" samestyle config check >"$work/config" || { cat "$work/config" >&2; fail "its settings are wrong"; }
"in_$engine" samestyle demo --once --data /data
started=$(date +%s%N)
if [ $engine = docker ]; then
    container=$(docker run --detach --read-only --cap-drop ALL --tmpfs /tmp --volume "$work/data:/data" \
        --network host --env SAMESTYLE_PORT="$port" $image)
else
    in_buildah sh -c 'echo $$ >/data/pid; exec samestyle serve' >"$work/service.log" 2>&1 &
    service=$!
fi
for _ in $(seq 120); do
    "in_$engine" samestyle healthcheck >/dev/null 2>&1 && break
    "${engine}_runs" || { "${engine}_log" >&2; fail "it did not start"; }
    sleep 0.5
done
"in_$engine" samestyle healthcheck || fail "it is not healthy"
say "healthy after $((($(date +%s%N) - started) / 1000000)) ms"
answer=$(.venv/bin/python - "$port" "$key" <<'END'
import sys, httpx
url, headers = f"http://127.0.0.1:{sys.argv[1]}/v1/search", {"Authorization": f"Bearer {sys.argv[2]}"}
assert httpx.post(url, json={"text": "tote bag"}).status_code == 401
answer = httpx.post(url, json={"text": "tote bag with waves", "k": 1}, headers=headers).raise_for_status().json()
print(len(answer["hits"]), "bag" in answer["hits"][0]["title"].lower())
END
)
[ "$answer" = "1 True" ] || fail "it answered $answer"
if [ $engine = docker ]; then
    docker stop --timeout 20 "$container" >/dev/null
    code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
else
    kill -TERM "$(cat "$work/data/pid")"
    code=0
    wait "$service" || code=$?
    service=
    written=$(find "$(buildah mount "$container")" -xdev -newer "$work/before" -type f \
        -not -path '*/data/*' -not -path '*/tmp/*' -not -path '*/etc/*' -not -path '*/run/*')
    [ -z "$written" ] || fail "it wrote outside of /data and /tmp: $written"
fi
[ "$code" = 0 ] || fail "SIGTERM ended it with $code"
say "it answered, and SIGTERM ended it with 0"
if [ $engine = docker ] && docker compose version >/dev/null 2>&1; then
    PORT=$port bash docker/compose_check.sh $image
fi
