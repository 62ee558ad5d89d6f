"""Balance algorithms: a file each, and the table of their names."""

from collections.abc import Callable
from random import SystemRandom
from typing import Final

from balancer import model
from balancer.backend.balance.algorithm import Algorithm
from balancer.backend.balance.first import First
from balancer.backend.balance.hashed import OnMap, OnRing, Places
from balancer.backend.balance.header import HeaderField
from balancer.backend.balance.leastconn import LeastConnections
from balancer.backend.balance.random import Random
from balancer.backend.balance.ring import Ring
from balancer.backend.balance.roundrobin import RoundRobin
from balancer.backend.balance.servermap import ServerMap
from balancer.backend.balance.source import Source
from balancer.backend.balance.staticrr import StaticRoundRobin
from balancer.backend.balance.uri import Uri
from balancer.backend.balance.urlparam import UrlParameter
from balancer.backend.server import Server

DRAW_BITS: Final = 32


class Group:
    """The servers of one algorithm among those of their backend."""

    def __init__(self, servers: list[Server], everyone: list[Server]) -> None:
        self.servers = servers
        self.everyone = everyone

    def map(self) -> ServerMap:
        """A map of the group."""
        return ServerMap(self.servers, self.everyone)

    def ring(self, rule: model.Balance) -> Ring:
        """A ring of the group."""
        return Ring(self.servers, self.everyone, rule.factor_percent)

    def places(self, rule: model.Balance) -> Places:
        """What `hash-type` asks for."""
        return OnRing(self.ring(rule)) if rule.is_consistent else OnMap(self.map())


def _dice() -> int:
    return SystemRandom().getrandbits(DRAW_BITS)


def _roundrobin(_rule: model.Balance, group: Group) -> Algorithm:
    return RoundRobin(group.servers)


def _static_rr(_rule: model.Balance, group: Group) -> Algorithm:
    return StaticRoundRobin(group.map())


def _leastconn(_rule: model.Balance, group: Group) -> Algorithm:
    return LeastConnections(group.servers)


def _first(_rule: model.Balance, group: Group) -> Algorithm:
    return First(group.servers)


def _random(rule: model.Balance, group: Group) -> Algorithm:
    return Random(group.ring(rule), rule.draw_count, _dice)


def _source(rule: model.Balance, group: Group) -> Algorithm:
    return Source(rule, group.places(rule))


def _uri(rule: model.Balance, group: Group) -> Algorithm:
    return Uri(rule, group.places(rule))


def _url_param(rule: model.Balance, group: Group) -> Algorithm:
    return UrlParameter(rule, group.places(rule))


def _hdr(rule: model.Balance, group: Group) -> Algorithm:
    return HeaderField(rule, group.places(rule))


ALGORITHMS: Final[dict[str, Callable[[model.Balance, Group], Algorithm]]] = {
    "roundrobin": _roundrobin,
    "static-rr": _static_rr,
    "leastconn": _leastconn,
    "first": _first,
    "random": _random,
    "source": _source,
    "uri": _uri,
    "url_param": _url_param,
    "hdr": _hdr,
}


def order_of(rule: model.Balance, servers: list[Server], everyone: list[Server]) -> Algorithm:
    """The algorithm of the rule over these servers of a backend; `everyone` are all that it has."""
    return ALGORITHMS[rule.algorithm](rule, Group(servers, everyone))


__all__ = ["ALGORITHMS", "Algorithm", "order_of"]
