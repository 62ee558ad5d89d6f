"""Rules beside Debian's haproxy: one file, many requests, the same answers, forwarded heads, log lines and flags."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from peers import require_peer
from sides import Side, side

HEAD: Final = """
defaults
 log 127.0.0.1:@log@ local0
 option httplog
 mode http
 timeout client 5s
 timeout server 5s
 timeout connect 5s
 timeout tarpit 200ms
"""
RULES: Final = r"""
frontend f
 bind 127.0.0.1:@f@
 monitor-uri /mon
 monitor fail if { nbsrv(b9) lt 1 }
 acl isx path /x
 acl isx path /y
 acl big path_len gt 60
 http-request deny if isx
 http-request deny deny_status 401 if { path /deny401 }
 http-request deny deny_status 404 if { path /deny404 }
 http-request deny deny_status 405 if { path /deny405 }
 http-request deny deny_status 407 if { path /deny407 }
 http-request deny deny_status 410 if { path /deny410 }
 http-request deny deny_status 413 if { path /deny413 }
 http-request deny deny_status 421 if { path /deny421 }
 http-request deny deny_status 422 if { path /deny422 }
 http-request deny deny_status 425 if { path /deny425 }
 http-request deny deny_status 429 if { path /deny429 }
 http-request deny deny_status 500 if { path /deny500 }
 http-request deny deny_status 502 if { path /deny502 }
 http-request deny deny_status 503 if { path /deny503 }
 http-request deny deny_status 504 if { path /deny504 }
 http-request tarpit if { path /tar }
 http-request return status 200 content-type text/plain string "hi there" hdr X-R yes if { path /ret }
 http-request return status 200 content-type text/plain lf-string "p=%[path] q=%[query]" if { path /lf }
 http-request return status 503 if { path /ret503 }
 http-request return status 201 content-type text/plain lf-string "%HM %ST %s %B %%" if { path /lfret }
 http-request redirect location /new?u=%[url,url_enc] code 301 if { path_beg /old }
 http-request redirect prefix https://h.org drop-query append-slash if { path_beg /pre }
 http-request redirect scheme https code 307 if { path /sch }
 http-request set-header X-A "%[req.hdr(x-in),lower]" if { req.hdr(x-in) -m found }
 http-request add-header X-Src %[src]
 http-request set-header X-Tags %[hdr_cnt(x-tag)],%[req.hdr(x-tag,1)],%[req.hdr(x-tag,-1)],%[hdr(x-tag)],%[req.fhdr(x-tag)]
 http-request del-header X-Del
 http-request del-header X-Pre- -m beg
 http-request replace-header X-Rep (.*)foo(.*) \1bar\2
 http-request replace-value X-Val ^a$ b
 http-request set-var(txn.a) path,field(2,/)
 http-request set-header X-Var %[var(txn.a)] if { var(txn.a) -m found }
 http-request set-path /sp%[path] if { path /setpath }
 http-request set-query z=1 if { path /setq }
 http-request set-uri /u?a=b if { path /seturi }
 http-request set-method PUT if { path /setm }
 http-request replace-path ^/rp/(.*)$ /R/\1 if { path_beg /rp/ }
 http-request replace-uri ^/ru/(.*)$ /U/\1 if { path_beg /ru/ }
 http-request set-header X-Cook %[req.cook(a)],%[cook_cnt(a)],%[req.cook(a),length]
 http-request set-header X-Base %[base] if { hdr_dom(host) -i example.com }
 http-request set-header X-Url %[url_param(q)] if { url_param(q) -m found }
 http-request set-header X-Conv "%[path,length,mod(7),add(3)]|%[path,base64]|%[path,hex]"
 http-request set-header X-Convb "%[path,upper]|%[path,crc32]|%[path,djb2(1)]"
 http-request set-header X-Conv2 "%[path,sdbm]|%[src,ipmask(8)]|%[str(a.b.c),word(-1,.)]"
 http-request set-header X-Conv2b "%[int(-7),div(2)]|%[str(a_b),regsub(_,-,g)]|%[str(x),concat(<,txn.a,>)]"
 http-request set-header X-Dir yes if { path_dir d1 }
 http-request set-header X-Dom yes if { hdr_dom(host) example }
 http-request set-header X-Sub yes if { path_sub -i SUBX }
 http-request set-header X-Reg yes if { path_reg -i ^/REG[0-9]+$ }
 http-request set-header X-Neg yes if !isx !{ path_end .php } or { path /neg.php }
 http-request set-header X-Meth yes if METH_GET !METH_POST
 http-request set-header X-First yes if { http_first_req }
 http-request set-header X-Int yes if { req.hdr_val(x-num) 5:10 }
 http-request set-header X-Int2 yes if { req.hdr_val(x-num) gt 7 lt 3 }
 http-request set-header X-Net yes if { src 127.0.0.0/8 }
 http-request set-header X-Sf yes if { hdr_ip(x-ip) 10.0.0.0/8 ::1 }
 http-request set-header X-Lf "%ci|%fi|%{+X}fi|%{+Q}f|%b|%s|%ST|%HM|%HU|%HPO|%HV|%r|%ts|%tsc|%TR|%rc|%CC|%ID|%si|%%"
 http-request set-header X-Lfe "%{+Q,+E}[req.hdr(x-in)]|%{+E}[req.hdr(x-tag)]|%{+Q}o%f|%{-Q}f"
 redirect location /leg if { path /legacy }
 http-response set-header X-Resp %[status],%[res.hdr(x-orig),upper]
 http-response del-header Server
 http-response deny if { res.hdr(x-deny) -m found }
 http-response set-status 418 if { res.hdr(x-teapot) -m found }
 http-response set-status 503 reason "Gone fishing" if { var(txn.a) -m str gone }
 http-response set-status 200 reason Fine if { var(txn.a) -m str fine }
 http-response set-status 200 if { var(txn.a) -m str usual }
 http-response set-status 404 reason First if { var(txn.a) -m str twice }
 http-response set-status 299 if { var(txn.a) -m str twice }
 http-response add-header X-V %[var(txn.a)]
 http-response set-header X-Rlf "%b|%s|%ST|%HM|%rc|%ts|%si|%{+X}si|%tsc"
 use_backend b2 if { path_beg /b2 } or { hdr(x-be) two }
 use_backend %[path,field(3,/)] if { path_beg /dyn/ }
 default_backend b1
