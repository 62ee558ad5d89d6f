"""What this program is built with, in the words of HAProxy's feature list, and the version that it compares itself as.

`feature(NAME)` in a file and `-vv` read the same table. A feature that is absent here is false, so that a file which asks
before it uses TLS or Lua works without them.
"""

from typing import Final

import balancer

# The version of HAProxy whose language is read; `version_atleast` and `version_before` compare with it.
VERSION_NUMBERS: Final = (2, 6, 12)
VERSION: Final = f"{'.'.join(map(str, VERSION_NUMBERS))}-balancer-{balancer.__version__}"

PRESENT: Final = ("EPOLL", "GETADDRINFO", "POLL", "PROMEX", "SYSTEMD")
ABSENT: Final = (
    "51DEGREES", "ACCEPT4", "BACKTRACE", "CLOSEFROM", "CPU_AFFINITY", "CRYPT_H", "DEVICEATLAS", "DL", "ENGINE", "EVPORTS",
    "KQUEUE", "LIBCRYPT", "LINUX_SPLICE", "LINUX_TPROXY", "LUA", "MEMORY_PROFILING", "NETFILTER", "NS", "OBSOLETE_LINKER",
    "OPENSSL", "OT", "PCRE", "PCRE2", "PCRE2_JIT", "PCRE_JIT", "PRCTL", "PROCCTL", "QUIC", "RT", "SLZ", "STATIC_PCRE",
    "STATIC_PCRE2", "TFO", "THREAD", "THREAD_DUMP", "TPROXY", "WURFL", "ZLIB",
)  # fmt: skip


def feature_list() -> str:
    """All features in alphabetical order, `+` before those that are present."""
    return " ".join(("+" if name in PRESENT else "-") + name for name in sorted((*PRESENT, *ABSENT)))
