"""Keywords of the sections that HAProxy 2.6 knows and we do not do, and those that older versions knew.

The lists come from what HAProxy prints of itself (`haproxy -dKall`) and from the matrix in its manual (3. and 4.1). The rule
for each group: what would change what is served, or who is let in, is refused; what only tunes, or only says something
elsewhere, is a warning.
"""

from typing import Any, Final

from balancer.config.keywords import GONE, NO_EFFECT, REFUSED, Keyword
from balancer.config.known import NO_PROXY_PROTOCOL, NO_TLS_HERE, ONE_THREAD, Group, rows

NO_RULES: Final = "rules are for whole requests and answers: 'http-request reject', 'http-request deny', 'http-response deny'"
NO_HEALTH: Final = "servers are checked by TCP or HTTP: 'option httpchk'"
NO_SCRIPTS: Final = "Lua is not supported"
NO_STICK: Final = "the persistence cookie keeps sessions on their servers"
NO_DETECTION: Final = "nothing here asks what device it is"
NO_VARIABLES: Final = "there are no rules that would ask for variables"
KERNEL: Final = "the kernel and the event loop decide that"
HTTP1_ONLY: Final = "only HTTP/1.1 is spoken"
LOG_ONLY: Final = "TLS ends before us: 'option httplog'"
NAMES_KEPT: Final = "names of fields pass as they were received"


def _moved(version: str, modern: str) -> str:
    """Why a keyword is gone whose work another does since."""
    return f"since HAProxy {version}; its modern form is '{modern}', which is not supported here yet"


GLOBAL_KNOWN: Final[tuple[Keyword[Any], ...]] = rows(
    "G",
    (
        (
            REFUSED,
            "",
            "h1-accept-payload-with-any-method",
        ),
        (REFUSED, NO_SCRIPTS, "lua-load lua-load-per-thread"),
        (NO_EFFECT, NO_SCRIPTS, "lua-prepend-path"),
        (
            NO_EFFECT,
            NO_TLS_HERE,
            "ca-base crt-base issuers-chain-path maxsslconn ssl-default-bind-ciphers ssl-default-bind-ciphersuites "
            "ssl-default-bind-curves ssl-default-bind-options ssl-default-server-ciphers ssl-default-server-ciphersuites "
            "ssl-default-server-options ssl-dh-param-file ssl-engine ssl-load-extra-del-ext ssl-load-extra-files "
            "ssl-mode-async ssl-propquery ssl-provider ssl-provider-path ssl-server-verify ssl-skip-self-issued-ca",
        ),
        (
            NO_EFFECT,
            ONE_THREAD,
            "cpu-map numa-cpu-mapping thread-group thread-groups master-worker mworker-max-reloads",
        ),
        (
            NO_EFFECT,
            KERNEL,
            "busy-polling fd-hard-limit no-memory-trimming noepoll noevports nogetaddrinfo nokqueue nopoll noreuseport",
        ),
        (NO_EFFECT, NAMES_KEPT, "h1-case-adjust h1-case-adjust-file"),
        (NO_EFFECT, "answers are not compressed", "maxcompcpuusage maxcomprate maxzlibmem"),
        (NO_EFFECT, "give 'hard-stop-after'", "close-spread-time"),
        (NO_EFFECT, NO_VARIABLES, "set-var set-var-fmt"),
        (
            NO_EFFECT,
            "the balancer itself asks nobody",
            "httpclient.resolvers.id httpclient.resolvers.prefer httpclient.ssl.ca-file httpclient.ssl.verify",
        ),
        (NO_EFFECT, "there are no peers", "cluster-secret"),
        (NO_EFFECT, HTTP1_ONLY, "h2-workaround-bogus-websocket-clients"),
        (NO_EFFECT, NO_PROXY_PROTOCOL, "pp2-never-send-local"),
        (
            NO_EFFECT,
            NO_DETECTION,
            "51degrees-cache-size 51degrees-data-file 51degrees-property-name-list 51degrees-property-separator "
            "deviceatlas-json-file deviceatlas-log-level deviceatlas-properties-cookie deviceatlas-separator wurfl-cache-size "
            "wurfl-data-file wurfl-information-list wurfl-information-list-separator",
        ),
        (
            NO_EFFECT,
            "",
            "expose-experimental-directives insecure-setuid-wanted profiling.tasks set-dumpable",
        ),
        (NO_EFFECT, "no program is run", "external-check insecure-fork-wanted"),
        (
            NO_EFFECT,
            "it only tunes HAProxy's own engine",
            "tune.buffers.limit tune.buffers.reserve tune.chksize tune.comp.maxlevel tune.fail-alloc tune.fd.edge-triggered "
            "tune.h2.header-table-size tune.h2.initial-window-size tune.h2.max-concurrent-streams tune.h2.max-frame-size "
            "tune.http.cookielen tune.http.logurilen tune.idle-pool.shared tune.idletimer tune.listener.multi-queue "
            "tune.lua.forced-yield tune.lua.maxmem tune.lua.service-timeout tune.lua.session-timeout tune.lua.task-timeout "
            "tune.maxaccept tune.maxpollevents tune.pattern.cache-size tune.peers.max-updates-at-once "
            "tune.pool-high-fd-ratio tune.pool-low-fd-ratio tune.quic.frontend.conn-tx-buffers.limit "
            "tune.quic.frontend.max-idle-timeout tune.quic.frontend.max-streams-bidi tune.quic.retry-threshold "
            "tune.recv_enough tune.runqueue-depth tune.sched.low-latency "
            "tune.ssl.cachesize tune.ssl.capture-buffer-size "
            "tune.ssl.capture-cipherlist-size tune.ssl.default-dh-param tune.ssl.force-private-cache tune.ssl.hard-maxrecord "
            "tune.ssl.keylog tune.ssl.lifetime tune.ssl.maxrecord tune.ssl.ssl-ctx-cache-size tune.vars.check-max-size "
            "tune.vars.global-max-size tune.vars.proc-max-size tune.vars.reqres-max-size tune.vars.sess-max-size "
            "tune.vars.txn-max-size tune.zlib.memlevel tune.zlib.windowsize",
        ),
    ),
) + rows("G", ((NO_EFFECT, ONE_THREAD, "bind-process"),), "stats")

