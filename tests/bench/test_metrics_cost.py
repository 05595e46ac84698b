"""`python -m bench.metrics`: metrics that do nothing are still metrics, and its figures are what they say."""

import re
import subprocess
import sys
import urllib.request
from io import BytesIO

import pytest
from prometheus_client import generate_latest
from typer.testing import CliRunner

from bench import metrics as bench
from service import metrics

SILENT = """
from bench.metrics import count, silence
from service import metrics
metrics.REQUESTS.labels("/v1/search", "POST", "2xx").observe(1)
silence()
metrics.REQUESTS.labels("/v1/search", "POST", "2xx").observe(1)
metrics.labelled(metrics.STAGE, "search").observe(1)
metrics.SLOW.inc()
metrics.IN_FLIGHT.inc()
count()
metrics.ABANDONED.inc()
from prometheus_client import generate_latest
for line in generate_latest().decode().splitlines():
    if line.startswith("samestyle_") and not any(word in line for word in ("_created", "_info", "_bucket", "_sum")):
        name, value = line.split()
        if float(value) > 0:
            print(name, value)
"""


def test_silenced_nothing_is_counted_and_then_it_is_again() -> None:
    done = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == [
        'samestyle_request_seconds_count{method="POST",route="/v1/search",status="2xx"} 1.0',
        "samestyle_abandoned_total 1.0",
    ]


def test_what_a_gateway_counted_is_read_from_what_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda _: BytesIO(generate_latest()))
    monkeypatch.setattr(bench, "_CALLS", 2)
    before = bench.told(1)
    for _ in range(10):
        metrics.SEARCHES.labels("product", "live").observe(0.01)
        metrics.STAGE.labels("search").observe(0.01)
        metrics.SLOW.inc(3)
    after = bench.told(1)
    assert (after.answers - before.answers, after.observations - before.observations) == (10, 20)
    assert after.counts - before.counts == 30
    said = bench._counted(before, after, cpu_ms=2.0)
    assert said.startswith("2.0 observations and 5.0 counts an answer")  # three, and two of gauges


def test_calls_take_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_CALLS", 10)
    few, many = bench.taken_us(1, 0), bench.taken_us(8, 8)
    assert 0 < few[0] < many[0] < 10_000
    assert few[1] < many[1]


@pytest.mark.parametrize("extra", [0.0, 0.05])
def test_the_interval_holds_what_was_put_in(extra: float) -> None:
    pairs = [(2.0 * (1 + extra) * (1 + noise / 100), 2.0) for noise in (-3, -2, -1, 0, 0, 1, 2, 3)]
    found = re.search(r": ([+-][\d.]+)% \(95 % interval ([+-][\d.]+)% to ([+-][\d.]+)%\)", bench._compared(pairs))
    assert found is not None
    more, low, high = (float(each) for each in found.groups())
    assert more == pytest.approx(extra * 100, abs=0.1)
    assert low < more < high


def test_the_command_says_what_it_takes() -> None:
    shown = CliRunner().invoke(bench.app, ["main", "--help"])
    assert shown.exit_code == 0
    assert "pairs of each kind" in shown.output
