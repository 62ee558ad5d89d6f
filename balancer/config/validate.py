"""What the sections say together: names, references, and what each proxy becomes in the model.

All proxies are looked at, whatever is wrong with the first; a disabled one is only numbered and named. Numbers are HAProxy's:
proxies are counted from 1 in the order of the files, after the proxy of the stats sockets, if there are any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from balancer.config.captures import check_captures
from balancer.config.checks import check_steps
from balancer.config.cookies import dynamic_value
from balancer.config.drafts import GlobalDraft, ProxyDraft, ServerLine, Settings
from balancer.config.findings import NOTICE, Report
from balancer.config.httperrors import ErrorGroup, check_imports, own_pages
from balancer.config.keywords import nearest, suggestion
from balancer.config.logs import check_rings, finished
from balancer.config.logwords import log_words
from balancer.config.references import check_asked
from balancer.config.statefiles import state_file
from balancer.config.statspage import check_page
from balancer.config.tracking import check_tracking, full_name, remark_on_checks
from balancer.model import Backend, Frontend, Global, KernelBuffers, LogTarget, Model, Server

# HAProxy rounds 'tune.bufsize' up to this on 64-bit machines, and lets 'tune.maxrewrite' have half of it at most.
BUFSIZE_STEP: Final = 16
# What a draft of the global section knows for the load alone.
LOAD_ONLY: Final = ("seen", "environment", "state_folder", "state_file", "folders", "unix_bind")


def build(
    process: GlobalDraft,
    proxies: Sequence[ProxyDraft],
    errors: Mapping[str, ErrorGroup],
    files: tuple[str, ...],
    report: Report,
) -> tuple[Model, bool]:
    """The model and whether anything listens; what is wrong goes to the report, and then the model means nothing."""
    _check_names(proxies, report)
    check_rings(process, process.logs, "global section", report)
    for proxy in proxies:
        if not proxy.settings.disabled:
            _check_proxy(process, proxy, proxies, errors, report)
    frontends = []
    backends = []
    for number, proxy in enumerate(proxies, 2 if process.stats_sockets else 1):
        if proxy.is_frontend():
            frontends.append(_frontend(process, proxy, errors, number))
        if proxy.is_backend():
            backends.append(_backend(process, proxy, errors, number))
    has_listener = bool(process.stats_sockets) or any(f.binds and not f.disabled for f in frontends)
    notices = tuple(str(finding) for finding in report.findings if finding.level == NOTICE)
    return Model(_global(process), tuple(frontends), tuple(backends), files, notices), has_listener


def _check_names(proxies: Sequence[ProxyDraft], report: Report) -> None:
    # A frontend and a backend may share a name; a listen section is both.
    frontends: dict[str, ProxyDraft] = {}
    backends: dict[str, ProxyDraft] = {}
    for proxy in proxies:
        other = (frontends.get(proxy.name) if proxy.is_frontend() else None) or (
            backends.get(proxy.name) if proxy.is_backend() else None
        )
        if other is not None:
            report.alert(
                proxy.origin,
                f"{proxy.label()} '{proxy.name}' has the same name as {other.label()} '{other.name}' declared at "
                f"{other.origin}.",
            )
        if proxy.is_frontend():
            frontends.setdefault(proxy.name, proxy)
        if proxy.is_backend():
            backends.setdefault(proxy.name, proxy)


def _check_proxy(
    process: GlobalDraft,
    proxy: ProxyDraft,
    proxies: Sequence[ProxyDraft],
    errors: Mapping[str, ErrorGroup],
    report: Report,
) -> None:
    _check_servers(proxy, report)
    check_captures(proxy, report)
    check_page(process, proxy, report)
    settings = proxy.settings
    if settings.mode != "http":
        report.alert(
            proxy.origin,
            f"{proxy.label()} '{proxy.name}' expects 'mode http', here or in 'defaults' (without it HAProxy's mode is tcp, "
            "which is not supported yet)",
        )
    if proxy.is_frontend():
        _check_references(proxy, proxies, report)
    check_asked(proxy, proxies, report)
    check_imports(proxy, errors, report)
    for errorfile in own_pages(settings, errors).values():
        if len(errorfile.octets) > process.bufsize:
            report.alert(
                errorfile.origin,
                f"'errorfile' : '{errorfile.path}' expects at most 'tune.bufsize' octets, {process.bufsize} (got "
                f"{len(errorfile.octets)})",
            )
    if proxy.is_frontend() and not proxy.binds:
        hint = "Please declare it as a backend if this was intended." if proxy.letter == "L" else "Nobody can connect to it."
        report.warning(proxy.origin, f"{proxy.label()} '{proxy.name}' has no 'bind' directive. {hint}")
    if proxy.dispatch is not None and proxy.settings.has_balance:
        report.warning(proxy.origin, f"dispatch address of {proxy.label()} '{proxy.name}' will be ignored in balance mode.")
    if proxy.is_backend():
        check_tracking(proxy, proxies, report)
        _check_use_servers(proxy, report)
        remark_on_checks(proxy, report)
    _warn_of_timeouts(proxy, report)
    own_logs = [target for target in settings.logs if target is not None]
    check_rings(process, own_logs, f"proxy section '{proxy.name}'", report)
    if proxy.is_frontend() and settings.log_format != "connect" and not settings.logs_of(process.logs):
        report.warning(proxy.origin, f"log format ignored for {proxy.label()} '{proxy.name}' since it has no log address.")


def _check_references(proxy: ProxyDraft, proxies: Sequence[ProxyDraft], report: Report) -> None:
    backends = {other.name for other in proxies if other.is_backend()}
    default = proxy.settings.default_backend
    for reference in [*proxy.use_backends, *([default] if default is not None else [])]:
        if reference.name not in backends:
            near = suggestion(nearest(reference.name, backends)) or "."
            report.alert(
                reference.origin,
                f"Proxy '{proxy.name}': unable to find required {reference.keyword}: '{reference.name}'{near}",
            )
        elif reference.name == proxy.name and proxy.is_backend():
            report.alert(reference.origin, f"Proxy '{proxy.name}': loop detected for {reference.keyword}: '{reference.name}'.")


def _check_use_servers(proxy: ProxyDraft, report: Report) -> None:
    names = {server.name for server in proxy.servers}
    for reference in proxy.use_servers:
        if reference.name not in names:
            near = suggestion(nearest(reference.name, names)) or "."
            report.alert(
                reference.origin,
                f"{proxy.kind} '{proxy.name}' : unable to find server '{reference.name}' referenced in a 'use-server' rule"
                f"{near}",
            )


def _warn_of_timeouts(proxy: ProxyDraft, report: Report) -> None:
    settings = proxy.settings
    lacks_client = proxy.is_frontend() and not settings.timeout_s("client")
    lacks_server = bool(proxy.servers) and not (settings.timeout_s("connect") and settings.timeout_s("server"))
    if not (lacks_client or lacks_server):
        return
    report.warning(
        proxy.origin,
        f"missing timeouts for {proxy.label()} '{proxy.name}'.\n"
        "While not properly invalid, you will certainly encounter various problems\n"
        "with such a configuration. To fix this, please ensure that all following\n"
        "timeouts are set to a non-zero value: 'client', 'connect', 'server'.",
    )


def _check_servers(proxy: ProxyDraft, report: Report) -> None:
    by_name: dict[str, int] = {}
    by_cookie: dict[bytes, str] = {}
    by_number: dict[int, ServerLine] = {}
    for server in proxy.servers:
        if server.name in by_name:
            report.alert(
                server.origin,
                f"{proxy.label()} '{proxy.name}', another server named '{server.name}' was already defined at line "
                f"{by_name[server.name]}, please use distinct names.",
            )
        by_name.setdefault(server.name, server.origin.line)
        number = server.options.number
        if number in by_number:
            other = by_number[number]
            report.alert(
                server.origin,
                f"'server {proxy.name}/{server.name}' : 'id' : custom id {number} already used at {other.origin} ('server "
                f"{other.name}').",
            )
        if number:
            by_number.setdefault(number, server)
        cookie = _cookie_value(server, proxy.settings)
        if cookie is None:
            continue
        if cookie in by_cookie:
            report.warning(
                server.origin,
                f"'server {proxy.name}/{server.name}' : cookie value '{cookie.decode()}' is also that of server "
                f"'{by_cookie[cookie]}' : its sessions are found by chance; expects a value of its own",
            )
        by_cookie.setdefault(cookie, server.name)


def _global(process: GlobalDraft) -> Global:
    words = {name: value for name, value in vars(process).items() if name not in LOAD_ONLY}
    words["bufsize"] = -(-process.bufsize // BUFSIZE_STEP) * BUFSIZE_STEP
    words["logs"] = finished(process, process.logs, "", "")
    words["variables"] = process.environment.variables
    words["maxrewrite"] = min(process.maxrewrite, words["bufsize"] // 2)
    return Global(**words)


def _logs(process: GlobalDraft, proxy: ProxyDraft) -> tuple[LogTarget, ...]:
    settings = proxy.settings
    return finished(process, settings.logs_of(process.logs), settings.log_tag, proxy.name)


def _frontend(process: GlobalDraft, proxy: ProxyDraft, errors: Mapping[str, ErrorGroup], number: int) -> Frontend:
    settings = proxy.settings
    logs = _logs(process, proxy)
    # A rule is asked before the default; without either a listen section has servers of its own.
    default = settings.default_backend
    own = proxy.name if proxy.is_backend() else ""
    first = proxy.switches[0] if proxy.switches else None
    fixed = first.name if first is not None and first.condition is None else ""
    backend = fixed or (default.name if default is not None else own)
    return Frontend(
        rules=proxy.rules(),
        name=proxy.name,
        number=number,
        binds=tuple(proxy.binds),
        maxconn=settings.maxconn,
        logs=logs,
        log_format=settings.log_format if logs else "none",
        log_words=log_words(proxy),
        ignores_probes=settings.ignores_probes,
        dontlognull=settings.dontlognull,
        client_timeout_s=settings.timeout_s("client"),
        http_request_timeout_s=settings.timeout_s("http-request"),
        keep_alive_timeout_s=settings.timeout_s("http-keep-alive"),
        default_backend=backend,
        exporter_path=proxy.exporter_path,
        needs_exporter=proxy.needs_exporter,
        tarpit_timeout_s=(settings.timeout_s("tarpit") or settings.timeout_s("connect")) if proxy.rules() is not None else 0.0,
        errorfiles={status: page.octets for status, page in own_pages(settings, errors).items()},
        disabled=settings.disabled,
        is_listen=proxy.letter == "L",
        origin=proxy.origin,
        connections=settings.connections,
        forwardfor=settings.forwardfor,
        originalto=settings.originalto,
        monitor_uri=settings.monitor_uri,
        dontlog_normal=settings.dontlog_normal,
        log_separate_errors=settings.log_separate_errors,
        splices=_splices(settings),
        contstats=settings.contstats,
        socket_stats=settings.socket_stats,
        backlog=settings.backlog,
        session_rate_max=settings.session_rate_max,
        keep_alive=settings.client_probes if settings.probes_clients else None,
        buffers=_buffers(process.client_send_octets, process.client_receive_octets),
        resets_at_close=settings.resets_at_close,
        delays_acknowledgement=settings.delays_acknowledgement,
        buffers_requests=settings.buffers_requests,
        no_delay=settings.no_delay,
        stats_page=settings.stats_page,
    )


def _buffers(send_octets: int, receive_octets: int) -> KernelBuffers | None:
    """What `tune.sndbuf` and `tune.rcvbuf` say of one side; None where they say nothing."""
    return KernelBuffers(send_octets, receive_octets) if send_octets or receive_octets else None


def _splices(settings: Settings) -> frozenset[str]:
    """The directions that no `no option splice-...` forbids."""
    allowed = {"request": settings.splice_request, "response": settings.splice_response}
    return frozenset(name for name, is_allowed in allowed.items() if is_allowed and settings.splice_auto)


def _numbers(servers: Sequence[ServerLine]) -> list[int]:
    """HAProxy's ids: those that are given, else the position, or the next number behind it that nobody was given."""
    taken = {server.options.number for server in servers}
    numbers = []
    free = 0
    for server in servers:
        free += 1
        number = server.options.number
        if not number:
            while free in taken:
                free += 1
            number = free
            taken.add(free)
        numbers.append(number)
    return numbers