OPTIONS: Final[tuple[tuple[str, tuple[Group, ...]], ...]] = (
    (
        "DF",
        (
            (REFUSED, "what is malformed is answered 400", "accept-invalid-http-request"),
            (REFUSED, "", "http-use-proxy-header"),
            (NO_EFFECT, HTTP1_ONLY, "disable-h2-upgrade"),
            (NO_EFFECT, NAMES_KEPT, "h1-case-adjust-bogus-client"),
            (NO_EFFECT, KERNEL, "idle-close-on-response"),
            (NO_EFFECT, LOG_ONLY, "httpslog"),
        ),
    ),
    (
        "DB",
        (
            (REFUSED, "what is malformed is answered 502", "accept-invalid-http-response"),
            (REFUSED, "", "checkcache transparent"),
            (
                REFUSED,
                NO_HEALTH,
                "external-check ldap-check mysql-check pgsql-check redis-check smtpchk spop-check ssl-hello-chk tcp-check",
            ),
            (NO_EFFECT, NAMES_KEPT, "h1-case-adjust-bogus-server"),
        ),
    ),
    (
        "DFB",
        (
            (REFUSED, "names of fields that are no tokens are refused, others pass", "http-restrict-req-hdr-names"),
            (NO_EFFECT, "each wait is for one side, and timed for that side alone", "independent-streams"),
        ),
    ),
    (
        "DFB",
        (
            (GONE, "since HAProxy 2.0; leave it out, or say 'option httpclose'", "forceclose"),
            (GONE, "since HAProxy 2.1; leave it out", "http-tunnel"),
            (GONE, "since HAProxy 2.5; leave it out: servers are written down, not named by requests", "http_proxy"),
        ),
    ),
)
# Before these 'no' means nothing to HAProxy, either.
# Words of `global` without effect here that may stand behind `no` and `default`.
NEGATABLE: Final = ("busy-polling", "insecure-fork-wanted", "numa-cpu-mapping", "set-dumpable")
NOT_NEGATABLE: Final[frozenset[str]] = frozenset(
    "option " + word
    for word in (
        "external-check http-restrict-req-hdr-names httpchk httpslog ldap-check mysql-check pgsql-check "
        "redis-check smtpchk spop-check ssl-hello-chk tcp-check tcplog forceclose http-tunnel http_proxy"
    ).split()
)

