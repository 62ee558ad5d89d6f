"""`balance first`: the server with the lowest id that has a free slot; weights do not count."""

from balancer.backend.balance.algorithm import Algorithm
from balancer.backend.server import Server
from balancer.backend.visit import Visit


class First(Algorithm):
    """The servers by their ids."""

    def __init__(self, servers: list[Server]) -> None:
        super().__init__()
        self.waits_in_line = True
        self.by_id: list[Server] = sorted(servers, key=server_id)

    def next(self, visit: Visit) -> Server | None:
        """The first that takes visitors and is not full."""
        avoided: Server | None = None
        for server in self.by_id:
            if not server.is_balanced():
                continue
            if server.slots_max == 0 or (server.queue.length == 0 and server.served < server.slots_max):
                if server is not visit.avoid:
                    return server
                avoided = server
        return avoided

    def changed(self, server: Server) -> None:
        """Nothing to do: states are looked at when a server is chosen."""


def server_id(server: Server) -> int:
    """The id by which servers are ordered."""
    return server.number
