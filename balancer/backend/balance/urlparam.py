"""`balance url_param NAME`: the same value of a parameter, the same server.

It is looked for in the query, then in the body of a POST, as far as that has come. HAProxy 2.6 does so with and without
`check_post`.
"""

from typing import Final

from balancer import model
from balancer.backend.balance.hashed import NO_KEY, Hashed, Places
from balancer.backend.visit import Visit
from balancer.http.octets import CLASS, TCHAR

LINEAR_BLANKS: Final = b" \t\r\n"


class UrlParameter(Hashed):
    """Keyed by one parameter of the query or the form."""

    def __init__(self, rule: model.Balance, places: Places) -> None:
        super().__init__(rule, places)
        self.reads_forms = True

    def hash_of(self, visit: Visit) -> int:
        """The hash of the first value of that name, an empty one included."""
        value = self._in_query(visit)
        if value is None:
            form = visit.form_octets()
            value = None if form is None else form_value_of(form, self.rule.name)
        return NO_KEY if value is None else self.hash_octets(value)

    def wants_form(self, visit: Visit) -> bool:
        """Whether the query lacks the parameter."""
        return self._in_query(visit) is None

    def _in_query(self, visit: Visit) -> bytes | None:
        target = visit.target_octets()
        query = target.find(b"?")
        return value_of(target[query + 1 :], self.rule.name) if query >= 0 else None


def value_of(form: bytes, name: bytes) -> bytes | None:
    """The first value of that name in `a=1&b=2`, as it stands there; None without one."""
    for pair in form.split(b"&"):
        equals = len(name)
        if pair[equals : equals + 1] == b"=" and pair.startswith(name):
            return pair[equals + 1 :]
    return None


def form_value_of(form: bytes, name: bytes) -> bytes | None:
    """The same in a body: a value that begins with a blank is empty, and one that begins with no token's octet is none."""
    value = value_of(form, name)
    if not value or CLASS[value[0]] & TCHAR:
        return value
    return b"" if value[:1] in LINEAR_BLANKS else None
