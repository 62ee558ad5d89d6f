"""`balance source`: the same client address, the same server.

HAProxy hashes an address in its own way, whatever function `hash-type` names: an IPv4 address is its number, an IPv6
address the exclusive or of its four words.
"""

from balancer.backend.balance.hashed import NO_KEY, Hashed
from balancer.backend.balance.hashes import avalanche
from balancer.backend.visit import Visit


class Source(Hashed):
    """Keyed by the client's address."""

    def hash_of(self, visit: Visit) -> int:
        """The address as a number of 32 bits."""
        octets = visit.source_octets()
        if not octets:
            return NO_KEY
        found = 0
        for begin in range(0, len(octets), 4):
            found ^= int.from_bytes(octets[begin : begin + 4], "big")
        return avalanche(found) if self.rule.avalanche else found
