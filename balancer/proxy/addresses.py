"""`option forwardfor` and `originalto`: the fields that tell a server whom the balancer spoke to.

A line of its own is added behind all others; lines of that name from the client stay before it, so only the last one is ours.
Frontend and backend may both ask for it: the backend's name counts, and either's exemption.
"""

from ipaddress import ip_address

from balancer.model import AddressField


class AddressLine:
    """One of the two fields, as frontend and backend together want it."""

    def __init__(self, rules: list[AddressField]) -> None:
        self.name: bytes = rules[-1].name
        self.exempts = [rule.exempt for rule in rules if rule.exempt is not None]
        self.yields: bool = all(rule.yields for rule in rules)

    def line(self, address: str, kept: list[bytes]) -> bytes:
        """The field line for that address, b"" where none is due. `kept` are the client's own lines."""
        if self.exempts:
            parsed = ip_address(address)
            for network in self.exempts:
                if parsed in network:
                    return b""
        if self.yields and has_field(kept, self.name):
            return b""
        return b"%s: %s\r\n" % (self.name, address.encode())


class AddressLines:
    """What is added to each request of one frontend for one backend."""

    def __init__(self, forwarded_for: list[AddressField], original_to: list[AddressField]) -> None:
        self.forwarded_for = AddressLine(forwarded_for) if forwarded_for else None
        self.original_to = AddressLine(original_to) if original_to else None

    def lines(self, client_host: str, local_host: str, kept: list[bytes]) -> bytes:
        """The lines to be added; without an address (a UNIX socket) none."""
        found = b""
        if self.forwarded_for is not None and client_host:
            found = self.forwarded_for.line(client_host, kept)
        if self.original_to is not None and local_host:
            found += self.original_to.line(local_host, kept)
        return found


def has_field(kept: list[bytes], name: bytes) -> bool:
    """Whether one of these field lines has that lower-case name."""
    for run in kept:
        for line in run.split(b"\r\n"):
            if line[: line.find(b":")].lower() == name:
                return True
    return False