backend b1
 http-request deny if { path /bdeny }
 http-request set-header X-Be b1
 server s1 127.0.0.1:@server@
backend b2
 use-server s22 if { path /b2/u }
 http-request set-header X-Be b2
 server s21 127.0.0.1:@server@
 server s22 127.0.0.1:@server@
backend b9
 server s 127.0.0.1:1 disabled
"""
# What the first section does not show: rules on all answers, forced cookies, levels of the log, the page behind rules.
MORE: Final = r"""
defaults shared from base
 http-request set-header X-Shared yes if { path /shared }
 http-request deny deny_status 429 if { path /shared-deny }
 http-response set-header X-Shared-Answer yes
frontend g from shared
 bind 127.0.0.1:@g@
 log-tag haproxy
 monitor-uri /mon
 stats enable
 stats uri /stats
 stats refresh 9s
 acl trusted req.hdr(x-trust) yes
 stats admin if trusted
 http-request deny if { path_beg /stats } { req.hdr(x-no) -m found }
 http-request set-log-level notice if { path /level }
 http-request set-log-level silent if { path /silent }
 http-request set-nice 5
 http-request set-header X-Env "%[env(TEST_NAME)]"
 http-request redirect location "%[req.hdr(x-to)]" ignore-empty if { path /empty }
 http-request strict-mode off
 http-request set-header X-Bad "%[url_param(v),url_dec]"
 http-after-response set-header X-After yes
 http-after-response set-header X-Status %[status]
 http-after-response del-header Cache-Control if { status 403 }
 http-after-response set-status 418 if { status 429 }
 http-after-response set-status 401 reason "Odd one" if { status 410 }
 http-after-response replace-header X-Orig (.)b(.) \2-\1
 http-request deny if { path /after }
 http-request deny deny_status 410 if { path /odd }
 http-request return status 200 content-type text/plain string back if { path /back }
 redirect location /legacy if { path_beg /stats/r } or { path /moved }
 use_backend forced if { path_beg /forced }
 use_backend gone if { path /gone }
 default_backend plain
