"""Why single keywords are refused or have no effect, and what to do instead: those that share their reason with no other.

The words of sections stand as in the file; options within a line follow the letter of their line (`keywords.SECTIONS`).
"""

from typing import Final

NAMESPACE: Final = "start the balancer in the network namespace: 'ip netns exec'"
INTERFACE: Final = "give the interface's own address"
NOT_TRANSPARENT: Final = "addresses are those of the connections: 'option forwardfor' tells the client's"
KERNEL_TUNES: Final = "the kernel's own setting counts (sysctl net.ipv4.tcp_*)"
NUMBER_ONLY: Final = "it only numbers the listener"
STATS_LEVEL: Final = "it concerns a 'stats socket'"
NO_RULE_TABLE: Final = "there are no stick tables; the persistence cookie keeps sessions on their servers"
TUNES_NOTHING: Final = "it only guards or measures HAProxy's own engine"
UNIX_ONLY_COMMANDS: Final = "commands come over a UNIX socket: 'stats socket PATH'"

OWN_REASONS: Final[dict[str, str]] = {
    "default-path": "give absolute paths",
    "h1-accept-payload-with-any-method": "it is always so: a body is passed on whatever the method",
    "unix-bind": "give mode, user and group to the 'bind' or 'stats socket' line",
    "expose-experimental-directives": TUNES_NOTHING,
    "insecure-setuid-wanted": TUNES_NOTHING,
    "profiling.tasks": TUNES_NOTHING,
    "set-dumpable": TUNES_NOTHING,
    "http-send-name-header": "the server knows its own name; the log and the cookie tell which one it was",
    "persist": "it is of RDP, and only HTTP is spoken; a cookie persists: 'cookie NAME insert'",
    "source": "the kernel's routes choose the address that servers see",
    "transparent": NOT_TRANSPARENT,
    "option transparent": NOT_TRANSPARENT,
    "option http-use-proxy-header": "nobody speaks to a forward proxy here: 'Connection' counts, 'Proxy-Connection' is removed",
    "option checkcache": "say 'cookie NAME insert nocache': no cache keeps an answer with the cookie",
    "b interface": INTERFACE,
    "b namespace": NAMESPACE,
    "b transparent": NOT_TRANSPARENT,
    "b v6only": "'bind [::]:PORT' is bound to IPv6 alone anyway",
    "b quic-force-retry": "only HTTP/1.1 is spoken",
    "b backlog": KERNEL_TUNES,
    "b defer-accept": KERNEL_TUNES,
    "b expose-fd": STATS_LEVEL,
    "b id": NUMBER_ONLY,
    "b level": STATS_LEVEL,
    "b mss": KERNEL_TUNES,
    "b severity-output": STATS_LEVEL,
    "b tcp-ut": KERNEL_TUNES,
    "b tfo": KERNEL_TUNES,
    "s redir": "let the web server in front redirect",
    "s namespace": NAMESPACE,
    "s socks4": "servers are connected to without a proxy",
    "s source": "the kernel's routes choose the address that servers see",
    "s usesrc": NOT_TRANSPARENT,
    "s interface": "the kernel's routes choose the interface",
    "s log-proto": "it is of rings; give 'log' an address",
    "s non-stick": NO_RULE_TABLE,
    "s stick": NO_RULE_TABLE,
    "s tfo": KERNEL_TUNES,
    "t name": NUMBER_ONLY,
    "t maxconn": "operators are few",
    "t backlog": KERNEL_TUNES,
    "t id": NUMBER_ONLY,
    "t severity-output": "answers are without a severity",
    "t tcp-ut": KERNEL_TUNES,
    "t tfo": KERNEL_TUNES,
    "t mss": KERNEL_TUNES,
    "t defer-accept": KERNEL_TUNES,
    "t interface": UNIX_ONLY_COMMANDS,
    "t namespace": UNIX_ONLY_COMMANDS,
    "t transparent": UNIX_ONLY_COMMANDS,
    "t v4v6": UNIX_ONLY_COMMANDS,
    "t v6only": UNIX_ONLY_COMMANDS,
    "t alpn": UNIX_ONLY_COMMANDS,
    "t npn": UNIX_ONLY_COMMANDS,
    "t proto": UNIX_ONLY_COMMANDS,
}
