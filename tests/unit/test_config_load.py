"""What a valid configuration becomes in the model."""

import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest
from config_files import DEFAULTS, MODERN, ORIGINAL, load_text, model_of, told

from balancer import model
from balancer.model import Backend, Bind, Frontend, LogTarget, Model, Origin, Server


def only_frontend(loaded: Model) -> Frontend:
    (frontend,) = loaded.frontends
    return frontend


def only_backend(loaded: Model) -> Backend:
    (backend,) = loaded.backends
    return backend


def without_places(loaded: Model) -> Model:
    """The model with every origin the same, so that two files can be compared."""
    nowhere = Origin("", 0)

    def log(target: LogTarget) -> LogTarget:
        return replace(target, origin=nowhere)

    frontends = tuple(
        replace(
            frontend,
            origin=nowhere,
            binds=tuple(replace(bind, origin=nowhere) for bind in frontend.binds),
            logs=tuple(log(target) for target in frontend.logs),
        )
        for frontend in loaded.frontends
    )
    backends = tuple(
        replace(
            backend,
            origin=nowhere,
            cookie=None if backend.cookie is None else replace(backend.cookie, origin=nowhere),
            servers=tuple(replace(server, origin=nowhere) for server in backend.servers),
            logs=tuple(log(target) for target in backend.logs),
        )
        for backend in loaded.backends
    )
    process = replace(loaded.process, logs=tuple(log(target) for target in loaded.process.logs))
    return Model(process, frontends, backends, (), ())


def test_the_original_file_becomes_the_model_it_means(tmp_path: Path) -> None:
    loaded = model_of(tmp_path, ORIGINAL)
    file = str(tmp_path / "test.cfg")
    log = LogTarget("udp", "127.0.0.1", 514, "", 16, model.DEBUG, model.EMERG, "local", 1024, Origin(file, 2))
    origin = Origin(file, 17)
    assert loaded.process == model.Global(
        logs=(log,),
        maxconn=32000,
        chroot="/usr/share/haproxy",
        pidfile="/var/run/haproxy.pid",
        uid=33,
        gid=33,
    )
    assert only_frontend(loaded) == Frontend(
        name="smalltalk",
        number=1,
        binds=(Bind("127.0.0.1", 8080, False, 0, "", origin),),
        maxconn=0,
        logs=(log,),
        log_format="http",
        dontlognull=True,
        client_timeout_s=50.0,
        http_request_timeout_s=0.0,
        keep_alive_timeout_s=0.0,
        default_backend="smalltalk",
        exporter_path=b"",
        errorfiles={},
        disabled=False,
        is_listen=True,
        origin=origin,
    )
    backend = only_backend(loaded)
    assert backend.cookie == model.CookieRule(
        name=b"SEASIDE",
        indirect=False,
        nocache=True,
        postonly=False,
        preserve=False,
        httponly=False,
        secure=False,
        domains=(),
        attrs=(),
        origin=Origin(file, 19),
    )
    assert replace(backend, servers=(), cookie=None) == Backend(
        name="smalltalk",
        number=1,
        servers=(),
        balance=model.Balance(),
        cookie=None,
        retries=3,
        redispatch_interval=0,
        connect_timeout_s=5.0,
        server_timeout_s=50.0,
        queue_timeout_s=0.0,
        tunnel_timeout_s=0.0,
        check_timeout_s=0.0,
        maxconn=0,
        logs=(log,),
        errorfiles={},
        disabled=False,
        is_listen=True,
        origin=origin,
    )
    assert backend.servers == tuple(
        Server(
            name=f"app{n}",
            number=n,
            host="127.0.0.1",
            port=3000 + n,
            is_ipv6=False,
            cookie=f"app1inst{n}".encode(),
            check=True,
            inter_s=2.0,
            fastinter_s=0.0,
            downinter_s=0.0,
            rise_count=2,
            fall_count=3,
            weight=1,
            backup=False,
            disabled=False,
            maxconn=0,
            maxqueue=0,
            origin=Origin(file, 20 + n),
        )
        for n in range(1, 11)
    )


