"""What a configuration means: frozen records that every later layer reads and none changes.

`config` makes one `Model` from the files; an exchange keeps the model it began with, so a reload never changes a request
half-way. Times are seconds as floats, 0.0 means "no limit"; sizes are octets; names are str, whatever goes on the wire is
bytes. Nothing here opens a file, resolves a name or knows a socket.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from balancer.logbook import NO_WORDS, LogWords
from balancer.logtargets import LogTarget as LogTarget
from balancer.logtargets import Ring as Ring
from balancer.rulebook import Condition, Rules

# Syslog severities (RFC 5424 6.2.1), the numbers that HAProxy's level names stand for.
EMERG: Final = 0
ALERT: Final = 1
CRIT: Final = 2
ERR: Final = 3
WARNING: Final = 4
NOTICE: Final = 5
INFO: Final = 6
DEBUG: Final = 7


@dataclass(frozen=True)
class Origin:
    """Where something was declared, for messages."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class SocketOptions:
    """What a `bind` line asks of the kernel; 0 and "" ask for nothing."""

    backlog: int = 0
    interface: str = ""
    v6only: bool | None = None  # None: as the system does it
    defers_accept: bool = False
    fast_open: bool = False
    user_timeout_ms: int = 0
    segment_octets: int = 0
    mode: int | None = None  # of a UNIX socket's file; None: as the umask leaves it
    uid: int = -1
    gid: int = -1


@dataclass(frozen=True)
class KeepAlive:
    """`option tcpka` and its kin: probes of the kernel's on a silent connection. 0: as the system does it."""

    count: int = 0
    idle_s: int = 0
    interval_s: int = 0


@dataclass(frozen=True)
class KernelBuffers:
    """What the kernel may hold of a connection's octets, each way. 0: as the system does it."""

    send_octets: int = 0
    receive_octets: int = 0


@dataclass(frozen=True)
class Source:
    """Where a connect to a server begins. `host` "": any address; `port` 0: any port."""

    host: str
    port: int
    is_ipv6: bool
    interface: str


@dataclass(frozen=True)
class Bind:
    """One listening address. `host` is "" for every IPv4 address, else a literal address as resolved at load.

    Of another family: `path` is the path of a UNIX socket, or a NUL and an abstract name; `descriptor` one that was inherited.
    """

    host: str
    port: int
    is_ipv6: bool
    maxconn: int
    name: str
    origin: Origin
    path: str = ""
    descriptor: int = -1
    options: SocketOptions = SocketOptions()

    def address(self) -> str:
        """As messages name it."""
        if self.path:
            return f"abns@{self.path.strip(chr(0))}" if self.path.startswith(chr(0)) else self.path
        if self.descriptor != -1:
            return f"fd@{self.descriptor}"
        return f"{self.host or ('::' if self.is_ipv6 else '0.0.0.0')}:{self.port}"


@dataclass(frozen=True)
class AddressField:
    """`option forwardfor` or `originalto`: the field that carries an address. `name` in lower case."""

    name: bytes
    exempt: IPv4Network | IPv6Network | None  # addresses that are not told
    yields: bool  # not added where the client sent one


@dataclass(frozen=True)
class Balance:
    """`balance`, `hash-type` and `hash-balance-factor` of a backend, with HAProxy's values where the file has none."""

    algorithm: str = "roundrobin"  # the word in the file, without what stands in parentheses
    draw_count: int = 2  # random
    length_max: int = 0  # uri: octets of the target that count; 0: all
    depth_max: int = 0  # uri: directories that count; 0: all
    is_whole: bool = False  # uri: the query counts, too
    is_path_only: bool = False  # uri: the authority of an absolute target does not count
    name: bytes = b""  # url_param: of the parameter; hdr: of the field, in lower case
    checks_post: bool = False  # url_param: looks into the body of a POST, too
    uses_domain_only: bool = False  # hdr
    is_consistent: bool = False  # hash-type
    function: str = "sdbm"
    avalanche: bool = False
    factor_percent: int = 0  # hash-balance-factor; 0: no limit