backend plain from base
 http-after-response add-header X-After-B yes
 server s1 127.0.0.1:@server@
backend gone from base
 server s 127.0.0.1:1 disabled
backend forced from base
 cookie SRV insert
 force-persist if { req.hdr(x-force) -m found }
 ignore-persist if { req.hdr(x-ignore) -m found }
 server up 127.0.0.1:@server@ cookie up
 server off 127.0.0.1:@server@ cookie off disabled
"""
DENIED: Final = (401, 404, 405, 407, 410, 413, 421, 422, 425, 429, 500, 502, 503, 504)
PATHS: Final = (
    "/x /y /tar /ret /lf?a=b /ret503 /lfret /old/a?b=c /pre/a?x=y /sch?a /setpath?q=1 /setq?b /setq /seturi /setm /rp/a/b?c "
    "/ru/x?y /gone /fine /usual /twice "
    "/reg12 /a/d1/b /xsubxx /foo.php /neg.php /legacy /b2/x /b2/u /dyn/b2 /dyn/nosuch /bdeny /p?q=1&q=2 / /%41?a=%20"
).split()
FIELDS: Final = (
    "X-In: AbC",
    "X-Tag: a, b\r\nX-Tag: c",
    "X-Del: 1\r\nX-Pre-A: 1\r\nx-pre-b: 2",
    "X-Rep: afoob\r\nX-Rep: nothing\r\nX-Rep: a, foo",
    "X-Val: a, c, a",
    "Cookie: a=1; b=2; a=33",
    "X-Num: 7",
    "X-Num: 11",
    "X-Num: 2",
    "X-Num: abc",
    "X-Ip: 10.1.2.3",
    "X-Ip: ::1",
    "x-deny: 1",
    "x-teapot: 1",
    "X-Be: two",
)


def _get(target: str, field: str = "", method: str = "GET") -> bytes:
    lines = f"{field}\r\n" if field else ""
    return f"{method} {target} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n{lines}\r\n".encode()


CASES: Final[tuple[bytes, ...]] = (
    *[_get(path) for path in PATHS],
    *[_get(f"/deny{status}") for status in DENIED],
    *[_get("/", field) for field in FIELDS],
    *[_get(path, method="HEAD") for path in ("/", "/x", "/ret")],
    _get("/", method="POST"),
    _get("/mon"),
    b"POST /setpath HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
)
MORE_CASES: Final[tuple[bytes, ...]] = (
    *[_get(path) for path in "/ /shared /shared-deny /odd /level /silent /mon /after /back /moved /gone /empty".split()],
    _get("/empty", "X-To: /there"),
    _get("/stats", "X-No: 1"),
    _get("/?v=a%0d%0ab"),
    _get("/forced/a"),
    *[
        _get("/forced/a", f"Cookie: SRV={value}{more}")
        for value in ("up", "off", "none")
        for more in ("", "\r\nX-Force: 1", "\r\nX-Ignore: 1", "\r\nX-Force: 1\r\nX-Ignore: 1")
    ],
    _get("/after", method="HEAD"),
)


class EchoServer:
    """Answers with the head that it got, its lines in order of the alphabet, names in lower case."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as inbox, suppress(OSError):
            while line := inbox.readline():
                fields: list[bytes] = []
                length = 0
                while (field := inbox.readline()).strip():
                    name, _, value = field.strip().partition(b":")
                    fields.append(name.lower() + b":" + value)
                    if name.lower() == b"content-length":
                        length = int(value)
                inbox.read(length)
                body = b"\n".join([line.strip(), *sorted(fields)])
                extra = b"".join(b"%s: 1\r\n" % name for name in (b"x-deny", b"x-teapot") if name + b": 1" in fields)
                head = b"HTTP/1.1 200 Own\r\nServer: x\r\nX-Orig: abc\r\n%sContent-Length: %d\r\n\r\n" % (extra, len(body))
                client.sendall(head if line.startswith(b"HEAD") else head + body)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    """Both programs on the same text."""
    program = require_peer("haproxy")
    folder: Path = tmp_path_factory.mktemp("rules")
    server = EchoServer()
    template = (
        (HEAD.replace("defaults", "global\n setenv TEST_NAME the-name\ndefaults base") + RULES + MORE)
        .replace("{", "{{")
        .replace("}", "}}")
        .replace("@server@", str(server.port))
    )
    template = template.replace("@log@", "{log}").replace("@f@", "{f}").replace("@g@", "{g}")
    ports = ["f", "g"]
    with side("balancer", "", template, ports, folder) as ours, side("haproxy", program, template, ports, folder) as theirs:
        yield [ours, theirs]
    server.close()