def _cookie_value(line: ServerLine, settings: Settings) -> bytes | None:
    """The server's own value, or under `cookie ... dynamic` the one that is made of its address."""
    rule, key = settings.cookie, settings.dynamic_cookie_key
    if line.options.cookie is None and rule is not None and rule.is_dynamic and key:
        return dynamic_value(key, line.host, line.port)
    return line.options.cookie


def _server(process: GlobalDraft, proxy: ProxyDraft, line: ServerLine, number: int) -> Server:
    settings = proxy.settings
    return Server(
        name=line.name,
        host=line.host,
        port=line.port,
        is_ipv6=line.is_ipv6,
        origin=line.origin,
        **{
            **vars(line.options),
            "number": number,
            "track": full_name(line.options.track, proxy),
            "cookie": _cookie_value(line, settings),
            "source": line.options.source or settings.source,
            # HAProxy: a minconn above maxconn is the limit, at any load.
            "maxconn": max(line.options.maxconn, line.options.minconn),
            "minconn": line.options.minconn if line.options.minconn < line.options.maxconn else 0,
        },
        keep_alive=settings.server_probes if settings.probes_servers else None,
        buffers=_buffers(process.server_send_octets, process.server_receive_octets),
        resets_at_close=settings.resets_at_close,
        acknowledges_with_request=settings.acknowledges_with_request,
    )


