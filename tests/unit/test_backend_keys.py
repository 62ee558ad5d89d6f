"""What is hashed of a request, and the hashes, against vectors that HAProxy 2.6.12 gave.

The whole comparison is scenarios/test_balance_beside_haproxy.py.
"""

from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import FakeVisit, living_servers, server_record

from balancer.backend.balance import Algorithm, order_of
from balancer.backend.balance.hashes import FUNCTIONS, avalanche
from balancer.backend.balance.header import domain_of
from balancer.backend.balance.uri import counted_part, path_of
from balancer.backend.balance.urlparam import form_value_of, value_of
from balancer.backend.server import Server
from balancer.model import Balance

TEN_WEIGHTS: Final = (1, 3, 2, 5, 1, 4, 2, 8, 1, 6)

# A key and what HAProxy's converters sdbm, djb2, crc32 and wt6 make of it, plain and with avalanche.
HASHES: Final = (
    (
        b"HjCOMl%SheE9NQmbIubRXN.=.zev",
        (3343902114, 3049545113, 4207683435, 2407888473),
        (2649433909, 3104879724, 2717188382, 567167728),
    ),
    (
        b"aurBd.oT206GVmrx.3e6h",
        (3377532883, 1563841396, 4098793968, 1955357207),
        (841991199, 721649224, 1034467031, 540209778),
    ),
    (
        b"3FZCJ.xuX71rHdeq",
        (3263271525, 3860604628, 4055930992, 1030956358),
        (3037924946, 410431914, 2276623690, 2125878416),
    ),
)


def group(*weights: int, **words: Any) -> list[Server]:
    """Servers s0, s1... of these weights."""
    return living_servers(*[server_record(f"s{n}", weight=weight, **words) for n, weight in enumerate(weights)])


def order(rule: Balance | str, servers: list[Server]) -> Algorithm:
    """An algorithm over all of these servers."""
    return order_of(Balance(rule) if isinstance(rule, str) else rule, servers, servers)


def names(algorithm: Algorithm, *visits: FakeVisit) -> str:
    """Who serves these visits, by the last letter of the name; `-` for nobody."""
    chosen = [algorithm.next(visit) for visit in visits]
    return "".join("-" if server is None else server.name[-1] for server in chosen)


# --- hashes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "plain", "stirred"), HASHES)
def test_the_hashes_are_haproxys(key: bytes, plain: tuple[int, ...], stirred: tuple[int, ...]) -> None:
    found = tuple(FUNCTIONS[name](key) for name in ("sdbm", "djb2", "crc32", "wt6"))
    assert found == plain
    assert tuple(avalanche(each) for each in found) == stirred


def test_public_vectors() -> None:
    assert FUNCTIONS["crc32"](b"123456789") == 0xCBF43926
    assert FUNCTIONS["djb2"](b"") == 5381
    assert FUNCTIONS["djb2"](b"a") == 5381 * 33 + 97
    assert FUNCTIONS["sdbm"](b"ab") == 97 * 65599 + 98


@given(st.binary(max_size=200))
def test_every_hash_stays_within_32_bits(key: bytes) -> None:
    for function in FUNCTIONS.values():
        assert 0 <= function(key) < 2**32
        assert 0 <= avalanche(function(key)) < 2**32


@given(st.sets(st.integers(0, 2**32 - 1), min_size=2, max_size=50))
def test_avalanche_brings_no_two_together(words: set[int]) -> None:
    assert len({avalanche(word) for word in words}) == len(words)


# --- keys --------------------------------------------------------------------------------------------------------------

ADDRESSES: Final = (
    "2001:db8::1",
    "2001:db8:17:4::8a2e:370:7334",
    "fe80::1",
    "::1",
    "::ffff:192.0.2.9",
    "2a01:4f8:c17:3a2b::2",
    "192.0.2.9",
    "10.1.2.3",
)


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        (Balance("source"), "71514363"),
        (Balance("source", avalanche=True), "79317353"),
        (Balance("source", is_consistent=True, avalanche=True), "75752793"),
        (Balance("source", is_consistent=True, function="crc32"), "91799097"),
    ],
)
def test_addresses_of_both_kinds_reach_haproxys_servers(rule: Balance, chosen: str) -> None:
    visits = [FakeVisit(source=inet_pton(AF_INET6 if ":" in each else AF_INET, each)) for each in ADDRESSES]
    assert names(order(rule, group(*TEN_WEIGHTS)), *visits) == chosen


