"""The last thing of each proxy that was no HTTP: what `show errors` shows.

A frontend keeps the last request that it refused, a backend the last answer; each costs its octets, one buffer at most.
"""

import time


class Capture:
    """Octets that were refused, whose they were, and when."""

    def __init__(self, number: int, octets: bytes, source: str) -> None:
        self.number = number
        self.octets = octets
        self.source = source  # the client's address and port
        self.at_wall = time.time()
        # The other side as far as it was known: a request has no backend yet.
        self.frontend_name: str = ""
        self.frontend_number: int = -1
        self.server_name: str = ""
        self.server_number: int = -1
