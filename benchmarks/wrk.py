"""The load generator wrk (https://github.com/wg/wrk), used when it is installed."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.load import Load, Measurement
from benchmarks.payloads import PreparedRequest

_SCRIPT = Path(__file__).with_name("wrk.lua")
_DRAIN_SECONDS = 2


def is_installed() -> bool:
    """Whether wrk is on the path."""
    return shutil.which("wrk") is not None


def write_requests(requests: list[PreparedRequest], file: Path) -> None:
    """Write requests in the form that ``wrk.lua`` reads."""
    with file.open("wb") as out:
        for request in requests:
            out.write(b"%d %d\n" % (len(request.head), len(request.tail)))
            out.write(request.head + request.tail)


def measure(load: Load, requests: Path) -> Measurement:
    """Apply the load with the requests of a file; every request sent is waited for."""
    seconds = int(load.seconds)
    command = ["wrk", "--threads", "1", "--connections", str(load.connections)]
    command += ["--duration", f"{seconds + _DRAIN_SECONDS}s", "--timeout", "10s"]
    command += ["--script", str(_SCRIPT), f"http://127.0.0.1:{load.port}"]
    command += ["--", str(requests), str(load.run), str(seconds)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return read_output(output, seconds)


def read_output(output: str, seconds: int) -> Measurement:
    """Read the line that ``wrk.lua`` writes at the end."""
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    answered, errors, p50, p99, longest = map(float, line.split()[1:])
    ok = int(answered - errors)
    return Measurement(ok, int(errors), ok / seconds, p50, p99, longest)
