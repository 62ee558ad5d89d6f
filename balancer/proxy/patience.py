"""Whom an exchange waits for, and how long: the file's timeouts by phase."""

from typing import TYPE_CHECKING

from balancer.proxy import phase as phases

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange


def waits_for_client(exchange: "Exchange") -> bool:
    """Whether the next move is the client's: its form, more of its body, or reading what was sent to it."""
    if exchange.client.is_blocked or exchange.phase is phases.REQUEST:
        return True
    channel = exchange.channel
    if exchange.phase is not phases.HEADERS or exchange.upload.is_done or channel is None:
        return False
    return not channel.is_blocked


def timeout_s(exchange: "Exchange") -> float:
    """How long this exchange may wait for what it waits for now, 0.0 for ever."""
    client_s = exchange.route.client_timeout_s
    backend = exchange.backend
    if backend is None:
        return client_s
    config = backend.config
    if exchange.phase is phases.TUNNEL:
        if config.tunnel_timeout_s:
            return config.tunnel_timeout_s
        return min(client_s, config.server_timeout_s) if client_s and config.server_timeout_s else 0.0
    if waits_for_client(exchange):
        return client_s
    return config.server_timeout_s