def test_the_original_and_its_modern_form_mean_the_same(tmp_path: Path) -> None:
    original = load_text(tmp_path, ORIGINAL)
    modern_directory = tmp_path / "modern"
    modern_directory.mkdir()
    modern = load_text(modern_directory, MODERN)
    assert original.model is not None
    assert modern.model is not None
    assert without_places(original.model) == without_places(modern.model)
    assert modern.findings == []


def test_each_old_word_gives_a_notice_with_its_modern_form_and_nothing_else(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, ORIGINAL)
    assert outcome.has_listener
    assert told(outcome) == [
        "NOTICE 14: 'contimeout' works; its modern form is 'timeout connect 5000'",
        "NOTICE 15: 'clitimeout' works; its modern form is 'timeout client 50000'",
        "NOTICE 16: 'srvtimeout' works; its modern form is 'timeout server 50000'",
        "NOTICE 17: 'listen smalltalk 127.0.0.1:8080' works; its modern form is 'bind 127.0.0.1:8080'",
    ]


@pytest.mark.parametrize(
    ("words", "binds"),
    [
        (":8080", [("", 8080, False)]),
        ("*:8080", [("", 8080, False)]),
        ("0.0.0.0:8080", [("", 8080, False)]),
        ("127.0.0.1:8080", [("127.0.0.1", 8080, False)]),
        ("[::1]:8080", [("::1", 8080, True)]),
        ("::1:8080", [("::1", 8080, True)]),
        ("[::]:8080", [("::", 8080, True)]),
        ("ipv4@:8080", [("", 8080, False)]),
        ("ipv6@:8080", [("::", 8080, True)]),
        ("127.0.0.1:8081,127.0.0.2:8082", [("127.0.0.1", 8081, False), ("127.0.0.2", 8082, False)]),
        (":8080-8083", [("", port, False) for port in range(8080, 8084)]),
        (":8080-8081,[::]:9000", [("", 8080, False), ("", 8081, False), ("::", 9000, True)]),
        ('":$HOME_PORT"', [("", 8081, False)]),
    ],
)
@pytest.mark.parametrize("form", ["listen a {}\n", "listen a\n bind {}\n", "frontend a {}\n"])
def test_addresses_of_binds(tmp_path: Path, form: str, words: str, binds: list[tuple[str, int, bool]]) -> None:
    loaded = model_of(tmp_path, DEFAULTS + form.format(words))
    assert [(bind.host, bind.port, bind.is_ipv6) for bind in only_frontend(loaded).binds] == binds


def test_a_name_is_resolved_at_load(tmp_path: Path) -> None:
    text = DEFAULTS + "listen a\n bind localhost:8080\n server s localhost:80\n"
    outcome = load_text(tmp_path, text, resolve=True)
    assert outcome.model is not None, told(outcome)
    assert outcome.model.frontends[0].binds[0].host in ("127.0.0.1", "::1")
    assert outcome.model.backends[0].servers[0].host in ("127.0.0.1", "::1")


def test_several_global_sections_add_up(tmp_path: Path) -> None:
    process = model_of(
        tmp_path, "global\n maxconn 10\n log 127.0.0.1 local0\nglobal\n uid 5\n", "global\n log /dev/log daemon info\n"
    ).process
    assert (process.maxconn, process.uid, [log.kind for log in process.logs]) == (10, 5, ["udp", "unix"])


def test_a_single_word_keeps_its_first_value_and_warns_of_the_second(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, "global\n maxconn 10\n maxconn 20\n stats socket /tmp/x\n")
    assert outcome.model is not None
    assert outcome.model.process.maxconn == 10
    place = f"[{tmp_path}/test.cfg:2]"
    assert told(outcome) == [f"WARNING 3: 'maxconn' already specified at {place}, which stays"]


