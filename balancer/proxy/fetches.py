"""What fetches give: a function of the scene and the arguments that returns every value there is, the last one last.

A condition is held against all of them; a text takes the last. No value at all makes a condition false and a text empty. The
names are those of `config.samplewords`; what is derived there by a suffix (`path_beg`) is the same fetch here.
"""

import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from balancer.backend.backend import Backend
from balancer.backend.balance.hashes import djb2
from balancer.backend.frontend import Frontend
from balancer.backend.server import Server
from balancer.http.view import View, cookies_of, set_cookies_of
from balancer.proxy import ledger
from balancer.proxy.captured import CAPTURE_FETCHES
from balancer.proxy.converters import CONVERTERS, address_of, integer_of, text_of
from balancer.proxy.scene import Scene
from balancer.rulebook import Sample, Value

Arguments = tuple[str, ...]
Fetch = Callable[[Scene, Arguments], list[Value]]

TRUE: Final[list[Value]] = [True]
FALSE: Final[list[Value]] = [False]
MATCHES: Final = ("beg", "end", "sub", "dir", "dom", "len", "reg")


def values(scene: Scene, sample: Sample) -> list[Value]:
    """All values of a sample, converted."""
    found = FETCHES[sample.fetch.name](scene, sample.fetch.arguments)
    for call in sample.converters:
        convert = CONVERTERS[call.name]
        converted: list[Value] = []
        for value in found:
            result = convert(value, call.arguments, scene)
            if result is not None:
                converted.append(result)
        found = converted
    return found


def value_of(scene: Scene, sample: Sample) -> Value | None:
    """The one value of a sample where only one is wanted."""
    found = values(scene, sample)
    return found[-1] if found else None


def path_of(target: bytes) -> bytes:
    """The path of a target, with the query."""
    if target.startswith(b"/") or target == b"*":
        return target
    begin = target.find(b"://")
    slash = target.find(b"/", begin + 3) if begin >= 0 else -1
    return target[slash:] if slash >= 0 else b"/"


def _address(host: str) -> list[Value]:
    try:
        return [ip_address(host)]
    except ValueError:
        return []


def _path(scene: Scene, _arguments: Arguments) -> list[Value]:
    return [path_of(scene.target).partition(b"?")[0]]


def _query(scene: Scene, _arguments: Arguments) -> list[Value]:
    _, mark, query = path_of(scene.target).partition(b"?")
    return [query] if mark else [b""]


def _base(scene: Scene, _arguments: Arguments) -> list[Value]:
    hosts = _host(scene)
    return [(hosts[-1] if hosts else b"") + path_of(scene.target).partition(b"?")[0]]


def _host(scene: Scene) -> list[bytes]:
    return scene.request().values("host")


def _base32(scene: Scene, arguments: Arguments) -> list[Value]:
    return [djb2(text_of(value)) for value in _base(scene, arguments)]


def _url_param(scene: Scene, arguments: Arguments) -> list[Value]:
    query = path_of(scene.target).partition(b"?")[2]
    name = arguments[0].encode() if arguments else b""
    delimiter = arguments[1].encode() if len(arguments) > 1 and arguments[1] else b"&"
    found: list[Value] = []
    for part in query.split(delimiter):
        own, sign, content = part.partition(b"=")
        if sign and (not name or own == name):
            found.append(content)
    return found[:1] if name and len(found) > 1 else found


def _occurrence(found: list[bytes], arguments: Arguments) -> list[Value]:
    if len(arguments) > 1 and int(arguments[1]):
        number = int(arguments[1])
        if abs(number) > len(found):
            return []
        return [found[number - 1 if number > 0 else number]]
    return list(found)


def _elements(view: View, name: str) -> list[bytes]:
    if name:
        return view.elements(name)
    found: list[bytes] = []
    for other in dict.fromkeys([own.lower() for own in view.names()]):
        found.extend(view.elements(other))
    return found


def _name(arguments: Arguments) -> str:
    return arguments[0] if arguments else ""


