"""What the sections say while they are being read, before they are checked together and become the model.

`Settings` is what a proxy takes over from the `defaults` section before it: every value in it is immutable, so that a copy of
the fields is a copy of the settings. Nothing of a draft outlives the load.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from balancer.config.environment import Environment
from balancer.config.folders import Folders
from balancer.logbook import Captures, CaptureSlot, LogPart
from balancer.model import (
    AddressField,
    Balance,
    Bind,
    CheckConnect,
    CheckExpect,
    CookieRule,
    KeepAlive,
    LogTarget,
    Origin,
    Ring,
    SocketOptions,
    Source,
    StatsPage,
    StatsSocket,
)
from balancer.rulebook import Rule, Rules, Test

# `option tcpka` where nothing says how often.
PROBES_OF_SYSTEM: Final = KeepAlive()


@dataclass(frozen=True)
class UnixBind:
    """`unix-bind`: what the path of a `bind` on a UNIX socket begins with, and the rights of its file where it names none."""

    prefix: str = ""
    options: SocketOptions = field(default_factory=SocketOptions)


@dataclass
class GlobalDraft:
    """The sum of all `global` sections. `seen` keeps where a keyword that may be given once was given, `environment`
    what later lines mean by "$NAME", `folders` from where relative paths are, `unix_bind` what UNIX sockets begin with; none
    of them is of the model."""

    logs: tuple[LogTarget, ...] = ()
    log_tag: str = "haproxy"
    log_hostname: str = ""
    state_folder: str = ""
    state_file: str = ""
    rings: tuple[Ring, ...] = ()
    maxconn: int = 0
    connection_rate_max: int = 0
    session_rate_max: int = 0
    tls_rate_max: int = 0
    chroot: str = ""
    pidfile: str = ""
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    daemon: bool = False
    quiet: bool = False
    zero_warning: bool = False
    strict_limits: bool = False
    nbthread: int = 1
    stats_sockets: tuple[StatsSocket, ...] = ()
    stats_timeout_s: float = 10.0
    stats_maxconn: int = 10
    hard_stop_after_s: float = 0.0
    grace_s: float = 0.0
    descriptors_max: int = 0
    bufsize: int = 16384
    maxrewrite: int = 1024
    maxhdr: int = 101
    maxpipes: int = 0
    client_send_octets: int = 0  # of the kernel's buffers, as the three that follow; 0: as the system does it
    client_receive_octets: int = 0
    server_send_octets: int = 0
    server_receive_octets: int = 0
    pipe_octets: int = 0
    splices: bool = True
    node: str = ""
    description: str = ""
    spread_checks_percent: int = 0  # by how much of its interval a check is early or late
    max_spread_checks_s: float = 0.0  # over how long the first checks are spread at most; 0.0: no limit
    seen: dict[str, Origin] = field(default_factory=dict)
    folders: Folders = field(default_factory=Folders)
    unix_bind: UnixBind = UnixBind()
    environment: Environment = field(default_factory=Environment)


@dataclass(frozen=True)
class ServerOptions:
    """What may stand after a server's address, and on `default-server`."""

    cookie: bytes | None = None
    check: bool = False
    inter_s: float = 2.0
    fastinter_s: float = 0.0
    downinter_s: float = 0.0
    rise_count: int = 2
    fall_count: int = 3
    weight: int = 1
    backup: bool = False
    disabled: bool = False
    maxconn: int = 0
    maxqueue: int = 0
    number: int = 0  # `id`; 0: given in the order of the servers
    check_port: int = 0
    check_host: str = ""
    check_is_ipv6: bool = False
    observe: str = ""
    error_limit: int = 10
    on_error: str = "fail-check"
    shuts_sessions_when_down: bool = False
    shuts_backups_when_up: bool = False
    slowstart_s: float = 0.0
    track: str = ""
    source: Source | None = None
    user_timeout_ms: int = 0
    minconn: int = 0
    pool_size_max: int = -1
    pool_purge_delay_s: float = -1.0
    reuse_max: int = -1