def test_words_of_the_global_section(tmp_path: Path) -> None:
    text = """global
 daemon
 quiet
 zero-warning
 strict-limits
 log-tag pages
 hard-stop-after 30s
 node one
 description the first of two
 tune.bufsize 32768
 tune.maxrewrite 2048
 tune.http.maxhdr 200
 stats timeout 2m
 stats socket /run/a.sock mode 660 level admin uid 5 gid 6
 stats socket unix@/run/b.sock
"""
    process = model_of(tmp_path, text).process
    file = str(tmp_path / "test.cfg")
    assert process == model.Global(
        log_tag="pages",
        daemon=True,
        quiet=True,
        zero_warning=True,
        strict_limits=True,
        hard_stop_after_s=30.0,
        node="one",
        description="the first of two",
        bufsize=32768,
        maxrewrite=2048,
        maxhdr=200,
        stats_timeout_s=120.0,
        stats_sockets=(
            model.StatsSocket("/run/a.sock", 0o660, 5, 6, "admin", Origin(file, 14)),
            model.StatsSocket("/run/b.sock", None, -1, -1, "operator", Origin(file, 15)),
        ),
    )


def test_no_takes_strict_limits_back(tmp_path: Path) -> None:
    assert not model_of(tmp_path, "global\n strict-limits\n no strict-limits\n").process.strict_limits


def test_names_of_users_become_numbers_at_load(tmp_path: Path) -> None:
    entry = pwd.getpwuid(os.getuid())
    process = model_of(tmp_path, f"global\n user {entry.pw_name}\n").process
    assert (process.uid, process.user) == (entry.pw_uid, entry.pw_name)


@pytest.mark.parametrize("keyword", ["nbthread", "nbproc"])
def test_more_than_one_thread_is_warned_of(tmp_path: Path, keyword: str) -> None:
    outcome = load_text(tmp_path, f"global\n {keyword} 4\n stats socket /tmp/x\n")
    assert told(outcome) == [f"WARNING 2: '{keyword} 4' : one process with one thread serves, 1 is used"]
    assert load_text(tmp_path, f"global\n {keyword} 1\n").findings == []


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("127.0.0.1 local0", ("udp", "127.0.0.1", 514, "", 16, 7, 0, "local", 1024)),
        ("127.0.0.1:5514 local7 notice", ("udp", "127.0.0.1", 5514, "", 23, 5, 0, "local", 1024)),
        ("[::1]:5514 daemon info err", ("udp", "::1", 5514, "", 3, 6, 3, "local", 1024)),
        ("udp@127.0.0.1:514 kern", ("udp", "127.0.0.1", 514, "", 0, 7, 0, "local", 1024)),
        ("udp4@127.0.0.1 kern", ("udp", "127.0.0.1", 514, "", 0, 7, 0, "local", 1024)),
        ("/dev/log local1 notice", ("unix", "", 0, "/dev/log", 17, 5, 0, "local", 1024)),
        ("unix@/dev/log local1", ("unix", "", 0, "/dev/log", 17, 7, 0, "local", 1024)),
        ("stdout format raw local0", ("stdout", "", 0, "", 16, 7, 0, "raw", 1024)),
        ("stderr len 200 format short local0", ("stderr", "", 0, "", 16, 7, 0, "short", 200)),
        ("fd@1 len 80 format local local0", ("stdout", "", 0, "", 16, 7, 0, "local", 80)),
    ],
)
def test_targets_of_log(tmp_path: Path, words: str, target: tuple[str, str, int, str, int, int, int, str, int]) -> None:
    (log,) = model_of(tmp_path, f"global\n log {words}\n").process.logs
    assert log == LogTarget(*target, Origin(str(tmp_path / "test.cfg"), 2))


def test_a_proxy_takes_the_defaults_before_it_and_a_new_section_forgets_them(tmp_path: Path) -> None:
    text = (
        "defaults\n mode http\n retries 7\n timeout client 1s\nfrontend a\n bind :1\nbackend b\n"
        "defaults\n mode http\nbackend c\n retries 2\n"
    )
    loaded = model_of(tmp_path, text, "backend d\n")
    assert [(backend.name, backend.retries) for backend in loaded.backends] == [("b", 7), ("c", 2), ("d", 3)]
    assert only_frontend(loaded).client_timeout_s == 1.0


