"""Whom an exchange waits for, and how long: the file's timeouts by phase."""

from typing import TYPE_CHECKING, Final

from balancer.proxy import phase as phases

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange

# How long a connect may take whose client has left.
LAST_S: Final = 0.2


def waits_for_client(exchange: "Exchange") -> bool:
    """Whether the next move is the client's: its form, more of its body, or reading what was sent to it."""
    if exchange.phase is phases.TUNNEL:
        return _tunnel_waits_for_client(exchange)
    if exchange.client.is_blocked or exchange.phase is phases.REQUEST:
        return True
    channel = exchange.channel
    if exchange.phase is not phases.HEADERS or exchange.upload.is_done or channel is None:
        return False
    return not channel.is_blocked


def has_left(exchange: "Exchange") -> bool:
    """Whether `option abortonclose` ends this request, which has met no server yet: its client has half-closed."""
    return exchange.client.has_ended and exchange.backend is not None and exchange.backend.config.abortonclose


def last_moment(now: float) -> float:
    """Until when a connect that is under way may still succeed when its client has left.

    The end of a client that asks and half-closes at once comes in the turn of the loop in which the connect begins. To HAProxy
    that is a client that leaves a server (400 `CH`), and none that leaves a connect (`CC`).
    """
    return now + LAST_S


def _tunnel_waits_for_client(exchange: "Exchange") -> bool:
    """Of two who may both speak: who does not read what the other said, else who may speak at all, else the less patient one.

    The client where both have the same patience: so does HAProxy.
    """
    client = exchange.client
    channel = exchange.channel
    answer = exchange.answer
    is_server_blocked = channel is not None and channel.is_blocked
    if client.is_blocked != is_server_blocked:
        return client.is_blocked
    if not is_server_blocked and answer is not None and client.has_ended != answer.server_is_done:
        return not client.has_ended
    client_s = exchange.route.client_timeout_s
    server_s = 0.0 if exchange.backend is None else exchange.backend.config.server_timeout_s
    return client_s > 0.0 and (server_s <= 0.0 or client_s <= server_s)


def timeout_s(exchange: "Exchange") -> float:
    """How long this exchange may wait for what it waits for now, 0.0 for ever."""
    client_s = exchange.route.client_timeout_s
    backend = exchange.backend
    if backend is None:
        return client_s
    config = backend.config
    if exchange.phase is phases.TUNNEL and config.tunnel_timeout_s:
        return config.tunnel_timeout_s
    if waits_for_client(exchange):
        return client_s
    return config.server_timeout_s
