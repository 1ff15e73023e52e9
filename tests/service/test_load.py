"""benchmarks/load.py runs and prints its table. Speed is not tested."""

import re
import socket

from tests.running import python


def run(*flags):
    return python("benchmarks/load.py", *flags)


def test_load_runs_its_five_cases_without_an_error():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = run("--port", port, "--connections", "4", "--seconds", "1", "--comments", "50")
    assert done.returncode == 0, done.stderr
    cells = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    names = [row[1].strip() for row in cells[2:]]
    assert names == ["4 callers, 100/s", "4 callers", "10 × overload", "after it", "1 caller"]
    assert [row[6].strip() for row in cells[2:]] == ["0"] * 5
    assert "without Retry-After" not in done.stdout


def test_load_with_an_unknown_table_ends_in_one_line():
    done = run("--data", "no/such/file.csv")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_load_compares_a_plain_service_with_one_that_has_policies():
    done = run("--policies", "--connections", "4", "--seconds", "1", "--comments", "50")
    assert done.returncode == 0, done.stderr
    cells = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    names = [row[1].strip() for row in cells[2:]]
    plain, policies = (
        [f"{kind}, 100/s", f"{kind}, without pause"] for kind in ("plain", "policies")
    )
    assert names == [*plain, *policies, *policies, *plain]
    assert [row[6].strip() for row in cells[2:]] == ["0"] * 8
    [decided] = re.findall(r"fewer answers/s without pause; ([\d,]+) decisions", done.stdout)
    assert int(decided.replace(",", "")) > 0