def test_a_proxy_may_name_its_defaults(tmp_path: Path) -> None:
    text = (
        "defaults one\n mode http\n retries 1\ndefaults two from one\n timeout queue 4s\ndefaults\n mode http\n"
        "backend a from one\nbackend b from two\nbackend c\n"
    )
    backends = model_of(tmp_path, text).backends
    assert [(backend.retries, backend.queue_timeout_s) for backend in backends] == [(1, 0.0), (1, 4.0), (3, 0.0)]


def test_timeouts(tmp_path: Path) -> None:
    text = """defaults
 mode http
 timeout connect 1s
 timeout client 2s
 timeout server 3s
 timeout check 4s
 timeout queue 5s
 timeout tunnel 6m
 timeout http-request 7s
 timeout http-keep-alive 8s
listen a
 bind :8080
"""
    loaded = model_of(tmp_path, text)
    backend, frontend = only_backend(loaded), only_frontend(loaded)
    assert (backend.connect_timeout_s, backend.server_timeout_s, backend.check_timeout_s) == (1.0, 3.0, 4.0)
    assert (backend.queue_timeout_s, backend.tunnel_timeout_s) == (5.0, 360.0)
    assert (frontend.client_timeout_s, frontend.http_request_timeout_s, frontend.keep_alive_timeout_s) == (2.0, 7.0, 8.0)


@pytest.mark.parametrize(
    ("line", "interval"),
    [
        ("option redispatch", -1),
        ("option redispatch 1", 1),
        ("option redispatch -2", -2),
        ("redispatch", -1),
        ("no option redispatch", 0),
        ("retry-on conn-failure", 0),
    ],
)
def test_redispatch(tmp_path: Path, line: str, interval: int) -> None:
    assert only_backend(model_of(tmp_path, DEFAULTS + f"backend b\n {line}\n")).redispatch_interval == interval


def test_no_takes_an_option_of_defaults_back(tmp_path: Path) -> None:
    text = "defaults\n mode http\n option dontlognull\n option redispatch\n log 127.0.0.1 local0\n"
    text += "listen a\n bind :1\n no option dontlognull\n no option redispatch\n no log\n"
    loaded = model_of(tmp_path, text)
    assert not only_frontend(loaded).dontlognull
    assert only_backend(loaded).redispatch_interval == 0
    assert only_frontend(loaded).logs == ()


def test_log_global_gives_each_line_once_however_often_it_is_said(tmp_path: Path) -> None:
    text = "global\n log 127.0.0.1 local0\n" + DEFAULTS + " log global\nlisten a\n bind :1\n log global\n log stdout local1\n"
    assert [log.kind for log in only_frontend(model_of(tmp_path, text)).logs] == ["udp", "stdout"]


@pytest.mark.parametrize(
    ("lines", "log_format"),
    [("", "none"), (" log stdout local0\n", "connect"), (" log stdout local0\n option httplog\n", "http")],
)
def test_the_form_of_the_log_line(tmp_path: Path, lines: str, log_format: str) -> None:
    text = DEFAULTS + "frontend a\n bind :1\n" + lines
    assert only_frontend(model_of(tmp_path, text)).log_format == log_format


def test_options_of_servers(tmp_path: Path) -> None:
    text = (
        DEFAULTS + "backend b\n default-server inter 3s fall 5 check\n"
        " server a 127.0.0.1:1\n server b [::1]:2 inter 1s fastinter 200 downinter 9s rise 4 fall 1 weight 0 no-check backup\n"
        " default-server inter 7s disabled\n server c 10.0.0.1:3 enabled maxconn 5 maxqueue 6\n"
        " server d 10.0.0.1:4 cookie v-1\n"
    )
    a, b, c, d = only_backend(model_of(tmp_path, text)).servers
    assert (a.inter_s, a.fall_count, a.check, a.fastinter_s) == (3.0, 5, True, 0.0)
    assert (b.host, b.is_ipv6, b.inter_s, b.fastinter_s, b.downinter_s) == ("::1", True, 1.0, 0.2, 9.0)
    assert (b.rise_count, b.fall_count, b.weight, b.check, b.backup) == (4, 1, 0, False, True)
    assert (c.inter_s, c.disabled, c.maxconn, c.maxqueue) == (7.0, False, 5, 6)
    assert (d.disabled, d.cookie, d.number) == (True, b"v-1", 4)


