"""Words of a configuration that go on the wire, or that say where a check connects to.

What is no token, no request target or no field value by RFC 9110 is refused when the file is read, because nobody looks at
it again before it is sent. Formats are taken as plain text: `%%` is a percent sign, a variable is refused.
"""

import re
from typing import Final

from balancer.config.addresses import PORT_MAX, Host, parse_address
from balancer.config.findings import Refusal
from balancer.config.statement import integer_of

TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
TARGET: Final = re.compile(rb"[!-~]+")
VALUE: Final = re.compile(rb"[\t -~\x80-\xff]*")
VERSION: Final = re.compile(rb"HTTP/1\.[01]")

# What the options of a check's connect expect.
CONNECT_VALUES: Final[dict[str, str]] = {"port": "a port number", "addr": "<ipv4|ipv6>", "comment": "a string"}


def is_token(subject: str, word: str) -> bytes:
    """The octets of a method or of a field's name."""
    octets = word.encode("utf-8", "surrogateescape")
    if not TOKEN.fullmatch(octets):
        raise Refusal(f"'{subject}' : expects a token of HTTP, letters and digits without a space (got '{word}')")
    return octets


def is_target(subject: str, word: str) -> bytes:
    """The octets of a request target."""
    octets = word.encode("utf-8", "surrogateescape")
    if not TARGET.fullmatch(octets):
        raise Refusal(f"'{subject}' : expects a URI without spaces or controls (got '{word}')")
    return octets


def is_value(subject: str, octets: bytes) -> bytes:
    """The octets of a field's value."""
    if not VALUE.fullmatch(octets):
        raise Refusal(f"'{subject}' : expects the value of a field without controls (got '{octets.decode('latin-1')}')")
    return octets


def version_of(subject: str, octets: bytes) -> bytes:
    """`HTTP/1.0` or `HTTP/1.1`."""
    if not VERSION.fullmatch(octets):
        raise Refusal(f"'{subject}' : expects HTTP/1.0 or HTTP/1.1 as the version (got '{octets.decode('latin-1')}')")
    return octets


def plain_format(subject: str, word: str) -> bytes:
    """The octets of a format that holds no variable."""
    pieces = word.split("%%")
    if any("%" in piece for piece in pieces):
        raise Refusal(
            f"'{subject}' : variables and samples are known to HAProxy and not supported yet, expects text (got '{word}')"
        )
    return "%".join(pieces).encode("utf-8", "surrogateescape")


def port_of(subject: str, word: str) -> int:
    """A port of TCP."""
    return integer_of(subject, word, 1, PORT_MAX)


def parse_check_address(subject: str, word: str, resolves: bool) -> Host:
    """The address that a check connects to; it has no port."""
    target = parse_address(word, resolves)
    if target.port_first or not target.host.address or target.host.address == "::":
        raise Refusal(f"'{subject}' : 'addr' expects an address without a port (got '{word}'); the port has a word of its own")
    return target.host