def _of_view(get: Callable[[Scene], View], table: dict[str, Fetch], prefixes: tuple[str, ...], is_request: bool) -> None:
    """Adds the fetches of the fields of one side under all their names."""

    def hdr(scene: Scene, arguments: Arguments) -> list[Value]:
        return _occurrence(_elements(get(scene), _name(arguments)), arguments)

    def fhdr(scene: Scene, arguments: Arguments) -> list[Value]:
        return _occurrence(get(scene).values(_name(arguments)), arguments)

    def hdr_cnt(scene: Scene, arguments: Arguments) -> list[Value]:
        return [len(_elements(get(scene), _name(arguments)))]

    def fhdr_cnt(scene: Scene, arguments: Arguments) -> list[Value]:
        view, name = get(scene), _name(arguments)
        return [len(view.values(name) if name else view.names())]

    def hdr_val(scene: Scene, arguments: Arguments) -> list[Value]:
        return _numbers(hdr(scene, arguments))

    def hdr_ip(scene: Scene, arguments: Arguments) -> list[Value]:
        found: list[Value] = []
        for value in hdr(scene, arguments):
            address = address_of(value)
            if address is not None:
                found.append(address)
        return found

    def cook(scene: Scene, arguments: Arguments) -> list[Value]:
        name = _name(arguments).encode()
        view = get(scene)
        if is_request:
            return list(cookies_of(view.values("cookie"), name))
        return list(set_cookies_of(view.values("set-cookie"), name))

    def cook_cnt(scene: Scene, arguments: Arguments) -> list[Value]:
        return [len(cook(scene, arguments))]

    def cook_val(scene: Scene, arguments: Arguments) -> list[Value]:
        return _numbers(cook(scene, arguments))

    def hdrs(scene: Scene, _arguments: Arguments) -> list[Value]:
        return [get(scene).lines() + b"\r\n"]

    def hdr_names(scene: Scene, arguments: Arguments) -> list[Value]:
        delimiter = _name(arguments) or ","
        return [delimiter.join([name.lower() for name in get(scene).names()]).encode("latin-1")]

    for prefix in prefixes:
        for suffix in ("", *[f"_{match}" for match in MATCHES]):
            table[f"{prefix}hdr{suffix}"] = hdr
            table[f"{prefix}cook{suffix}"] = cook
        table[f"{prefix}hdr_cnt"] = hdr_cnt
        table[f"{prefix}hdr_val"] = hdr_val
        table[f"{prefix}hdr_ip"] = hdr_ip
        table[f"{prefix}cook_cnt"] = cook_cnt
        table[f"{prefix}cook_val"] = cook_val
        if prefix.endswith("."):
            table[f"{prefix}fhdr"] = fhdr
            table[f"{prefix}fhdr_cnt"] = fhdr_cnt
            table[f"{prefix}hdrs"] = hdrs
            table[f"{prefix}hdr_names"] = hdr_names


def _numbers(found: list[Value]) -> list[Value]:
    numbers: list[Value] = []
    for value in found:
        number = integer_of(value)
        if number is not None:
            numbers.append(number)
    return numbers


def _derived(table: dict[str, Fetch]) -> None:
    for name in ("base", "path", "url", "url_param", "urlp"):
        for match in MATCHES:
            table[f"{name}_{match}"] = table[name]


def _authorization(scene: Scene) -> tuple[bytes, bytes]:
    found = scene.request().values("authorization")
    if not found:
        return b"", b""
    scheme, _, rest = found[-1].partition(b" ")
    return scheme, rest.strip(b" ")


def _auth_type(scene: Scene, _arguments: Arguments) -> list[Value]:
    scheme = _authorization(scene)[0]
    return [scheme] if scheme else []


def _credentials(index: int) -> Fetch:
    def run(scene: Scene, _arguments: Arguments) -> list[Value]:
        scheme, rest = _authorization(scene)
        if scheme.lower() != b"basic":
            return []
        decoded = CONVERTERS["b64dec"](rest, (), scene)
        if not isinstance(decoded, bytes) or b":" not in decoded:
            return []
        return [decoded.partition(b":")[index]]

    return run


def _bearer(scene: Scene, arguments: Arguments) -> list[Value]:
    if arguments:
        found = scene.request().values(arguments[0])
        scheme, _, rest = (found[-1] if found else b"").partition(b" ")
    else:
        scheme, rest = _authorization(scene)
    return [rest] if scheme.lower() == b"bearer" else []


# --- proxies and servers -----------------------------------------------------------------------------------------------------


def _backend(scene: Scene, arguments: Arguments) -> Backend | None:
    if not arguments:
        return _own_backend(scene)
    return scene.exchange.services.farm.backend_by_name.get(arguments[0])


def _own_backend(scene: Scene) -> Backend | None:
    """The request's; before one is chosen that of the `listen` section whose rules ask. Other frontends may not ask."""
    exchange = scene.exchange
    return exchange.backend or exchange.services.farm.backend_by_name.get(exchange.route.frontend.name)


def _home(scene: Scene) -> Backend | Frontend:
    """The backend; before one is chosen HAProxy's is the frontend itself."""
    return scene.exchange.backend or scene.exchange.route.frontend


