"""Where log lines go: the targets of a configuration, and its rings. Frozen like the model, of which they are a part."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from balancer.model import Origin


@dataclass(frozen=True)
class LogTarget:
    """One `log` line: where lines go and which of them.

    `kind` is "udp" (host, port), "unix" (path of a datagram socket; a NUL first: abstract), "stdout", "stderr", "fd" (port is
    the descriptor) or "ring" (path is its name). Lines less severe than `severity_max` are not sent; lines more severe than
    `severity_min` are sent as `severity_min`. `format` is "local", "rfc3164" (with the host), "rfc5424", "raw", "short",
    "timed", "iso" or "priority". With `sample`, of each `sample_size` lines those are sent whose numbers are in its ranges.
    """

    kind: str
    host: str
    port: int
    path: str
    facility: int
    severity_max: int
    severity_min: int
    format: str
    length_max: int
    origin: "Origin"
    tag: str = ""  # of the proxy; "": the process's
    hostname: str = ""
    sample: tuple[tuple[int, int], ...] = ()
    sample_size: int = 0
    owner: str = ""  # the proxy that counts the lines of a sample

    def descriptor(self) -> int:
        """What lines are written to, where it is no socket."""
        return {"stdout": 1, "stderr": 2}.get(self.kind, self.port)

    def address(self) -> str:
        """Where lines go, for messages."""
        if self.kind == "udp":
            return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        if self.path.startswith(chr(0)):
            return f"abns@{self.path.strip(chr(0))}"
        return {"unix": self.path, "ring": f"ring@{self.path}", "fd": f"fd@{self.port}"}.get(self.kind, self.kind)


@dataclass(frozen=True)
class Ring:
    """One `ring` section: log lines kept in memory."""

    name: str
    description: str
    format: str
    length_max: int  # of a line with its header
    size: int  # octets