@pytest.mark.parametrize(
    ("rule", "target", "counted"),
    [
        (Balance("uri"), b"/a/b?c=d", b"/a/b"),
        (Balance("uri", is_whole=True), b"/a/b?c=d", b"/a/b?c=d"),
        (Balance("uri", length_max=3), b"/a/b", b"/a/"),
        (Balance("uri", length_max=99), b"/a/b?c", b"/a/b"),
        (Balance("uri", depth_max=1), b"/a/b/c", b"/a"),
        (Balance("uri", depth_max=2), b"/a/b/c", b"/a/b"),
        (Balance("uri", depth_max=9), b"/a/b/c?d", b"/a/b/c"),
        (Balance("uri", depth_max=2), b"/a?/b/c", b"/a"),
        (Balance("uri", depth_max=2, is_whole=True), b"/a?/b/c", b"/a?/b"),
        (Balance("uri", depth_max=2, length_max=1), b"/a/b/c", b"/"),
        (Balance("uri"), b"*", b"*"),
        (Balance("uri", depth_max=2), b"http://a/b/c", b"http://a"),
    ],
)
def test_what_counts_of_a_target(rule: Balance, target: bytes, counted: bytes) -> None:
    assert counted_part(rule, target) == counted


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a?b", b"/a?b"),
        (b"/a://b", b"/a://b"),
        (b"http://h/a", b"/a"),
        (b"http://h:80/", b"/"),
        (b"http://h", b""),
        (b"*", b""),
    ],
)
def test_the_path_of_a_target(target: bytes, path: bytes) -> None:
    assert path_of(target) == path


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (b"user=a", b"a"),
        (b"x=1&user=a&user=b", b"a"),
        (b"user=", b""),
        (b"user=&user=b", b""),
        (b"user", None),
        (b"users=a&xuser=b&use=c", None),
        (b"user=a=b", b"a=b"),
        (b"a;user=b", None),
        (b"", None),
    ],
)
def test_the_value_of_a_parameter(form: bytes, value: bytes | None) -> None:
    assert value_of(form, b"user") == value


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        (b"haproxy.1wt.eu", b"1wt"),
        (b"www.example.org:8080", b"example"),
        (b"example.org", b"example"),
        (b"a.b.c.d", b"c"),
        (b"localhost", b"localhost"),
        (b"example.", b"example"),
        (b".org", b".org"),
        (b"a..org", b"a."),
    ],
)
def test_the_domain_of_a_host(host: bytes, domain: bytes) -> None:
    assert domain_of(host) == domain


def test_a_field_with_a_value_is_a_key_and_one_without_takes_the_next_turn() -> None:
    algorithm = order(Balance("hdr", name=b"x"), group(1, 1, 1))
    keyed = FakeVisit(fields={b"x": b"someone"})
    first = names(algorithm, keyed)
    assert names(algorithm, *[keyed] * 5) == first * 5
    assert names(algorithm, *[FakeVisit()] * 7) == "0120120"
    assert names(algorithm, *[FakeVisit(fields={b"y": b"someone"})] * 2) == "12"


# --- forms -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (b"a=b&user=alpha", b"alpha"),
        (b"user=al pha", b"al pha"),
        (b"user= alpha", b""),
        (b"user=\r\n", b""),
        (b"user=/alpha", None),
        (b"user=\xff", None),
        (b"user=", b""),
        (b"--boundary\r\nuser", None),
    ],
)
def test_the_value_of_a_parameter_in_a_form(form: bytes, value: bytes | None) -> None:
    assert form_value_of(form, b"user") == value


def test_a_form_is_looked_into_when_the_query_lacks_the_parameter() -> None:
    algorithm = order(Balance("url_param", name=b"user"), group(*TEN_WEIGHTS))
    keyed = names(algorithm, FakeVisit(target=b"/?user=alpha"))
    assert names(algorithm, FakeVisit(form=b"x=1&user=alpha")) == keyed
    assert names(algorithm, FakeVisit(target=b"/?user=alpha", form=b"user=beta")) == keyed
    assert algorithm.wants_form(FakeVisit(target=b"/?x=1"))
    assert not algorithm.wants_form(FakeVisit(target=b"/?user=alpha"))