def _frontend(scene: Scene, arguments: Arguments) -> Frontend | None:
    if not arguments:
        return scene.exchange.route.frontend
    for frontend in scene.exchange.services.farm.frontends:
        if frontend.name == arguments[0]:
            return frontend
    return None


def _server(scene: Scene, arguments: Arguments) -> Server | None:
    name, slash, server = arguments[0].partition("/")
    backend = scene.exchange.services.farm.backend_by_name.get(name) if slash else _own_backend(scene)
    return None if backend is None else backend.find_server(server if slash else name)


def _of_backend(read: Callable[[Backend, float], Value]) -> Fetch:
    def run(scene: Scene, arguments: Arguments) -> list[Value]:
        backend = _backend(scene, arguments)
        return [] if backend is None else [read(backend, scene.exchange.services.now())]

    return run


def _of_frontend(read: Callable[[Frontend, float], Value]) -> Fetch:
    def run(scene: Scene, arguments: Arguments) -> list[Value]:
        frontend = _frontend(scene, arguments)
        return [] if frontend is None else [read(frontend, scene.exchange.services.now())]

    return run


def _of_server(read: Callable[[Server, float], Value]) -> Fetch:
    def run(scene: Scene, arguments: Arguments) -> list[Value]:
        server = _server(scene, arguments)
        return [] if server is None else [read(server, scene.exchange.services.now())]

    return run


def _of_target(read: Callable[[Server], Value]) -> Fetch:
    def run(scene: Scene, _arguments: Arguments) -> list[Value]:
        server = scene.exchange.target
        return [] if server is None else [read(server)]

    return run


def usable_count(backend: Backend) -> int:
    """`nbsrv`: servers that may get requests, spare ones where no other is left."""
    return sum(1 for server in backend.servers if not server.is_backup and server.is_balanced()) or sum(
        1 for server in backend.backups if server.is_balanced()
    )


def _queued(backend: Backend, _now: float) -> int:
    return backend.counters.queue_cur


def _average_queue(backend: Backend, now: float) -> int:
    queued = _queued(backend, now)
    count = usable_count(backend)
    return (queued + count - 1) // count if count else queued * 2


def _connection_slots(backend: Backend, _now: float) -> int:
    total = 0
    for server in backend.servers:
        if server.is_up():
            if not server.maxconn or not server.maxqueue:
                return -1
            total += server.maxconn - server.served + server.maxqueue - server.counters.queue_cur
    return total


def _free_connections(backend: Backend, _now: float) -> int:
    total = 0
    for server in backend.servers:
        if server.is_up():
            if not server.maxconn:
                return -1
            total += max(server.maxconn - server.served, 0)
    return total


def _date(_scene: Scene, arguments: Arguments) -> list[Value]:
    now = time.time()
    offset = int(arguments[0]) if arguments and arguments[0] else 0
    unit = arguments[1] if len(arguments) > 1 else "s"
    scale = {"s": 1, "ms": 1000, "us": 1000000}.get(unit, 1)
    return [int(now * scale) + offset]


def _rand(_scene: Scene, arguments: Arguments) -> list[Value]:
    number = random.getrandbits(32)
    return [number * int(arguments[0]) >> 32 if arguments else number]


def _variable(scene: Scene, arguments: Arguments) -> list[Value]:
    value = scene.variable(arguments[0])
    if value is None:
        return [arguments[1].encode()] if len(arguments) > 1 else []
    return [value]


def _environment(scene: Scene, arguments: Arguments) -> list[Value]:
    value = scene.exchange.services.environment.get(arguments[0])
    return [] if value is None else [os.fsencode(value)]


def _constant(_scene: Scene, arguments: Arguments) -> list[Value]:
    return [arguments[0].encode("utf-8", "surrogateescape")]


def _version(scene: Scene, _arguments: Arguments) -> list[Value]:
    return [b"1.%d" % scene.exchange.head.minor]


def _answer_version(scene: Scene, _arguments: Arguments) -> list[Value]:
    return [] if scene.response is None else [b"1.%d" % scene.response.minor]


def _identity(scene: Scene, _arguments: Arguments) -> list[Value]:
    exchange = scene.exchange
    ledger.identify(exchange, exchange.services.now())
    return [exchange.unique_id] if exchange.unique_id else []


def _is_local(scene: Scene, _arguments: Arguments) -> list[Value]:
    return [ip_address(scene.client_host).is_loopback]