PROXY_GROUPS: Final[tuple[tuple[str, tuple[Group, ...]], ...]] = (
    (
        "DF",
        (
            (
                GONE,
                _moved("2.2", "http-request return"),
                "monitor-net",
            ),
        ),
    ),
    (
        "DB",
        (
            (REFUSED, NO_HEALTH, "external-check tcp-check"),
            (REFUSED, "", "http-send-name-header persist transparent"),
        ),
    ),
    (
        "B",
        (
            (REFUSED, "write a 'server' line for each", "server-template"),
            (REFUSED, NO_STICK, "stick"),
            (REFUSED, "FastCGI is not supported", "use-fcgi-app"),
            (GONE, f"since HAProxy 1.6; {NO_STICK}: 'cookie NAME insert'", "appsession"),
        ),
    ),
    (
        "FB",
        (
            (REFUSED, NO_STICK, "stick-table"),
            (REFUSED, "bodies pass as they are", "filter"),
            (NO_EFFECT, "it only names the section to tools", "description id"),
        ),
    ),
    (
        "DFB",
        (
            (REFUSED, NO_RULES, "tcp-request tcp-response"),
            (REFUSED, "let the web server in front compress", "compression"),
            (NO_EFFECT, "no mail is sent; watch the log or the metrics", "email-alert"),
            (NO_EFFECT, ONE_THREAD, "bind-process"),
            (GONE, "since HAProxy 2.5; give 'hard-stop-after' in 'global'", "grace"),
            (
                GONE,
                _moved("2.1", "http-request deny"),
                "block reqdeny reqideny",
            ),
            (GONE, _moved("2.1", "http-request add-header"), "reqadd"),
            (
                GONE,
                _moved("2.1", "http-request del-header"),
                "reqdel reqidel",
            ),
            (
                GONE,
                _moved("2.1", "http-request replace-header"),
                "reqrep reqirep cliexp",
            ),
            (
                GONE,
                _moved("2.1", "http-request tarpit"),
                "reqtarpit reqitarpit",
            ),
            (
                GONE,
                _moved("2.1", "http-request allow"),
                "reqallow reqiallow",
            ),
            (GONE, "since HAProxy 2.1; leave it out", "reqpass reqipass"),
            (GONE, _moved("2.1", "http-response add-header"), "rspadd"),
            (
                GONE,
                _moved("2.1", "http-response del-header"),
                "rspdel rspidel",
            ),
            (
                GONE,
                _moved("2.1", "http-response deny"),
                "rspdeny rspideny",
            ),
            (
                GONE,
                _moved("2.1", "http-response replace-header"),
                "rsprep rspirep srvexp",
            ),
        ),
    ),
)

IDLE_TIMEOUTS: Final[tuple[tuple[str, Group], ...]] = (
    ("DF", (NO_EFFECT, "a side that is half closed keeps its timeout", "client-fin")),
    ("DB", (NO_EFFECT, "a side that is half closed keeps its timeout", "server-fin")),
)


def _with_listen(letters: str) -> str:
    """A `listen` section takes what a frontend or a backend takes."""
    return letters + "L" if "L" not in letters else letters


def _proxy_rows() -> tuple[Keyword[Any], ...]:
    found: list[Keyword[Any]] = []
    for letters, groups in PROXY_GROUPS:
        found += rows(_with_listen(letters), groups)
    for letters, groups in OPTIONS:
        found += rows(_with_listen(letters), groups, "option")
    for letters, group in IDLE_TIMEOUTS:
        found += rows(_with_listen(letters), (group,), "timeout")
    return tuple(found)


PROXY_KNOWN: Final[tuple[Keyword[Any], ...]] = _proxy_rows()
