"""The form of the system calls of the hot path that runs: native where the package was compiled, else `syscalls`."""

from typing import Final

try:
    from balancer.backend import _leaves as chosen
except ImportError:
    from balancer.backend import syscalls as chosen  # type: ignore[no-redef]

IS_NATIVE: Final = chosen.__name__.endswith("._leaves")
descriptors_max = chosen.descriptors_max
is_quiet = chosen.is_quiet
push = chosen.push
send_each = chosen.send_each
send_now = chosen.send_now
send_pieces = chosen.send_pieces