@dataclass(frozen=True)
class CookieRule:
    """`cookie NAME ...` of a backend."""

    name: bytes
    indirect: bool
    nocache: bool
    postonly: bool
    preserve: bool
    httponly: bool
    secure: bool
    domains: tuple[bytes, ...]
    attrs: tuple[bytes, ...]
    origin: Origin
    mode: str = "insert"  # "rewrite", "prefix"; "": the application's cookie is only looked at
    maxidle_s: int = 0  # 0: no limit
    maxlife_s: int = 0  # 0: no limit
    is_dynamic: bool = False  # a server without a value gets one made of its address and `dynamic-cookie-key`


@dataclass(frozen=True)
class CheckConnect:
    """The step of a check that opens a connection. `port` 0 and `host` "": those of the server."""

    port: int = 0
    host: str = ""
    is_ipv6: bool = False


@dataclass(frozen=True)
class CheckSend:
    """The step that sends a request. `fields` are names in lower case with their values."""

    method: bytes = b"OPTIONS"
    uri: bytes = b"/"
    version: bytes = b"HTTP/1.0"
    fields: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class CheckExpect:
    """The step that judges the answer. `kind` is "status" (ranges), "rstatus", "string" or "rstring" (pattern).

    The three states are names of HAProxy's check states, "" for those that follow from the kind. `min_octets` is -1 where
    a body that does not match yet is waited for.
    """

    kind: str = "status"
    ranges: tuple[tuple[int, int], ...] = ((200, 399),)
    pattern: bytes = b""
    is_negated: bool = False
    min_octets: int = -1
    ok_state: str = ""
    error_state: str = ""
    timeout_state: str = ""
    on_success: str = ""
    on_error: str = ""
    comment: str = ""


CheckStep = CheckConnect | CheckSend | CheckExpect


@dataclass(frozen=True)
class Server:
    """One `server` line with its `default-server` already applied. `host` is a literal address, resolved at load."""

    name: str
    number: int  # HAProxy's sid: `id`, else its position in its backend from 1, or the next number that no server has
    host: str
    port: int
    is_ipv6: bool
    cookie: bytes | None
    check: bool
    inter_s: float
    fastinter_s: float  # 0.0: as inter_s
    downinter_s: float  # 0.0: as inter_s
    rise_count: int
    fall_count: int
    weight: int
    backup: bool
    disabled: bool
    maxconn: int  # 0: no limit
    maxqueue: int  # 0: no limit
    origin: Origin
    check_port: int = 0  # 0: `port`
    check_host: str = ""  # "": `host`
    check_is_ipv6: bool = False
    observe: str = ""  # "layer4" or "layer7": what visitors meet counts as health
    error_limit: int = 10
    on_error: str = "fail-check"  # "fastinter", "fail-check", "sudden-death", "mark-down"
    shuts_sessions_when_down: bool = False
    shuts_backups_when_up: bool = False
    slowstart_s: float = 0.0
    track: str = ""  # "backend/server", whose state it shares
    source: Source | None = None
    keep_alive: KeepAlive | None = None
    buffers: KernelBuffers | None = None
    resets_at_close: bool = False  # `option nolinger`
    acknowledges_with_request: bool = False  # `option tcp-smart-connect`
    user_timeout_ms: int = 0  # `tcp-ut`: how long what was sent may stay unacknowledged; 0: as the system does it
    minconn: int = 0  # what `maxconn` shrinks to while the backend has little to do; 0: it does not
    pool_size_max: int = -1  # kept connections at once; -1: as many as are good for one, 0: none is kept
    pool_purge_delay_s: float = -1.0  # for how long a connection is kept; -1.0: the default
    reuse_max: int = -1  # requests after the first on one connection; -1: no limit

    @property
    def asks_kernel(self) -> bool:
        """Whether a socket to it is to be prepared at all."""
        return (
            self.source is not None
            or self.keep_alive is not None
            or self.buffers is not None
            or self.resets_at_close
            or self.acknowledges_with_request
            or self.user_timeout_ms > 0
        )


@dataclass(frozen=True)
class StatsRule:
    """`stats admin` ("admin") or one `stats http-request` ("allow", "deny", "auth")."""

    action: str
    realm: str
    condition: Condition | None
    origin: Origin