@dataclass
class ServerDraft:
    """The options of one line while its words are applied one by one."""

    options: ServerOptions

    def set(self, **changes: object) -> None:
        """Replaces the named options."""
        self.options = replace(self.options, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ServerLine:
    """One `server` line, read."""

    name: str
    host: str
    port: int
    is_ipv6: bool
    options: ServerOptions
    origin: Origin


@dataclass(frozen=True)
class Reference:
    """A section or a server that is named before it may have been declared."""

    keyword: str
    name: str
    origin: Origin


@dataclass(frozen=True)
class ErrorFile:
    """One `errorfile`, read."""

    status: int
    octets: bytes
    path: str
    origin: Origin
    is_reset: bool = False  # takes back what stands before it for its status


@dataclass(frozen=True)
class ErrorImport:
    """What is to be taken over from an `http-errors` section; no statuses: all of them."""

    name: str
    statuses: tuple[int, ...]
    origin: Origin


@dataclass(frozen=True)
class CheckRule:
    """One `http-check` rule, or the request of `option httpchk` (`is_option`); None in it stands for what was not said."""

    step: CheckConnect | CheckExpect | None  # None: a request, or a mere comment
    origin: Origin
    comment: str = ""
    is_send: bool = False
    is_option: bool = False
    method: bytes | None = None
    uri: bytes | None = None
    version: bytes | None = None
    fields: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None


@dataclass(frozen=True)
class LogText:
    """A format, compiled, and where it stands."""

    parts: tuple[LogPart, ...]
    origin: Origin


@dataclass(frozen=True)
class SlotUse:
    """A rule that captures into the slot of that number."""

    keyword: str
    side: str
    number: int
    origin: Origin


@dataclass
class Settings:
    """What a `defaults` section hands on."""

    mode: str = "tcp"  # HAProxy's default
    logs: tuple[LogTarget | None, ...] = ()  # None stands for those of the global section
    log_tag: str = ""
    state_source: str = "none"  # "global", "local": which file of states is read
    state_name: str = ""  # of the file of this section; "": its own name
    log_format: str = "connect"
    log_parts: tuple[LogPart, ...] = ()
    error_text: LogText | None = None
    structured_text: LogText | None = None
    identity_text: LogText | None = None
    identity_field: bytes = b""
    logs_early: bool = False
    ignores_probes: bool = False
    dontlognull: bool = False
    # By the words of the modern keyword ("http-request"); absent: not given.
    timeouts: tuple[tuple[str, float], ...] = ()
    retries: int = 3
    redispatch_interval: int = 0
    balance: Balance = field(default_factory=Balance)
    has_balance: bool = False  # the file names an algorithm
    cookie: CookieRule | None = None
    dynamic_cookie_key: bytes = b""
    server_options: ServerOptions = ServerOptions()
    errorfiles: tuple[ErrorFile | ErrorImport, ...] = ()  # in the order of their lines
    default_backend: Reference | None = None
    maxconn: int = 0
    fullconn: int = 0
    disabled: bool = False
    forwardfor: AddressField | None = None
    originalto: AddressField | None = None
    connections: str = ""  # "keep-alive", "server-close", "close"; "" where nothing is said
    pretend_keepalive: bool = False
    http_reuse: str = ""
    abortonclose: bool = False
    allbackups: bool = False
    persist: bool = False
    dontlog_normal: bool = False
    log_separate_errors: bool = False
    splice_auto: bool = True
    splice_request: bool = True
    splice_response: bool = True
    monitor_uri: bytes = b""
    has_httpchk: bool = False
    check_rules: tuple[CheckRule, ...] = ()
    disables_on_404: bool = False
    sends_state: bool = False
    logs_checks: bool = False
    buffers_requests: bool = False
    no_delay: bool = False
    backlog: int = 0
    session_rate_max: int = 0
    probes_clients: bool = False
    probes_servers: bool = False
    client_probes: KeepAlive = PROBES_OF_SYSTEM
    server_probes: KeepAlive = PROBES_OF_SYSTEM
    resets_at_close: bool = False
    delays_acknowledgement: bool = True
    acknowledges_with_request: bool = False
    source: Source | None = None
    contstats: bool = False
    socket_stats: bool = False
    prefers_last_server: bool = False
    keep_alive_queue_max: int = 0
    stats_page: StatsPage | None = None

    def logs_of(self, of_process: tuple[LogTarget, ...]) -> tuple[LogTarget, ...]:
        """The log lines, those of the process in the place of `log global`."""
        found: list[LogTarget] = []
        for target in self.logs:
            found.extend(of_process if target is None else (target,))
        return tuple(found)

    def timeout_s(self, name: str) -> float:
        """The timeout in seconds, 0.0 where none was given."""
        return dict(self.timeouts).get(name, 0.0)

    def copy(self) -> "Settings":
        """Settings that may be changed without changing these."""
        return replace(self)


@dataclass
class ProxyDraft:
    """One `defaults`, `frontend`, `listen` or `backend` section. `letter` is its letter in `keywords.SECTIONS`."""

    letter: str
    kind: str
    name: str
    origin: Origin
    settings: Settings
    unix_bind: UnixBind = UnixBind()
    binds: list[Bind] = field(default_factory=list)
    servers: list[ServerLine] = field(default_factory=list)
    dispatch: ServerLine | None = None
    use_backends: list[Reference] = field(default_factory=list)
    exporter_path: bytes = b""
    needs_exporter: bool = False  # by a rule
    acls: dict[str, list[Test]] = field(default_factory=dict)
    request_rules: list[Rule] = field(default_factory=list)
    response_rules: list[Rule] = field(default_factory=list)
    after_rules: list[Rule] = field(default_factory=list)
    redirects: list[Rule] = field(default_factory=list)
    switches: list[Rule] = field(default_factory=list)
    server_rules: list[Rule] = field(default_factory=list)
    persist_rules: list[Rule] = field(default_factory=list)
    monitor_rules: list[Rule] = field(default_factory=list)
    use_servers: list[Reference] = field(default_factory=list)
    asked: list[Reference] = field(default_factory=list)  # sections and servers in conditions, by fetch
    own_format: str = ""  # the words of the format that this section itself names
    request_slots: list[CaptureSlot] = field(default_factory=list)
    response_slots: list[CaptureSlot] = field(default_factory=list)
    captured_cookie: bytes = b""
    captured_cookie_length: int = 0
    slot_uses: list[SlotUse] = field(default_factory=list)
    rules_before: "ProxyDraft | None" = None  # the named `defaults` section whose rules come first
    own_timeouts: set[str] = field(default_factory=set)  # given in this section itself
    has_own_page: bool = False  # a word of `stats` stands in this section itself
    has_own_check: bool = False  # `option httpchk` or an `http-check` rule stands in this section itself

    def rules(self) -> Rules | None:
        """All rules of the section, None where it has none."""
        first = self.switches[0] if self.switches else None
        is_fixed = first is not None and first.condition is None and first.name != ""
        before = self.rules_before
        requests, responses, after = (
            ((), (), ()) if before is None else (before.request_rules, before.response_rules, before.after_rules)
        )
        found = Rules(
            (*requests, *self.request_rules),
            tuple(self.redirects),
            (*responses, *self.response_rules),
            (*after, *self.after_rules),
            () if is_fixed else tuple(self.switches),
            tuple(self.server_rules),
            tuple(self.persist_rules),
            tuple(self.monitor_rules),
        )
        return None if found == Rules() else found

    def captures(self) -> Captures:
        """What is kept of requests and answers for the log."""
        return Captures(
            tuple(self.request_slots), tuple(self.response_slots), self.captured_cookie, self.captured_cookie_length
        )

    def is_frontend(self) -> bool:
        """Whether clients may connect to it."""
        return self.letter in "FL"

    def is_backend(self) -> bool:
        """Whether it may have servers."""
        return self.letter in "LB"

    def label(self) -> str:
        """The kind as HAProxy names it in messages: a `listen` section is a proxy."""
        return "proxy" if self.letter == "L" else self.kind