def _dispatch(process: GlobalDraft, proxy: ProxyDraft) -> Server | None:
    """Where `dispatch` sends whoever no cookie binds: no server of the list, without cookie and number, and nothing is kept."""
    line = proxy.dispatch
    if line is None or proxy.settings.has_balance:
        return None
    return replace(_server(process, proxy, line, 0), cookie=None, pool_size_max=0)


def _backend(process: GlobalDraft, proxy: ProxyDraft, errors: Mapping[str, ErrorGroup], number: int) -> Backend:
    settings = proxy.settings
    servers = tuple(
        _server(process, proxy, line, number_of_server)
        for line, number_of_server in zip(proxy.servers, _numbers(proxy.servers), strict=True)
    )
    return Backend(
        rules=proxy.rules(),
        name=proxy.name,
        number=number,
        servers=servers,
        balance=settings.balance,
        dispatch=_dispatch(process, proxy),
        cookie=settings.cookie,
        retries=settings.retries,
        redispatch_interval=settings.redispatch_interval,
        connect_timeout_s=settings.timeout_s("connect"),
        server_timeout_s=settings.timeout_s("server"),
        queue_timeout_s=settings.timeout_s("queue"),
        tunnel_timeout_s=settings.timeout_s("tunnel"),
        check_timeout_s=settings.timeout_s("check"),
        maxconn=settings.fullconn,
        logs=_logs(process, proxy),
        state_file=state_file(process, settings, proxy.name),
        has_own_state_file=settings.state_source == "local",
        errorfiles={status: page.octets for status, page in own_pages(settings, errors).items()},
        disabled=settings.disabled,
        is_listen=proxy.letter == "L",
        origin=proxy.origin,
        connections=settings.connections,
        pretend_keepalive=settings.pretend_keepalive,
        forwardfor=settings.forwardfor,
        originalto=settings.originalto,
        http_reuse=settings.http_reuse,
        abortonclose=settings.abortonclose,
        splices=_splices(settings),
        allbackups=settings.allbackups,
        persist=settings.persist,
        check_steps=check_steps(settings),
        disables_on_404=settings.disables_on_404,
        sends_state=settings.sends_state,
        logs_checks=settings.logs_checks,
        buffers_requests=settings.buffers_requests,
        no_delay=settings.no_delay,
        prefers_last_server=settings.prefers_last_server,
        keep_alive_queue_max=settings.keep_alive_queue_max,
        stats_page=settings.stats_page,
    )