def _all() -> dict[str, Fetch]:
    table: dict[str, Fetch] = {
        "always_true": lambda _scene, _arguments: TRUE,
        "always_false": lambda _scene, _arguments: FALSE,
        "bool": lambda _scene, arguments: TRUE if arguments[0] in ("true", "1") else FALSE,
        "int": lambda _scene, arguments: [int(arguments[0])],
        "str": _constant,
        "meth": _constant,
        "bin": lambda _scene, arguments: [bytes.fromhex(arguments[0])],
        "ipv4": lambda _scene, arguments: [IPv4Address(arguments[0])],
        "ipv6": lambda _scene, arguments: [IPv6Address(arguments[0])],
        "env": _environment,
        "date": _date,
        "rand": _rand,
        "hostname": lambda _scene, _arguments: [socket.gethostname().encode()],
        "nbproc": lambda _scene, _arguments: [1],
        "proc": lambda _scene, _arguments: [1],
        "thread": lambda _scene, _arguments: [0],
        "stopping": lambda scene, _arguments: [scene.exchange.services.is_stopping],
        "uuid": lambda _scene, _arguments: [str(uuid.uuid4()).encode()],
        "var": _variable,
        "src": lambda scene, _arguments: _address(scene.client_host),
        "src_port": lambda scene, _arguments: [scene.client_port],
        "dst": lambda scene, _arguments: _address(scene.local_host),
        "dst_port": lambda scene, _arguments: [scene.local_port],
        "src_is_local": _is_local,
        "ssl_fc": lambda _scene, _arguments: FALSE,
        "dst_conn": _of_frontend(lambda frontend, _now: frontend.counters.sessions_cur),
        "fe_id": _of_frontend(lambda frontend, _now: frontend.config.number),
        "fe_name": _of_frontend(lambda frontend, _now: frontend.name.encode()),
        "fe_defbe": _of_frontend(lambda frontend, _now: frontend.config.default_backend.encode()),
        "fe_conn": _of_frontend(lambda frontend, _now: frontend.counters.sessions_cur),
        "fe_req_rate": _of_frontend(lambda frontend, now: frontend.counters.request_rate.rate(now)),
        "fe_sess_rate": _of_frontend(lambda frontend, now: frontend.counters.session_rate.rate(now)),
        "be_id": lambda scene, _arguments: [_home(scene).number],
        "be_name": lambda scene, _arguments: [_home(scene).name.encode()],
        "be_conn": _of_backend(lambda backend, _now: backend.counters.sessions_cur),
        "be_conn_free": _of_backend(_free_connections),
        "be_sess_rate": _of_backend(lambda backend, now: backend.counters.session_rate.rate(now)),
        "connslots": _of_backend(_connection_slots),
        "nbsrv": _of_backend(lambda backend, _now: usable_count(backend)),
        "queue": _of_backend(_queued),
        "avg_queue": _of_backend(_average_queue),
        "srv_id": _of_target(lambda server: server.number),
        "srv_name": _of_target(lambda server: server.name.encode()),
        "srv_conn": _of_server(lambda server, _now: server.served),
        "srv_conn_free": _of_server(lambda server, _now: server.maxconn - server.served if server.maxconn else -1),
        "srv_is_up": _of_server(lambda server, _now: server.is_up() and not server.is_in_maintenance()),
        "srv_queue": _of_server(lambda server, _now: server.counters.queue_cur),
        "srv_sess_rate": _of_server(lambda server, now: server.counters.session_rate.rate(now)),
        "srv_weight": _of_server(lambda server, _now: server.weight),
        "srv_uweight": _of_server(lambda server, _now: server.weight),
        "srv_iweight": _of_server(lambda server, _now: server.config.weight),
        "http_first_req": lambda scene, _arguments: [scene.exchange.client.request_count == 1],
        "method": lambda scene, _arguments: [scene.exchange.head.method],  # as received, also behind set-method, as in HAProxy
        "http_auth_type": _auth_type,
        "http_auth_user": _credentials(0),
        "http_auth_pass": _credentials(2),
        "http_auth_bearer": _bearer,
        "req.ver": _version,
        "req_ver": _version,
        "res.ver": _answer_version,
        "resp_ver": _answer_version,
        "base": _base,
        "base32": _base32,
        "path": _path,
        "pathq": lambda scene, _arguments: [path_of(scene.target)],
        "query": _query,
        "url": lambda scene, _arguments: [scene.target],
        "url_param": _url_param,
        "urlp": _url_param,
        "urlp_val": lambda scene, arguments: _numbers(_url_param(scene, arguments)),
        "unique-id": _identity,
        "status": lambda scene, _arguments: [scene.status] if scene.status else [],
    }
    table.update(CAPTURE_FETCHES)
    _derived(table)
    _of_view(Scene.request, table, ("", "req."), True)
    _of_view(Scene.answer, table, ("s", "res."), False)
    return table


FETCHES: Final[dict[str, Fetch]] = _all()
