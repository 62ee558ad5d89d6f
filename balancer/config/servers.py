"""`server` and `default-server`: an address and the options after it.

A server line begins with the options of the `default-server` lines before it, in `defaults` and in its own section. Its
cookie value is checked here, because it will stand in a header.
"""

from collections.abc import Callable
from typing import Final

from balancer.config.addresses import parse_address
from balancer.config.cookies import cookie_value
from balancer.config.drafts import ProxyDraft, ServerDraft, ServerLine, ServerOptions
from balancer.config.findings import Refusal
from balancer.config.kernel import server_source
from balancer.config.keywords import Keyword, Table, works
from balancer.config.known import SERVER_OPTIONS
from balancer.config.names import check_name
from balancer.config.statement import Statement, milliseconds_of
from balancer.config.wire import parse_check_address, port_of
from balancer.config.words import apply_options
from balancer.units import UnitError, parse_integer

# How the log names whoever is no server of the list.
NOBODY: Final = "<NOSRV>"
WEIGHT_MAX: Final = 256
OBSERVE_MODES: Final[dict[str, str]] = dict.fromkeys(("none", "layer4", "layer7"), "")
ON_ERROR_MODES: Final[dict[str, str]] = dict.fromkeys(("fastinter", "fail-check", "sudden-death", "mark-down"), "")


def parse_server(proxy: ProxyDraft, statement: Statement) -> None:
    """`server NAME ADDRESS:PORT [options]`: adds a server to the section."""
    words = statement.arguments
    if len(words) < 2 or not words[0] or not words[1]:
        raise Refusal(f"'server' expects <name> and <addr>[:<port>] as arguments (got '{' '.join(words)}')")
    name, address = words[0], words[1]
    subject = f"'server {proxy.name}/{name}'"
    draft = ServerDraft(proxy.settings.server_options)
    apply_options(SERVER_TABLE, draft, statement, subject, words[2:])
    check_name("server", name)
    proxy.servers.append(_line(statement, subject, name, address, draft.options))


def parse_dispatch(proxy: ProxyDraft, statement: Statement) -> None:
    """`dispatch ADDRESS:PORT`: where everybody goes whom no cookie binds. A server without a name, for the log."""
    statement.count(1, 1, "<addr>:<port>")
    proxy.dispatch = _line(statement, "'dispatch'", NOBODY, statement.arguments[0], ServerOptions())


def _line(statement: Statement, subject: str, name: str, address: str, options: ServerOptions) -> ServerLine:
    try:
        target = parse_address(address, statement.resolves)
    except Refusal as refusal:
        raise Refusal(f"{subject} : {refusal}") from refusal
    if target.port_first == 0:
        raise Refusal(
            f"{subject} : expects <addr>:<port> (got '{address}'); a server without a port, HAProxy's way to the port that "
            "the client used, is not supported yet"
        )
    if target.host.address in ("", "::"):
        raise Refusal(
            f"{subject} : expects the address of a server (got '{address}'); the address that the client used is not "
            "supported yet"
        )
    return ServerLine(name, target.host.address, target.port_first, target.host.is_ipv6, options, statement.origin)


def parse_default_server(proxy: ProxyDraft, statement: Statement) -> None:
    """`default-server [options]`: changes what the servers after it begin with."""
    statement.count(1, 1024, "options of servers")
    draft = ServerDraft(proxy.settings.server_options)
    apply_options(SERVER_TABLE, draft, statement, "'default-server'", statement.arguments)
    if draft.options.number:
        raise Refusal("'id' option is not accepted in default-server sections")
    proxy.settings.server_options = draft.options


def _cookie(server: ServerDraft, statement: Statement) -> None:
    server.set(cookie=cookie_value(statement.arguments[0] if statement.arguments else ""))


def _check(server: ServerDraft, statement: Statement) -> None:
    server.set(check=statement.keyword == "check")


def _backup(server: ServerDraft, statement: Statement) -> None:
    server.set(backup=statement.keyword == "backup")


def _disabled(server: ServerDraft, statement: Statement) -> None:
    server.set(disabled=statement.keyword == "disabled")


def _interval(server: ServerDraft, statement: Statement) -> None:
    interval_s = statement.time_s()
    if interval_s == 0.0:
        raise Refusal(f"'{statement.keyword}' expects a time greater than 0 (got '{statement.arguments[0]}')")
    server.set(**{f"{statement.keyword}_s": interval_s})


def _threshold(server: ServerDraft, statement: Statement) -> None:
    server.set(**{f"{statement.keyword}_count": statement.integer(1)})


def _weight(server: ServerDraft, statement: Statement) -> None:
    server.set(weight=statement.integer(0, WEIGHT_MAX))


def _id(server: ServerDraft, statement: Statement) -> None:
    if not statement.arguments:
        raise Refusal("'id' : expects an integer argument")
    try:
        server.set(number=parse_integer(statement.arguments[0], 1))
    except UnitError as error:
        raise Refusal(f"'id' : custom id has to be > 0 (got '{statement.arguments[0]}')") from error


def _limit(server: ServerDraft, statement: Statement) -> None:
    server.set(**{statement.keyword: statement.integer(0)})


def _check_port(server: ServerDraft, statement: Statement) -> None:
    server.set(check_port=port_of("port", statement.text("a port number as argument.")))


