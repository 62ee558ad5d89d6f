"""`balance url_param NAME`: the same value of a parameter in the query, the same server."""

from balancer.backend.balance.hashed import NO_KEY, Hashed
from balancer.backend.visit import Visit


class UrlParameter(Hashed):
    """Keyed by one parameter of the query."""

    def hash_of(self, visit: Visit) -> int:
        """The hash of the first value of that name, an empty one included."""
        target = visit.target_octets()
        query = target.find(b"?")
        value = value_of(target[query + 1 :], self.rule.name) if query >= 0 else None
        return NO_KEY if value is None else self.hash_octets(value)


def value_of(form: bytes, name: bytes) -> bytes | None:
    """The first value of that name in `a=1&b=2`, as it stands there; None without one."""
    for pair in form.split(b"&"):
        equals = len(name)
        if pair[equals : equals + 1] == b"=" and pair.startswith(name):
            return pair[equals + 1 :]
    return None
