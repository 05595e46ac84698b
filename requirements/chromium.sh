#!/usr/bin/env bash
# Finds or installs the browser the browser tests drive. Never fails: without one those tests say so themselves.
set -euo pipefail
cd "$(dirname "$0")/.."

found() { .venv/bin/python -m tests.servers.browser >/dev/null 2>&1; }

found && exit 0
bash requirements/apt.sh chromium fonts-liberation || true
found && exit 0
echo "setup: playwright install chromium"
.venv/bin/playwright install chromium </dev/null >/dev/null 2>&1 || true
found && exit 0
cat >&2 <<'END'
setup: no browser: neither "apt-get install chromium" (needs root) nor "playwright install chromium" worked.
setup: the browser tests are skipped here, and fail where CI=true.
END
