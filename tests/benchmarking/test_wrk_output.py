"""What wrk prints, and what is made of it."""

from __future__ import annotations

import pytest
from benchmarks.serving.wrk import Failed, Load, command, parse

REPORT = """\
Running 3s test @ http://127.0.0.1:18101/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   421.58us  145.66us   4.21ms   96.80%
    Req/Sec    75.55k     1.77k   78.97k    66.67%
  Latency Distribution
     50%  412.00us
     75%  431.00us
     90%  456.00us
     99%  618.00us
  225671 requests in 3.00s, 49.28MB read
Requests/sec:  75179.44
Transfer/sec:     16.42MB
"""


def test_the_figures_of_a_run_are_read() -> None:
    result = parse(REPORT)
    assert (result.requests, result.rps, result.errors) == (225_671, 75_179.44, ())
    assert result.p99 == pytest.approx(0.618)


@pytest.mark.parametrize(
    ("written", "milliseconds"), [("618.00us", 0.618), ("9.57ms", 9.57), ("1.25s", 1250), ("1.50m", 90_000)]
)
def test_the_latency_is_read_in_each_unit(written: str, milliseconds: float) -> None:
    assert parse(REPORT.replace("618.00us", written)).p99 == pytest.approx(milliseconds)


def test_socket_errors_are_told() -> None:
    line = "  Socket errors: connect 0, read 3, write 0, timeout 1\n"
    assert parse(REPORT.replace("Requests/sec", line + "Requests/sec")).errors == (
        "wrk counts socket errors: connect 0, read 3, write 0, timeout 1",
    )


def test_socket_errors_of_zero_are_none() -> None:
    line = "  Socket errors: connect 0, read 0, write 0, timeout 0\n"
    assert parse(REPORT.replace("Requests/sec", line + "Requests/sec")).errors == ()


def test_answers_of_another_status_are_told() -> None:
    line = "  Non-2xx or 3xx responses: 17\n"
    assert parse(REPORT.replace("Requests/sec", line + "Requests/sec")).errors == (
        "wrk counts 17 answers that are neither 2xx nor 3xx",
    )


@pytest.mark.parametrize("missing", ["Requests/sec", "requests in", "99%"])
def test_a_report_without_a_figure_is_refused(missing: str) -> None:
    text = "\n".join(line for line in REPORT.splitlines() if missing not in line)
    with pytest.raises(Failed, match="this is not what wrk prints with --latency"):
        parse(text)


def test_the_load_stays_on_this_machine_and_ends() -> None:
    line = command(Load(seconds=0.4, connections=5), 8123, "/search?q=erlen", (("X-Name", "tester"),))
    assert line[-1] == "http://127.0.0.1:8123/search?q=erlen"
    assert "--duration=1s" in line
    assert "--connections=5" in line
    assert line[line.index("X-Name: tester") - 1] == "-H"