@dataclass(frozen=True)
class StatsPage:
    """The statistics page of one section."""

    origin: Origin
    uri: bytes = b"/haproxy?stats"  # what a target begins with
    realm: str = "HAProxy Statistics"
    has_realm: bool = False
    users: tuple[tuple[str, str], ...] = ()
    refresh_s: int = 0  # 0: never
    hides_version: bool = False
    shows_node: bool = False
    node: str = ""  # "": the process's
    shows_description: bool = False
    description: str = ""  # "": the process's
    shows_legends: bool = False
    shows_modules: bool = False
    scopes: tuple[str, ...] = ()  # names of proxies, "." for its own; (): all
    admin: tuple[StatsRule, ...] = ()
    rules: tuple[StatsRule, ...] = ()


@dataclass(frozen=True)
class Frontend:
    """The client's side of a `frontend` or `listen` section."""

    name: str
    number: int  # HAProxy's iid; a listen section and its two halves share one
    binds: tuple[Bind, ...]
    maxconn: int  # 0: the process's
    logs: tuple[LogTarget, ...]
    log_format: str  # "none", "connect" (HAProxy's default line), "http" (option httplog), "format", "json"
    dontlognull: bool
    client_timeout_s: float
    http_request_timeout_s: float
    keep_alive_timeout_s: float
    default_backend: str  # "" where there is none
    exporter_path: bytes  # b"" where there is no prometheus-exporter
    errorfiles: dict[int, bytes]
    disabled: bool
    is_listen: bool
    origin: Origin
    connections: str = ""  # "keep-alive", "server-close", "close"; "": the backend's word counts
    forwardfor: AddressField | None = None
    originalto: AddressField | None = None
    monitor_uri: bytes = b""
    dontlog_normal: bool = False
    log_separate_errors: bool = False
    splices: frozenset[str] = frozenset(("request", "response"))  # the bodies that may pass by splice(2)
    contstats: bool = False
    socket_stats: bool = False  # each bind counts for itself, too
    backlog: int = 0  # for binds that give none; 0: as maxconn
    keep_alive: KeepAlive | None = None
    buffers: KernelBuffers | None = None
    resets_at_close: bool = False  # `option nolinger`
    delays_acknowledgement: bool = True  # `option tcp-smart-accept`
    session_rate_max: int = 0  # `rate-limit sessions`; 0: no limit
    buffers_requests: bool = False
    no_delay: bool = False  # `option http-no-delay`
    stats_page: StatsPage | None = None
    rules: Rules | None = None
    needs_exporter: bool = False
    tarpit_timeout_s: float = 0.0
    log_words: LogWords = NO_WORDS
    ignores_probes: bool = False

    def has_exporter(self) -> bool:
        """Whether it may serve metrics."""
        return bool(self.exporter_path) or self.needs_exporter


@dataclass(frozen=True)
class Backend:
    """The servers' side of a `backend` or `listen` section."""

    name: str
    number: int
    servers: tuple[Server, ...]
    balance: Balance
    cookie: CookieRule | None
    retries: int
    # 0: never; n > 0: on every n-th retry; n < 0: on the n-th last one (-1, the word without a number: on the last).
    redispatch_interval: int
    connect_timeout_s: float
    server_timeout_s: float
    queue_timeout_s: float  # 0.0: as connect_timeout_s
    tunnel_timeout_s: float
    check_timeout_s: float
    maxconn: int
    logs: tuple[LogTarget, ...]
    errorfiles: dict[int, bytes]
    disabled: bool
    is_listen: bool
    origin: Origin
    dispatch: Server | None = None  # where everybody goes whom no cookie binds, in place of an algorithm's choice
    state_file: str = ""  # where the states of its servers are read from at the start; "": nowhere
    has_own_state_file: bool = False  # that file is of this backend alone
    connections: str = ""
    pretend_keepalive: bool = False
    forwardfor: AddressField | None = None
    originalto: AddressField | None = None
    http_reuse: str = ""  # "": what docs/differences.md says
    abortonclose: bool = False
    splices: frozenset[str] = frozenset(("request", "response"))
    allbackups: bool = False
    persist: bool = False
    check_steps: tuple[CheckStep, ...] = (CheckConnect(),)  # a connect alone is a check by TCP
    disables_on_404: bool = False
    sends_state: bool = False
    logs_checks: bool = False
    buffers_requests: bool = False
    no_delay: bool = False  # `option http-no-delay`
    prefers_last_server: bool = False
    keep_alive_queue_max: int = 0  # max-keep-alive-queue: longer than that, `prefers_last_server` gives way; 0: never
    stats_page: StatsPage | None = None
    rules: Rules | None = None