def _check_address(server: ServerDraft, statement: Statement) -> None:
    host = parse_check_address("addr", statement.text("<ipv4|ipv6> as argument."), statement.resolves)
    server.set(check_host=host.address, check_is_ipv6=host.is_ipv6)


def _observe(server: ServerDraft, statement: Statement) -> None:
    mode = statement.choice(OBSERVE_MODES)
    server.set(observe="" if mode == "none" else mode)


def _error_limit(server: ServerDraft, statement: Statement) -> None:
    server.set(error_limit=statement.integer(1))


def _on_error(server: ServerDraft, statement: Statement) -> None:
    server.set(on_error=statement.choice(ON_ERROR_MODES))


def _on_marked_down(server: ServerDraft, statement: Statement) -> None:
    statement.choice({"shutdown-sessions": ""})
    server.set(shuts_sessions_when_down=True)


def _on_marked_up(server: ServerDraft, statement: Statement) -> None:
    statement.choice({"shutdown-backup-sessions": ""})
    server.set(shuts_backups_when_up=True)


def _slowstart(server: ServerDraft, statement: Statement) -> None:
    server.set(slowstart_s=statement.time_s())


def _user_timeout(server: ServerDraft, statement: Statement) -> None:
    server.set(user_timeout_ms=milliseconds_of("tcp-ut", statement.text("a time (in milliseconds by default)")))


def _pool(field: str, minimum: int) -> Callable[[ServerDraft, Statement], None]:
    def apply(server: ServerDraft, statement: Statement) -> None:
        server.set(**{field: statement.integer(minimum)})

    return apply


def _purge_delay(server: ServerDraft, statement: Statement) -> None:
    server.set(pool_purge_delay_s=statement.time_s())


def _track(server: ServerDraft, statement: Statement) -> None:
    server.set(track=statement.text("[<proxy>/]<server> as argument."))


SERVER_ROWS: Final[tuple[Keyword[ServerDraft], ...]] = (
    works("cookie", "s", "the value of the persistence cookie that stands for this server", _cookie, value_count=1),
    works("check", "s", "checks the server by connecting to it", _check),
    works("no-check", "s", "takes a `check` of `default-server` back", _check),
    works("inter", "s", "time between two checks; 2s", _interval, value_count=1),
    works("fastinter", "s", "time between two checks while the state is changing; as `inter`", _interval, value_count=1),
    works("downinter", "s", "time between two checks while the server is DOWN; as `inter`", _interval, value_count=1),
    works("rise", "s", "how many good checks bring a server UP; 2", _threshold, value_count=1),
    works("fall", "s", "how many failed checks bring a server DOWN; 3", _threshold, value_count=1),
    works("weight", "s", "its share of the visitors, 0 to 256; 1; with 0 only sticky users come", _weight, value_count=1),
    works("id", "s", "its number in the statistics and on the ring of hashes; its position", _id, value_count=1),
    works("backup", "s", "used only when no other server is usable", _backup),
    works("no-backup", "s", "takes a `backup` of `default-server` back", _backup),
    works("disabled", "s", "starts in maintenance", _disabled),
    works("enabled", "s", "takes a `disabled` of `default-server` back", _disabled),
    works("maxconn", "s", "how many requests it is given at once; 0: no limit; more wait in its queue", _limit, value_count=1),
    works("minconn", "s", "what `maxconn` begins at; it grows with the backend's load up to `fullconn`", _limit, value_count=1),
    works("source", "s", "the address from which it is connected to: `ADDRESS[:PORT]`", server_source, value_count=1),
    works("tcp-ut", "s", "how long what was sent may stay unacknowledged", _user_timeout, value_count=1),
    works("port", "s", "the port that checks connect to; the server's", _check_port, value_count=1),
    works("addr", "s", "the address that checks connect to; the server's", _check_address, value_count=1),
    works("observe", "s", "`layer4` or `layer7`: errors that visitors meet count as well", _observe, value_count=1),
    works("error-limit", "s", "how many such errors in a row are acted on; 10", _error_limit, value_count=1),
    works(
        "on-error",
        "s",
        "what they do: `fastinter`, `fail-check` (default), `sudden-death`, `mark-down`",
        _on_error,
        value_count=1,
    ),
    works(
        "on-marked-down", "s", "`shutdown-sessions`: its connections are cut when it goes DOWN", _on_marked_down, value_count=1
    ),
    works(
        "on-marked-up",
        "s",
        "`shutdown-backup-sessions`: those of backup servers are cut when it comes UP",
        _on_marked_up,
        value_count=1,
    ),
    works("slowstart", "s", "for how long weight and maxconn grow after it has been DOWN", _slowstart, value_count=1),
    works("track", "s", "`[BACKEND/]SERVER` whose state it shares, instead of checks", _track, value_count=1),
    works("pool-max-conn", "s", "how many kept connections it may have; -1: 256", _pool("pool_size_max", -1), value_count=1),
    works(
        "pool-purge-delay",
        "s",
        "for how long a connection without a request is kept; 0: not at all",
        _purge_delay,
        value_count=1,
    ),
    works("max-reuse", "s", "how many more requests a connection may get; -1: no limit", _pool("reuse_max", -1), value_count=1),
    works("maxqueue", "s", "how many requests may wait for it; 0: no limit", _limit, value_count=1),
)
SERVER_TABLE: Final[Table[ServerDraft]] = Table((*SERVER_ROWS, *SERVER_OPTIONS))