def _asked(one: Side, octets: bytes, frontend: str = "f") -> tuple[bytes, list[bytes], bytes]:
    """Status line, sorted fields and body of the answer."""
    with socket.create_connection(("127.0.0.1", one.ports[frontend]), 5.0) as client:
        client.sendall(octets)
        raw = b""
        with suppress(ConnectionResetError):
            while piece := client.recv(65536):
                raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n")]
    return lines[0][0], sorted(name.lower() + colon + value for name, colon, value in lines[1:]), body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.split(b"\r\n\r\n")[0].replace(b"\r\n", b" ").decode())
def test_an_answer_and_what_the_server_got_are_haproxys(sides: list[Side], case: bytes) -> None:
    ours, theirs = (_asked(one, case) for one in sides)
    assert ours == theirs


@pytest.mark.parametrize("case", MORE_CASES, ids=lambda case: case.split(b"\r\n\r\n")[0].replace(b"\r\n", b" ").decode())
def test_what_further_rules_do_is_haproxys(sides: list[Side], case: bytes) -> None:
    ours, theirs = (_asked(one, case, "g") for one in sides)
    assert ours == theirs


@pytest.mark.parametrize(("field", "may"), [("", False), ("X-Trust: yes", True), ("X-Trust: no", False)])
def test_a_condition_decides_who_may_change_servers(sides: list[Side], field: str, may: bool) -> None:
    for one in sides:
        status, fields, page = _asked(one, _get("/stats/r", field), "g")
        assert status.endswith(b"200 OK") and (b"<select name=action" in page.replace(b'"', b"")) == may, one
        assert b"x-after: yes" in fields and b"x-shared-answer: yes" not in fields, "rules on all answers, and only they"


@pytest.mark.parametrize("path", ["/x", "/tar", "/ret", "/old/a", "/legacy", "/bdeny", "/b2/u", "/deny429", "/setpath"])
def test_the_line_of_the_log_is_haproxys(sides: list[Side], path: str) -> None:
    lines = []
    for one in sides:
        line = one.talk("f", _get(path)).line
        assert line is not None
        lines.append((line.backend, line.server, line.status, line.octets, line.flags, line.request))
    assert lines[0] == lines[1]


@pytest.mark.parametrize("path", ["/level", "/after", "/shared-deny", "/forced/a", "/gone", "/back"])
def test_the_line_behind_further_rules_is_haproxys(sides: list[Side], path: str) -> None:
    lines = []
    for one in sides:
        line = one.talk("g", _get(path, "Cookie: SRV=off\r\nX-Force: 1")).line
        assert line is not None
        priority = next(number for number, text in reversed(one.log.lines()) if path in text)
        lines.append((priority, line.backend, line.server, line.status, line.octets, line.flags, line.request))
    assert lines[0] == lines[1]
