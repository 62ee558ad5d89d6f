"""Texts that rules make of their pieces: as written, fetched, or as the log would say it at that moment."""

from typing import Final

from balancer.proxy import ledger
from balancer.proxy.converters import text_of
from balancer.proxy.fetches import value_of
from balancer.proxy.scene import Scene
from balancer.rulebook import Escaped, Piece, Sample, Variable

# The controls save the tab, and all other octets.
CONTROLS: Final = frozenset((*range(9), *range(10, 32), 127))
NO_CONTROLS: Final = bytes(octet for octet in range(256) if octet not in CONTROLS)
BACKSLASHED: Final = b'"\\]'


def text(scene: Scene, pieces: tuple[Piece, ...]) -> bytes:
    """A text for a message; what has no value leaves nothing, and a control in a value is percent encoded, as in HAProxy."""
    return b"".join([piece if isinstance(piece, bytes) else without_controls(_said(scene, piece)) for piece in pieces])


def raw_text(scene: Scene, pieces: tuple[Piece, ...]) -> bytes:
    """A text as it is, for a variable."""
    return b"".join([piece if isinstance(piece, bytes) else _said(scene, piece) for piece in pieces])


def _said(scene: Scene, piece: Sample | Variable | Escaped) -> bytes:
    if isinstance(piece, Variable):
        speaker = scene.exchange.services.speaker
        return b"" if speaker is None else speaker.said(piece, ledger.record_now(scene))
    value = value_of(scene, piece.sample if isinstance(piece, Escaped) else piece)
    octets = b"" if value is None else text_of(value)
    return backslashed(octets) if isinstance(piece, Escaped) else octets


def backslashed(octets: bytes) -> bytes:
    """The octets with a backslash before those that would end a parameter of structured data (RFC 5424 6.3.3)."""
    return b"".join([b"\\%c" % octet if octet in BACKSLASHED else b"%c" % octet for octet in octets])


def without_controls(octets: bytes) -> bytes:
    """Percent encodes what no field may hold; most values hold nothing of it."""
    if not octets.translate(None, NO_CONTROLS):
        return octets
    return b"".join([b"%%%02X" % octet if octet in CONTROLS else bytes((octet,)) for octet in octets])
