#!/usr/bin/env bash
# compose_check.sh IMAGE: starts docker-compose.yml with this image as its gateway, asks it and its Prometheus, and takes it
# down again.
#
# As the file says, but for the host's ports and the names: a composition that runs here is left alone. Where the images
# of Valkey and Prometheus cannot be had, Debian's packages stand for them; Grafana, for which there are none, stays away.
set -euo pipefail
cd "$(dirname "$0")/.."

image=$1
port=${PORT:-18765}
seen=$((port + 1))
work=$(mktemp -d)
export GRAFANA_PASSWORD=x

say() { echo "image-check: $*"; }
fail() { echo "image-check: $*" >&2; exit 1; }
compose() {
    docker compose --project-name samestyle-check --file docker-compose.yml --file "$work/override.yml" --ansi never "$@"
}
tidy() {
    compose down --volumes --timeout 20 >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap tidy EXIT

image_of() { # SERVICE: the one that the file names, or its stand-in
    local named
    named=$(docker compose config --images "$1" | grep --invert-match '^samestyle:') # and not of what it needs
    if docker image inspect "$named" >/dev/null 2>&1 || docker pull --quiet "$named" >/dev/null 2>&1; then
        echo "$named"
    elif grep --quiet " AS $1\$" docker/standins.Dockerfile; then
        docker build --quiet --file docker/standins.Dockerfile --target "$1" --tag "samestyle-check:$1" docker >/dev/null ||
            fail "neither $named nor its stand-in can be had"
        echo "samestyle-check:$1"
    fi
}

asked() { # PYTHON: with `get` and `post` for JSON, until it no longer raises
    .venv/bin/python - "$port" "$seen" "$key" <<END
import sys, time, httpx
shop, prometheus = (f"http://127.0.0.1:{port}" for port in sys.argv[1:3])
headers = {"Authorization": f"Bearer {sys.argv[3]}"}
def get(url, **asked): return httpx.get(url, params=asked, timeout=10).raise_for_status().json()
def post(url, **body): return httpx.post(url, json=body, headers=headers, timeout=10).raise_for_status().json()
def value(expression): return float(get(prometheus + "/api/v1/query", query=expression)["data"]["result"][0]["value"][1])
until = time.monotonic() + 60
while True:
    try:
$(sed 's/^/        /' <<<"$1")
        break
    except Exception as error:
        if time.monotonic() > until: sys.exit(f"image-check: {type(error).__name__}: {error}")
        time.sleep(1)
END
}

services=(samestyle redis prometheus)
redis=$(image_of redis)
prometheus=$(image_of prometheus)
grafana=$(image_of grafana)
[ -z "$grafana" ] || services+=(grafana)
cat >"$work/override.yml" <<END
services:
  samestyle: {image: "$image", build: !reset null, ports: !override ["127.0.0.1:$port:8000"]}
  redis: {image: "$redis"}
  prometheus: {image: "$prometheus", ports: !override ["127.0.0.1:$seen:9090"]}
  grafana: {ports: !override ["127.0.0.1:$((port + 2)):3000"]}
END

say "docker compose starts ${services[*]} ($redis, $prometheus)"
key=$(compose run --rm --no-deps -T samestyle keys create check --role search --role admin 2>/dev/null)
compose run --rm --no-deps -T samestyle demo --once --data /data >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "no demo"; }
compose run --rm --no-deps -T --entrypoint sh samestyle -c "echo '$key' >/data/engineer.key" 2>/dev/null
started=$(date +%s)
compose up --detach --wait --wait-timeout 120 "${services[@]}" >"$work/log" 2>&1 ||
    { compose ps --all; compose logs --tail 20; fail "it does not get healthy"; } >&2
say "all healthy after $(($(date +%s) - started)) s"

asked 'assert post(shop + "/v1/search", text="tote bag with waves", k=1)["hits"]'
for _ in $(seq 20); do # written a little later
    [ "$(compose exec -T redis valkey-cli dbsize)" = 0 ] || break
    sleep 0.5
done
[ "$(compose exec -T redis valkey-cli dbsize)" != 0 ] || fail "the cache is not used"
asked 'assert value("samestyle_ready") == 1
assert value("sum(samestyle_search_seconds_count)") >= 1
rules = [rule for group in get(prometheus + "/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
assert rules and {rule["health"] for rule in rules} == {"ok"}, rules
assert not get(prometheus + "/api/v1/alerts")["data"]["alerts"]'
compose exec -T samestyle samestyle status --once --key-file /data/engineer.key | grep --quiet 'ready' || fail "no status"

compose kill --signal KILL redis >/dev/null 2>&1 # searches go on without it
asked 'assert post(shop + "/v1/search", text="a mug that nobody asked for", k=1)["hits"]'
asked 'assert get(shop + "/readyz")["status"] == "ready"'

id=$(compose ps --quiet samestyle)
compose exec -T samestyle sh -c 'kill -9 $(cat /proc/1/task/1/children)' # what init runs
asked 'assert post(shop + "/v1/search", text="tote bag with waves", k=1)["hits"]'
[ "$(docker inspect --format '{{.RestartCount}}' "$id")" = 1 ] || fail "killed, it was not started again"

compose stop --timeout 20 samestyle >/dev/null 2>&1
code=$(docker inspect --format '{{.State.ExitCode}}' "$id")
[ "$code" = 0 ] || fail "stopped, the service ended with $code"
say "it answered, Prometheus watched it, it did without Redis, and came back from kill -9"
