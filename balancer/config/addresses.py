"""Addresses as haproxy.cfg writes them, resolved when the file is read.

After a chroot nothing can be resolved any more, so every name becomes a literal address here; a literal never touches the
resolver. What HAProxy can also address (sockets of other families, inherited descriptors, offsets to the client's port) is
refused by name, not taken for a host.
"""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Final

from balancer.config.findings import Refusal
from balancer.config.statement import integer_of

PORT_MAX: Final = 65535
# Families that HAProxy writes before '@' and that mean an address of IP.
IP_FAMILIES: Final[dict[str, socket.AddressFamily]] = {
    "": socket.AF_UNSPEC,
    "ipv4": socket.AF_INET,
    "ipv6": socket.AF_INET6,
}
OTHER_FAMILIES: Final[tuple[str, ...]] = (
    "unix", "abns", "fd", "sockpair", "uxst", "uxdg", "udp", "udp4", "udp6", "tcp", "tcp4", "tcp6", "ring",
    "quic4", "quic6", "stream+ipv4", "stream+ipv6", "stream+unix", "dgram+ipv4", "dgram+ipv6", "dgram+unix", "rhttp",
)  # fmt: skip
WILDCARDS: Final = ("", "*")


@dataclass(frozen=True)
class Host:
    """A literal address; "" stands for every address of IPv4."""

    address: str
    is_ipv6: bool


@dataclass(frozen=True)
class Target:
    """A host with a range of ports; both ends 0 where no port was written."""

    host: Host
    port_first: int
    port_last: int


def parse_address(word: str, resolves: bool, has_range: bool = False) -> Target:
    """Reads `[family@]host[:port[-port]]`. Refuses families other than IP, ports out of range and names unknown."""
    family_name, separator, rest = word.rpartition("@")
    if separator and family_name not in IP_FAMILIES:
        known = "is known to HAProxy and not supported yet" if family_name in OTHER_FAMILIES else "is unknown"
        raise Refusal(f"address family '{family_name}@' {known} (got '{word}')")
    if rest.startswith("/"):
        raise Refusal(f"a UNIX socket is known to HAProxy and not supported here yet (got '{word}')")
    host_text, ports_text = _split_port(rest, word)
    first, last = _parse_ports(ports_text, word, has_range)
    return Target(resolve(host_text, IP_FAMILIES[family_name], resolves), first, last)


def resolve(name: str, family: socket.AddressFamily, resolves: bool) -> Host:
    """The literal address of a name. With `resolves` False a name that is no literal stands for the loopback address."""
    if name in WILDCARDS:
        return Host("::", True) if family == socket.AF_INET6 else Host("", False)
    literal = _literal(name)
    if literal is not None:
        is_ipv6 = literal.version == 6
        if (family == socket.AF_INET6 and not is_ipv6) or (family == socket.AF_INET and is_ipv6):
            raise Refusal(f"address '{name}' is not of the family that is named before it")
        return Host(name, is_ipv6) if str(literal) != "0.0.0.0" else Host("", False)
    if not resolves:
        return Host("127.0.0.1", False)
    return _look_up(name, family)


def _literal(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _look_up(name: str, family: socket.AddressFamily) -> Host:
    # What the resolver gives first, of whichever family, is what HAProxy takes, too.
    try:
        name.encode("ascii")
        found = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise Refusal(f"could not resolve address '{name}' ({reason})") from error
    for entry_family, _kind, _protocol, _name, address in found:
        if entry_family in (socket.AF_INET, socket.AF_INET6):
            return Host(str(address[0]), entry_family == socket.AF_INET6)
    raise Refusal(f"could not resolve address '{name}' (no IP address)")


def _split_port(text: str, word: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        if not bracket or not (tail == "" or tail.startswith(":")):
            raise Refusal(f"expects '[address]:port' (got '{word}')")
        return host, tail[1:] if tail else None
    if ":" not in text:
        return text, None
    # The last colon parts host and port, so that '::1:80' is port 80 of ::1, as in HAProxy.
    host, _colon, port = text.rpartition(":")
    if ":" in host and _literal(host) is None:
        raise Refusal(f"expects an address of IPv6 with a port as '[address]:port' (got '{word}')")
    return host, port


def _parse_ports(text: str | None, word: str, has_range: bool) -> tuple[int, int]:
    if text is None:
        return 0, 0
    if text[:1] in ("+", "-"):
        raise Refusal(f"a port relative to the client's is known to HAProxy and not supported yet (got '{word}')")
    first_text, dash, last_text = text.partition("-")
    if dash and not has_range:
        raise Refusal(f"port range not permitted here (got '{word}')")
    first = integer_of("port", first_text, 1, PORT_MAX)
    last = integer_of("port", last_text, 1, PORT_MAX) if dash else first
    if last < first:
        raise Refusal(f"invalid port range '{text}' in '{word}'")
    return first, last
