"""Load by wrk, for small requests: it is the cheapest of clients, and nobody suspects it of taking sides.

Each of its threads plays one user: the octets of his request are given whole, with his cookie in them. wrk counts whole seconds
only, so it is told to run long and interrupted when the time is over, which it takes as its end.
"""

import json
import signal
import subprocess
from pathlib import Path
from typing import Final

from benchmarks.generator import Job, Result
from benchmarks.origins import find
from benchmarks.processes import Program
from benchmarks.traffic import head, spread

THREADS_MAX: Final = 10
LONG_S: Final = 3600
END_PATIENCE_S: Final = 15.0

# Percentiles come in microseconds.
SCRIPT: Final = """
local count = 0
function setup(thread)
   thread:set("number", count)
   count = count + 1
end
function init(args)
   local file = io.open(args[1] .. "/request-" .. number, "rb")
   local text = file:read("*a")
   file:close()
   wrk.format = function() return text end
end
function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\\nRESULT {"done":%d,"octets":%d,"failed":%d,"us":%d,"p50":%f,"p90":%f,"p99":%f,"p99.9":%f,"max":%f}\\n',
      summary.requests, summary.bytes, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9),
      latency.max))
end
"""


def is_there() -> bool:
    """Whether wrk is installed."""
    return find("wrk") is not None


def drive(job: Job, folder: Path, on_cores: set[int]) -> Result:
    """Runs one round."""
    traffic = job.traffic
    threads = min(THREADS_MAX, traffic.connections)
    script = folder / "wrk.lua"
    script.write_text(SCRIPT, encoding="ascii")
    for number, server in enumerate(spread(threads, job.server_count)):
        (folder / f"request-{number}").write_bytes(head(traffic, server) + b"b" * traffic.body_octets)
    words = [find("wrk") or "wrk", "-t", str(threads), "-c", str(traffic.connections), "-d", str(LONG_S), "--timeout", "30"]
    words += ["-s", str(script), f"http://127.0.0.1:{job.port}/", "--", str(folder)]
    with Program("wrk", words, folder, on_cores) as program:
        try:
            program.process.wait(job.seconds)
        except subprocess.TimeoutExpired:
            program.process.send_signal(signal.SIGINT)
        program.process.wait(END_PATIENCE_S)
        said = program.said()
    _, mark, text = said.partition("\nRESULT ")
    if not mark:
        raise RuntimeError(f"wrk gave no result: {said}")
    numbers = json.loads(text.splitlines()[0])
    latency_ms = {name: round(numbers[name] / 1000.0, 4) for name in ("p50", "p90", "p99", "p99.9", "max")}
    return Result(numbers["done"], numbers["octets"], numbers["failed"], numbers["us"] / 1e6, latency_ms)
