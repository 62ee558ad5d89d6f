"""Makes docs/statistics.md and docs/runtime.md from the tables that the code itself reads.

python -m balancer.admin.document statistics > docs/statistics.md
python -m balancer.admin.document runtime > docs/runtime.md
"""

import sys
from collections.abc import Callable
from typing import Final

import balancer.admin.every  # noqa: F401 - every command, in the table
from balancer.admin.table import COMMANDS
from balancer.observe.columns import COLUMNS
from balancer.observe.info import LINES
from balancer.observe.readings import Column

KINDS: Final = ("frontend", "backend", "server")


def _readable(column: Column) -> list[str]:
    readers = (column.frontend, column.backend, column.server)
    return [kind for kind, read in zip(KINDS, readers, strict=True) if read is not None]


def statistics() -> str:
    """The columns of `show stat`, the lines of `show info`, and the Prometheus series of both."""
    rows = [
        "# Statistics and metrics",
        "",
        "Made from the tables in the code by `python -m balancer.admin.document statistics`; a test fails when it is stale.",
        "",
        "Names, order and meaning are HAProxy 2.6's. A column is empty for a kind that is not listed; what does not exist here",
        "(compression, caches, TLS) reads 0 where HAProxy reads 0 for a feature that is off.",
        "",
        "## Columns of `show stat`",
        "",
        "| column | of | Prometheus series | meaning |",
        "|---|---|---|---|",
    ]
    for column in COLUMNS:
        metric = column.metric
        series = "" if metric is None else f"`haproxy_{{kind}}_{metric.name}` ({metric.kind})"
        rows.append(
            f"| `{column.name}` | {', '.join(_readable(column))} | {series} | {'' if metric is None else metric.help} |"
        )
    rows += [
        "",
        "Beside these: `haproxy_{kind}_status{state}` and `haproxy_server_check_status{state}` (1 for the state that holds, 0",
        "for the others), `haproxy_server_check_code`, `haproxy_{kind}_http_responses_total{code}`, and the sums of a backend",
        "over its servers, `haproxy_backend_agg_*{state}`. A figure that an object does not have is NaN.",
        "",
        "`/metrics?scope=global|frontend|backend|server|*` (repeatable) limits the page, `?no-maint` leaves out servers in",
        "maintenance.",
        "",
        "## Lines of `show info`",
        "",
        "| line | Prometheus series | meaning |",
        "|---|---|---|",
    ]
    for line in LINES:
        series = f"`haproxy_process_{line.metric}` ({line.kind})" if line.metric else ""
        rows.append(f"| `{line.name}` | {series} | {line.help} |")
    return "\n".join(rows) + "\n"


def runtime() -> str:
    """The commands of the stats socket."""
    rows = [
        "# Runtime commands",
        "",
        "Made from the table of commands by `python -m balancer.admin.document runtime`; a test fails when it is stale.",
        "",
        "    echo 'show stat' | socat stdio /run/balancer.sock",
        "",
        "A line is a list of commands parted by `;`; `\\;` is a semicolon. The connection is closed after the last answer;",
        "`prompt` keeps it open. Each answer ends with an empty line; a command that was done says nothing else.",
        "",
        "The level is that of the socket (`stats socket PATH|ADDRESS:PORT|fd@N level user|operator|admin`; without `level` it",
        "is operator); `user` and `operator` lower it for a session. `expert-mode` and `experimental-mode` are understood and",
        "change nothing. The file of a socket is for its owner alone where no `mode` is given. A socket of IP asks nobody who",
        "he is.",
        "",
        "A server is named `BACKEND/SERVER`, each by its name or as `#NUMBER`. A session is named as `show sess` shows it.",
        "Where answers differ from HAProxy's: [differences.md](differences.md).",
        "",
        "| command | level | what it does |",
        "|---|---|---|",
    ]
    for each in sorted((each for each in COMMANDS.values() if each.usage), key=lambda each: each.words):
        usage = each.usage.replace("|", "\\|")
        rows.append(f"| `{usage}` | {each.level} | {each.help} |")
    return "\n".join(rows) + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {"statistics": statistics, "runtime": runtime}


def main(words: list[str]) -> int:
    """Writes one page to standard output."""
    if len(words) != 1 or words[0] not in PAGES:
        sys.stderr.write(f"usage: python -m balancer.admin.document {'|'.join(PAGES)}\n")
        return 1
    sys.stdout.write(PAGES[words[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
