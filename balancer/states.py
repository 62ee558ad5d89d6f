"""What the process tells on SIGHUP and when it stops: HAProxy's lines about its proxies, word for word.

Pure functions from the farm to pairs (proxy name, text). A `listen` section is one proxy here, with both of its halves; the
order is that of the configuration.
"""

from dataclasses import dataclass

from balancer.backend.backend import Backend
from balancer.backend.farm import Farm
from balancer.backend.frontend import Frontend

Line = tuple[str, str]


@dataclass(frozen=True)
class Proxy:
    """One section of the file: its clients' half, its servers' half, or both."""

    name: str
    frontend: Frontend | None
    backend: Backend | None


def proxies(farm: Farm) -> list[Proxy]:
    """All proxies of the farm in the order of their numbers."""
    frontends = {frontend.number: frontend for frontend in farm.frontends}
    backends = {backend.number: backend for backend in farm.backends}
    found: list[Proxy] = []
    for number in sorted(frontends.keys() | backends.keys()):
        frontend, backend = frontends.get(number), backends.get(number)
        half = frontend or backend
        assert half is not None
        found.append(Proxy(half.name, frontend, backend))
    return found


def sighup_lines(farm: Farm) -> list[Line]:
    """For each proxy a heading, a line per server, and a line that sums up."""
    lines: list[Line] = []
    for proxy in proxies(farm):
        lines.append((proxy.name, f"SIGHUP received, dumping servers states for proxy {proxy.name}."))
        for server in proxy.backend.servers if proxy.backend else []:
            state = "UP" if server.is_up() else "DOWN"
            counters = server.counters
            text = f"Conn: {counters.sessions_cur} act, {server.queue.length} pend, {counters.sessions_total} tot."
            lines.append((proxy.name, f"SIGHUP: Server {proxy.name}/{server.name} is {state}. {text}"))
        lines.append((proxy.name, f"SIGHUP: Proxy {proxy.name} {_servers_text(proxy.backend)} {_connections_text(proxy)}"))
    return lines


def stopped_lines(farm: Farm) -> list[Line]:
    """The last word on each proxy at a soft stop."""
    lines: list[Line] = []
    for proxy in proxies(farm):
        clients, servers = _totals(proxy)
        lines.append((proxy.name, f"Proxy {proxy.name} stopped (cumulated conns: FE: {clients}, BE: {servers})."))
    return lines


def hard_stopped_lines(farm: Farm) -> list[Line]:
    """The proxies whose connections are cut when a soft stop has taken too long."""
    lines: list[Line] = []
    for frontend in farm.frontends:
        left = frontend.counters.sessions_cur
        if left:
            lines.append((frontend.name, f"Proxy {frontend.name} hard-stopped ({left} remaining conns will be closed)."))
    return lines


def _servers_text(backend: Backend | None) -> str:
    if backend is None or not backend.servers:
        return "has no servers."
    active, backup = backend.active_count(), backend.backup_count()
    if active:
        return f"has {active} active servers and {backup} backup servers available."
    return "is running on backup servers !" if backup else "has no server available !"


def _connections_text(proxy: Proxy) -> str:
    clients, servers = _totals(proxy)
    clients_cur = proxy.frontend.counters.sessions_cur if proxy.frontend else 0
    servers_cur = proxy.backend.counters.sessions_cur if proxy.backend else 0
    unassigned = proxy.backend.queue.length if proxy.backend else 0
    pending = unassigned + sum(server.queue.length for server in (proxy.backend.servers if proxy.backend else []))
    return (
        f"Conn: act(FE+BE): {clients_cur}+{servers_cur}, {pending} pend ({unassigned} unass), tot(FE+BE): {clients}+{servers}."
    )


def _totals(proxy: Proxy) -> tuple[int, int]:
    clients = proxy.frontend.counters.connections_total if proxy.frontend else 0
    servers = proxy.backend.counters.sessions_total if proxy.backend else 0
    return clients, servers