@dataclass(frozen=True)
class StatsSocket:
    """One `stats socket`: a path, an address of IP (`port` is not 0), or a descriptor that was inherited (not -1).

    `level` is "user", "operator" or "admin"; `mode` is None where the file gives none (then 0600).
    """

    path: str
    mode: int | None
    uid: int  # -1: unchanged
    gid: int  # -1: unchanged
    level: str
    origin: Origin
    exposes_listeners: bool = False
    host: str = ""
    port: int = 0
    is_ipv6: bool = False
    descriptor: int = -1
    backlog: int = 0  # 0: a default
    maxconn: int = 0  # 0: only `stats maxconn` limits its sessions
    severity_form: str = "none"

    def address(self) -> str:
        """As `show cli sockets` and messages write it."""
        if self.port:
            return f"ipv6@[{self.host}]:{self.port}" if self.is_ipv6 else f"ipv4@{self.host or '0.0.0.0'}:{self.port}"
        return f"unix@{self.path}" if self.path else f"fd@{self.descriptor}"


@dataclass(frozen=True)
class Global:
    """The process: the sum of all `global` sections."""

    logs: tuple[LogTarget, ...] = ()
    log_tag: str = "haproxy"
    log_hostname: str = ""  # `log-send-hostname`; "": lines name no host
    rings: tuple[Ring, ...] = ()
    maxconn: int = 0  # 0: as many as the descriptor limit carries
    connection_rate_max: int = 0  # connections, sessions and TLS sessions a second, `maxconnrate` and its kin; 0: no limit
    session_rate_max: int = 0
    tls_rate_max: int = 0
    chroot: str = ""
    pidfile: str = ""
    uid: int = 0
    gid: int = 0
    user: str = ""  # as written, for messages
    group: str = ""
    daemon: bool = False
    quiet: bool = False
    zero_warning: bool = False  # a file with warnings is refused, as with -dW
    strict_limits: bool = False
    nbthread: int = 1
    stats_sockets: tuple[StatsSocket, ...] = ()
    stats_timeout_s: float = 10.0
    stats_maxconn: int = 10
    hard_stop_after_s: float = 0.0
    grace_s: float = 0.0  # how long a soft stop goes on accepting
    descriptors_max: int = 0  # `ulimit-n`; 0: what the system gives
    bufsize: int = 16384  # octets, rounded up as HAProxy does
    maxrewrite: int = 1024  # octets of it that no head may use, half at most
    maxhdr: int = 101  # lines of a head, the start line counted
    maxpipes: int = 0  # 0: a quarter of maxconn
    client_send_octets: int = 0  # of the kernel's buffers, as the three that follow; 0: as the system does it
    client_receive_octets: int = 0
    server_send_octets: int = 0
    server_receive_octets: int = 0
    pipe_octets: int = 0  # 0: one mebibyte
    splices: bool = True
    node: str = ""
    description: str = ""
    spread_checks_percent: int = 0  # by how much of its interval a check is early or late
    max_spread_checks_s: float = 0.0  # over how long the first checks are spread at most; 0.0: no limit
    variables: dict[str, str] = field(default_factory=dict, compare=False)  # of the environment, as the file leaves it


@dataclass(frozen=True)
class Model:
    """One whole configuration. Proxies in the order of the files; the two halves of a listen section carry one name."""

    process: Global
    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]
    files: tuple[str, ...]
    notices: tuple[str, ...] = field(default_factory=tuple)

    def backend_named(self, name: str) -> Backend | None:
        """The backend (or the servers' side of a listen section) of that name, None if there is none."""
        for backend in self.backends:
            if backend.name == name:
                return backend
        return None
