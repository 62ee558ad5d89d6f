"""Counts the rows that Debian's haproxy does not pass: `python -m rules.beside` in `tests/`.

A row is a MUST of an RFC, a SHOULD, or our own choice, so a difference is no verdict by itself; docs/differences.md says which
are wanted. What fails is tried twice: without the program's log the end of a conversation cannot be seen for certain.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from peers import find_peer
from running import free_port, running

from rules.cases import Request
from rules.document import GROUPS
from rules.talk import RawServer, Stage


def main() -> int:
    """Prints each row that differs, and the counts."""
    program = find_peer("haproxy")
    if program is None:
        sys.stderr.write("needs haproxy (apt-get install haproxy)\n")
        return 1
    port, server = free_port(), RawServer()
    config = (
        "defaults\n    mode http\n    retries 0\n    timeout connect 5s\n    timeout client 2s\n    timeout server 2s\n"
        f"listen rules\n    bind 127.0.0.1:{port}\n    server only 127.0.0.1:{server.port}\n"
    )
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "haproxy.cfg")
        path.write_text(config)
        with running([program, "-db", "-f", str(path)], Path(name, "haproxy.out")) as process:
            process.wait_for_port(port)
            stage = Stage(port, server, None)
            for group in GROUPS:
                for row in group.rows:
                    for by_octet in (False, True) if isinstance(row, Request) and not row.goes_whole else (False,):
                        wrong = stage.hold(row, by_octet) and stage.hold(row, by_octet)
                        counts["differs" if wrong else "same"] += 1
                        if wrong and not by_octet:
                            sys.stdout.write(f"{group.title} | {row.rule!r} | {wrong[0][:200]}\n")
    sys.stdout.write(f"{counts['same']} conversations as ours, {counts['differs']} not\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