def test_all_words_of_cookie(tmp_path: Path) -> None:
    text = DEFAULTS + (
        "backend b\n cookie JS insert indirect nocache postonly preserve httponly secure"
        ' domain .a.org domain b.org attr "SameSite=Lax" attr Partitioned\n'
    )
    cookie = only_backend(model_of(tmp_path, text)).cookie
    assert cookie is not None
    assert cookie == model.CookieRule(
        name=b"JS",
        indirect=True,
        nocache=True,
        postonly=True,
        preserve=True,
        httponly=True,
        secure=True,
        domains=(b".a.org", b"b.org"),
        attrs=(b"SameSite=Lax", b"Partitioned"),
        origin=cookie.origin,
    )


@pytest.mark.parametrize(
    ("lines", "backend"),
    [("", ""), (" default_backend b\n", "b"), (" default_backend b\n use_backend c\n", "c"), (" use_backend c\n", "c")],
)
def test_where_a_frontend_sends(tmp_path: Path, lines: str, backend: str) -> None:
    text = DEFAULTS + "frontend a\n bind :1\n" + lines + "backend b\nbackend c\n"
    assert only_frontend(model_of(tmp_path, text)).default_backend == backend


def test_a_listen_section_sends_to_its_own_servers_unless_it_says_otherwise(tmp_path: Path) -> None:
    text = DEFAULTS + "listen a\n bind :1\nlisten b\n bind :2\n default_backend a\n"
    assert [frontend.default_backend for frontend in model_of(tmp_path, text).frontends] == ["a", "a"]


def test_the_exporter_is_the_only_rule_with_a_condition(tmp_path: Path) -> None:
    text = DEFAULTS + "frontend m\n bind :1\n http-request use-service prometheus-exporter if { path /metrics }\n"
    assert only_frontend(model_of(tmp_path, text)).exporter_path == b"/metrics"


def test_numbers_are_haproxys(tmp_path: Path) -> None:
    text = DEFAULTS + "frontend a\n bind :1\n disabled\nbackend b\nlisten c\n bind :2\n"
    loaded = model_of(tmp_path, text)
    assert [frontend.number for frontend in loaded.frontends] == [1, 3]
    assert [backend.number for backend in loaded.backends] == [2, 3]
    with_socket = model_of(tmp_path, "global\n stats socket /tmp/x\n" + text)
    assert [frontend.number for frontend in with_socket.frontends] == [2, 4]


def test_an_error_file_is_read_at_load_and_the_later_one_counts(tmp_path: Path) -> None:
    (tmp_path / "a.http").write_bytes(b"HTTP/1.0 503 Gone Fishing\r\nContent-Type: text/plain\r\n\r\nlater\n")
    (tmp_path / "b.http").write_bytes(b"HTTP/1.1 503 No\n\n")
    text = DEFAULTS + f" errorfile 503 {tmp_path}/b.http\n errorfile 400 /dev/null\n"
    text += f"listen a\n bind :1\n errorfile 503 {tmp_path}/a.http\nbackend b\n"
    loaded = model_of(tmp_path, text)
    assert only_frontend(loaded).errorfiles == {400: b"", 503: (tmp_path / "a.http").read_bytes()}
    assert loaded.backends[1].errorfiles == {400: b"", 503: b"HTTP/1.1 503 No\n\n"}


def test_a_stats_socket_counts_as_a_listener(tmp_path: Path) -> None:
    assert load_text(tmp_path, "global\n stats socket /tmp/x\n").has_listener
    assert not load_text(tmp_path, DEFAULTS + "backend b\n").has_listener
    assert not load_text(tmp_path, DEFAULTS + "frontend b\n bind :1\n disabled\n").has_listener


def test_a_frontend_and_a_backend_may_share_a_name(tmp_path: Path) -> None:
    assert model_of(tmp_path, DEFAULTS + "frontend a\n bind :1\n default_backend a\nbackend a\n").backend_named("a")
