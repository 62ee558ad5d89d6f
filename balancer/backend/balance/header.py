"""`balance hdr(NAME)`: the same value of a header field, the same server.

`use_domain_only` takes of a host name only the part before the last dot, up to the dot before that: `1wt` of `haproxy.1wt.eu`.
"""

from balancer.backend.balance.hashed import NO_KEY, Hashed
from balancer.backend.visit import Visit


class HeaderField(Hashed):
    """Keyed by one field of the head."""

    def hash_of(self, visit: Visit) -> int:
        """The hash of the field's first list element."""
        value = visit.field_octets(self.rule.name)
        if not value:
            return NO_KEY
        return self.hash_octets(domain_of(value) if self.rule.uses_domain_only else value)


def domain_of(host: bytes) -> bytes:
    """What stands before the last dot, without what stands before the dot before; all of it where there is no such dot.

    A dot at the very beginning is none, and neither is one right before the last.
    """
    last = host.rfind(b".", 1)
    if last < 0:
        return host
    return host[host.rfind(b".", 0, last - 1) + 1 : last]
