"""What is wrong is said: all of it, in one run, with the place, what was expected and what was found."""

from pathlib import Path
from typing import Final

import pytest
from config_files import DEFAULTS, DEFAULTS_LINES, load_text, told

from balancer import config
from balancer.config.findings import ALERT, NOTICE, WARNING, Finding
from balancer.model import Origin

TEN_MISTAKES: Final = """\
global
    maxcon 32000
    log 127.0.0.1 locl0
defaults
    mode http
    timeout connect 5s
    timeout client 50x
    timeout server 50s
listen smalltalk
    bind 127.0.0.1:80800
    cookie SEASIDE insert nocahe
    balance leastcon
    server app1 127.0.0.1:3001 cookie app1inst1 chek
    server app2 127.0.0.1:3002 cookie "app1;inst2" check
    server app1 127.0.0.1:3003 weight many
    option htplog
    filter trace
    default_backend smaltalk
"""


def alerts(directory: Path, text: str) -> list[str]:
    """The alerts without their lines."""
    return [entry.split(": ", 1)[1] for entry in told(load_text(directory, text), ALERT)]


def only_alert(directory: Path, text: str) -> str:
    found = alerts(directory, text)
    assert len(found) == 1, found
    return found[0]


def test_all_mistakes_of_a_file_are_told_in_one_run_with_their_lines(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, TEN_MISTAKES)
    assert outcome.model is None
    assert told(outcome, ALERT) == [
        "ALERT 2: unknown keyword 'maxcon' in 'global' section; did you mean 'maxconn' maybe ?",
        "ALERT 3: 'log' : unknown log facility 'locl0', expects one of kern, user, mail, daemon, auth, syslog, lpr, news, "
        "uucp, cron, auth2, ftp, ntp, audit, alert, cron2, local0, local1, local2, local3, local4, local5, local6, local7; "
        "did you mean 'local0' maybe ?",
        "ALERT 7: 'timeout client' expects a time in one of the units us, ms, s, m, h, d (got 'x' in '50x')",
        "ALERT 10: 'bind' : 'port' expects a whole number between 1 and 65535 (got '80800')",
        "ALERT 11: 'cookie' expects the options rewrite, insert, prefix, indirect, nocache, postonly, preserve, httponly, "
        "secure, dynamic, domain, attr, maxidle, maxlife (got 'nocahe'); did you mean 'nocache' maybe ?",
        "ALERT 12: 'balance leastcon' expects one of roundrobin, static-rr, leastconn, first, random[(draws)], source, uri, "
        "url_param, hdr(name)",
        "ALERT 13: 'server smalltalk/app1' : unknown keyword 'chek'; did you mean 'check' maybe ?",
        "ALERT 14: 'server smalltalk/app2' : cookie value 'app1;inst2' expects the octets of RFC 6265: no blank, control, "
        "quote, comma, semicolon, \\ (got ';')",
        "ALERT 15: 'server smalltalk/app1' : 'weight' expects a whole number between 0 and 256 (got 'many')",
        "ALERT 16: unknown option 'htplog'; did you mean 'httplog' maybe ?",
        "ALERT 17: 'filter' is known to HAProxy and not supported yet : bodies pass as they are",
        "ALERT 15: proxy 'smalltalk', another server named 'app1' was already defined at line 13, please use distinct names.",
        "ALERT 18: Proxy 'smalltalk': unable to find required default_backend: 'smaltalk'; did you mean 'smalltalk' maybe ?",
    ]


def test_mistakes_of_several_files_are_told_in_one_run(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, "global\n nosuch\n", "global\n neither\n")
    assert [str(finding.origin) for finding in outcome.findings] == [f"{tmp_path}/test.cfg:2", f"{tmp_path}/test2.cfg:2"]


def test_findings_are_rendered_as_haproxy_writes_them() -> None:
    findings = [
        Finding(NOTICE, Origin("a.cfg", 1), "old"),
        Finding(WARNING, None, "first\nsecond"),
        Finding(ALERT, Origin("a.cfg", 3), "bad \x1b[31m\udcff"),
        Finding(ALERT, Origin("b.cfg", 4), "worse"),
    ]
    assert config.render(findings, 77) == (
        "[NOTICE]   (77) : config : parsing [a.cfg:1] : old\n"
        "[WARNING]  (77) : config : first\n"
        "   | second\n"
        "[ALERT]    (77) : config : parsing [a.cfg:3] : bad \\x1b[31m\\xff\n"
        "[ALERT]    (77) : config : parsing [b.cfg:4] : worse\n"
        "[ALERT]    (77) : config : Error(s) found in configuration file : a.cfg\n"
        "[ALERT]    (77) : config : Error(s) found in configuration file : b.cfg\n"
        "[ALERT]    (77) : config : Fatal errors found in configuration.\n"
    )
    assert config.closing_lines(findings[:2]) == []


# A line of a section, and a part of the only alert that it gives.
PROXY_LINES: Final[tuple[tuple[str, str], ...]] = (
    ("mode tcp", "'mode tcp' is known to HAProxy and not supported yet, expects 'mode http'"),
    ("mode", "'mode' expects one of http, tcp, health, log, spop (got nothing)"),
    ("bind", "'bind' expects [addr]:port"),
    ("bind 127.0.0.1", "missing port specification in '127.0.0.1'"),
    ("bind :0", "'port' expects a whole number between 1 and 65535 (got '0')"),
    ("bind :8080-8070", "invalid port range '8080-8070'"),
    ("bind :8080,", "holds an empty address"),
    ("bind ::1", "expects an address of IPv6 with a port as '[address]:port' (got '::1')"),
    ("bind [::1:80", "expects '[address]:port' (got '[::1:80')"),
    ("bind ipv4@[::1]:80", "is not of the family that is named before it"),
    ("bind unix@run/x", "'bind' expects an absolute path to a UNIX socket (got 'run/x')"),
    ("bind /" + 107 * "x", "'bind' expects a path of at most 107 octets (got '/xxx"),
    ("bind abns@", "'bind' expects an abstract name of 1 to 107 octets (got '')"),
    ("bind fd@x", "'bind' : 'fd@' expects a whole number between 0 and 1048576 (got 'x')"),
    ("bind :80 interface abcdefghijklmnop", "'interface' expects a name of 1 to 15 octets (got 'abcdefghijklmnop')"),
    ("bind /run/x mode 888", "'mode' expects an octal number up to 777 (got '888')"),
    ("bind :80 backlog 0", "'backlog' expects"),
    ("rate-limit sessions", "'rate-limit' expects 'sessions' and a number per second (got 'sessions')"),
    ("rate-limit sessions x", "'rate-limit sessions' expects a whole number, 0 or more (got 'x')"),
    ("source", "'source' expects <addr>[:<port>], and perhaps 'interface' <name> (got nothing)"),
    ("source 127.0.0.1 usesrc client", "'source' : 'usesrc' is known to HAProxy and not supported : the client's"),
    ("source 127.0.0.1 frm x", "'source' expects 'interface' <name> after the address (got 'frm')"),
    ("bind quic4@:80", "address family 'quic4@' is known to HAProxy and not supported yet"),
    ("bind foo@:80", "address family 'foo@' is unknown"),
    ("bind :80 accept-proxy", "'accept-proxy' is known to HAProxy and not supported yet"),
    ("bind :80 ssl", "'ssl' is known to HAProxy and not supported yet : let the web server in front do TLS"),
    ("bind :80 maxconn x", "'maxconn' expects a whole number, 0 or more (got 'x')"),
    ("bind :80 nmae x", "unknown keyword 'nmae'; did you mean 'name' maybe ?"),
    ("timeout client 99999999999", "timer overflow: at most 2147483647 ms, about 24.8 days (got '99999999999')"),
    ("timeout client", "'timeout client' expects a time (in milliseconds by default) (got nothing)"),
    ("timeout client 3 s", "'timeout client' expects a time (in milliseconds by default) (got '3 s')"),
    ("timeout clint 3", "'timeout' expects one of check, client,"),
    ("no timeout client", "'no' is not supported before 'timeout client'"),
    ("no", "'no' expects a keyword after it (got nothing)"),
    ("default log", "'default' is not supported before 'log'"),
    ("default retries 3", "'default' is not supported before 'retries'"),
    ("option httplog common", "keyword 'httplog' only supports options 'clf' and 'json' (got 'common')"),
    ("option http-use-proxy-header", "'option http-use-proxy-header' is known to HAProxy and not supported yet"),
    ("option dontlognull x", "'option dontlognull' cannot handle unexpected argument 'x'"),
    ("option", "unknown option ''"),
    ("retries -1", "'retries' expects a whole number, 0 or more (got '-1')"),
    ("maxconn many", "'maxconn' expects a whole number, 0 or more (got 'many')"),
    ("retry-on all-retryable-errors", "what may have run is never run again"),
    ("balance hash src", "'balance hash' is known to HAProxy and not supported yet"),
    ("balance rdp-cookie(x)", "'balance rdp-cookie(x)' is known to HAProxy and not supported yet"),
    ("balance source(x)", "'balance source(x)' expects one of roundrobin,"),
    ("balance hdr", "'balance hdr' expects one of roundrobin,"),
    ("balance hdr()", "balance hdr requires an http header field name (got 'hdr()')"),
    ("balance hdr(host", "balance hdr requires an http header field name (got 'hdr(host')"),
    ("balance hdr(host) x", "balance hdr(host) only accepts 'use_domain_only' modifier (got 'x')"),
    ("balance random(", "balance random : missing closing parenthesis."),
    ("balance random(0)", "balance random : number of draws must be at least 1 (got '0')"),
    ("balance random(x)", "balance random : number of draws must be at least 1 (got 'x')"),
    ("balance uri len", "balance uri : 'len' expects a positive integer (got '')"),
    ("balance uri depth 0", "balance uri : 'depth' expects a positive integer (got '0')"),
    ("balance uri all", "balance uri only accepts parameters 'len', 'depth', 'path-only', and 'whole' (got 'all')"),
    ("balance url_param", "balance url_param requires an URL parameter name."),
    ("balance url_param a b", "balance url_param only accepts 'check_post' modifier (got 'b')"),
    ("hash-type", "'hash-type' only supports 'consistent' and 'map-based' (got '')"),
    ("hash-type avalanche", "use 'hash-type map-based sdbm avalanche' instead"),
    ("hash-type map-based md5", "'hash-type' only supports 'sdbm', 'djb2', 'crc32', or 'wt6' hash functions (got 'md5')"),
    ("hash-type consistent sdbm x", "'hash-type' only supports 'avalanche' as a modifier for hash functions (got 'x')"),
    ("hash-balance-factor", "'hash-balance-factor' expects an integer argument"),
    ("hash-balance-factor 100", "'hash-balance-factor' must be 0 or greater than 100 (got '100')"),
    ("default-server id 3", "'id' option is not accepted in default-server sections"),
    ("server a 127.0.0.1:1 id 0", "'id' : custom id has to be > 0 (got '0')"),
    ("server a 127.0.0.1:1 id", "'id' : expects an integer argument"),
    ("balance robin", "'balance robin' expects one of roundrobin,"),
    ("cookie", "'cookie' expects <cookie_name> as argument (got nothing)"),
    ("cookie X rewrite indirect", "cookie 'rewrite' and 'indirect' modes are incompatible."),
    ("cookie X rewrite insert", "cookie 'rewrite', 'insert' and 'prefix' modes are incompatible (got 'rewrite insert')."),
    ("cookie X preserve", "cookie 'preserve' requires at least 'insert' or 'indirect'."),
    ("cookie X insert maxidle", "'cookie' : 'maxidle' expects a time as argument, in seconds by default (got nothing)"),
    ("cookie X insert maxidle many", "'cookie' : 'maxidle' expects a time, a number with one of the units"),
    ("cookie X insert maxlife 3x", "'cookie' : 'maxlife' expects a time in one of the units us, ms, s, m, h, d (got 'x'"),
    ("cookie X insert maxlife 2147483648", "'cookie' : 'maxlife' timer overflow: at most 2147483647 s, about 68 years"),
    ("dynamic-cookie-key", "'dynamic-cookie-key' expects <secret_key> as argument. (got nothing)"),
    ('cookie "X\\x0aY" insert', "cookie name 'X\nY' expects a token of RFC 6265"),
    ("cookie X=Y insert", "cookie name 'X=Y' expects a token of RFC 6265"),
    ('cookie X insert domain "a;b"', "domain 'a;b' expects letters, digits"),
    ("cookie X insert domain", "'domain' expects <domain> as argument"),
    ('cookie X insert attr "a;b"', "attr 'a;b' expects printable ASCII without ';'"),
    ('cookie X insert attr "a\\x0d"', "expects printable ASCII without ';'"),
    ("server", "'server' expects <name> and <addr>[:<port>] as arguments (got '')"),
    ("server a", "'server' expects <name> and <addr>[:<port>] as arguments (got 'a')"),
    ("server a 127.0.0.1", "'server a/a' : expects <addr>:<port> (got '127.0.0.1')"),
    ("server a :80", "'server a/a' : expects the address of a server (got ':80')"),
    ("server a 0.0.0.0:80", "'server a/a' : expects the address of a server (got '0.0.0.0:80')"),
    ("server a 127.0.0.1:+1", "a port relative to the client's is known to HAProxy and not supported yet"),
    ("server a 127.0.0.1:80-90", "port range not permitted here"),
    ("server a$ 127.0.0.1:80", "character '$' is not permitted in 'server' name 'a$'"),
    ("server a 127.0.0.1:80 inter 0", "'inter' expects a time greater than 0 (got '0')"),
    ("server a 127.0.0.1:80 rise 0", "'rise' expects a positive integer (got '0')"),
    ("server a 127.0.0.1:80 weight 257", "'weight' expects a whole number between 0 and 256 (got '257')"),
    ("server a 127.0.0.1:80 cookie", "'cookie' expects <value> as argument (got nothing)"),
    ("server a 127.0.0.1:80 cookie v\\x0d", "expects the octets of RFC 6265"),
    ("server a 127.0.0.1:80 ssl", "'ssl' is known to HAProxy and not supported yet : servers are spoken to without TLS"),
    ("server a 127.0.0.1:80 send-proxy", "'send-proxy' is known to HAProxy and not supported yet"),
    ("server a 127.0.0.1:80 track b/s", "unable to find required proxy 'b' for tracking."),
    ("default-server wieght 3", "unknown keyword 'wieght'; did you mean 'weight' maybe ?"),
    ("default-server", "'default-server' expects options of servers (got nothing)"),
    ("default_backend nope", "unable to find required default_backend: 'nope'."),
    ("use_backend nope", "unable to find required use_backend: 'nope'."),
    ("default_backend a", "loop detected for default_backend: 'a'."),
    ("use_backend b if { pathh /x }", "unknown fetch method 'pathh'; did you mean 'path' maybe ?"),
    ("use_backend b if nosuch", "no such ACL : 'nosuch'."),
    ("use_backend b when x", "only 'if' and 'unless' are allowed"),
    ("acl x path_reg (", "regex '(' is invalid"),
    ("acl x path,nosuch a", "unknown converter 'nosuch'"),
    ("acl x path -q a", "'-q' is not a valid ACL option."),
    ("acl x status abc", "'abc' is not a number."),
    ("acl x dst_port 1:x", "'1:x' is not a valid number range."),
    ("acl x src 1.2.3.4.5", "'1.2.3.4.5' is not a valid IPv4 or IPv6 address."),
    ("acl x path -f /nonexistent", "failed to open pattern file </nonexistent>."),
    ("acl x", "missing fetch method in ACL expression ''."),
    ("http-request deny if { path /x", "missing closing '}' in condition."),
    ("http-request denny", "did you mean 'deny' maybe ?"),
    ("http-request", "(got nothing)"),
    ("http-request auth realm x", "there are no user lists"),
    ("http-request set-header content-length 3", "cannot change 'content-length' : it frames the message"),
    ("http-request set-header X", "'http-request set-header' expects <name> <text> (got 'X')"),
    ("http-request set-header X %[nosuch]", "unknown fetch method 'nosuch'"),
    ("http-request set-var(x) str(a)", "invalid variable name 'x'."),
    ("http-request redirect location", "missing argument for 'location'"),
    ("redirect location /x code 200", "unsupported HTTP code '200'"),
    ("redirect code 301", "missing redirection type"),
    ("http-request return status 900", "expects a status code from 200 to 599 (got '900')"),
    ("http-response set-path /x", "'http-response' expects one of"),
    ("monitor fail", "requires either 'if' or 'unless' followed by a condition."),
    ("force-persist", "requires either 'if' or 'unless' followed by a condition."),
    ("errorfile 503", "'errorfile' expects <status_code> and <file> as arguments (got '503')"),
    ("errorfile 999 /dev/null", "status code '999' not handled"),
    ("errorfile 503 /nonexistent", "cannot read file '/nonexistent' (No such file or directory)"),
    ("errorfile 503 /etc/passwd", "expects a whole answer that begins with 'HTTP/1.0 NNN REASON'"),
    ("log", "'log' expects <address> and <facility>, or 'global', as arguments (got '')"),
    ("log 127.0.0.1", "'log' expects <address> and <facility>, or 'global', as arguments (got '127.0.0.1')"),
    ("log 127.0.0.1 local0 foo", "unknown maximum log level 'foo'"),
    ("log 127.0.0.1 local0 info foo", "unknown minimum log level 'foo'"),
    ("log 127.0.0.1 local0 info err x", "'log' cannot handle unexpected argument 'x'"),
    ("log 127.0.0.1 format xml local0", "unknown log format 'xml'"),
    ("log 127.0.0.1 sample 1 local0", "Missing sample size, 'sample' expects <ranges>:<size> (got '1')"),
    ("log 127.0.0.1 sample 1:0 local0", "'log sample size' expects a positive integer (got '0')"),
    ("log 127.0.0.1 sample x:2 local0", "'log sample' expects a positive integer (got 'x')"),
    ("log 127.0.0.1 sample 3-2:4 local0", "wrong sample range '3-2'"),
    ("log 127.0.0.1 sample 2,1-2:4 local0", "sample ranges are overlapping (got '2,1-2')"),
    ("log 127.0.0.1 sample 5:4 local0", "sample size 4 should be greater or equal to 5"),
    ("log 127.0.0.1 format raw len 80 local0", "expects len, format, sample in this order, each once"),
    ("log fd@x local0", "'fd@' expects a whole number"),
    ("log tcp@127.0.0.1:514 local0", "lines are sent as datagrams, expects UDP or a datagram socket"),
    ("log unix@log local0", "expects an absolute path to a UNIX socket (got 'log')"),
    ("load-server-state-from-file", "expects 'global', 'local' or 'none'. Got ''"),
    ("load-server-state-from-file all", "expects 'global', 'local' or 'none'. Got 'all'"),
    ("server-state-file-name a b", "'server-state-file-name' cannot handle unexpected argument 'b'"),
    ("log-tag", "'log-tag' expects a tag for use in syslog (got nothing)"),
    ("log 127.0.0.1 len 79 local0", "'log len' expects a whole number between 80 and 65535 (got '79')"),
    ("log ring@x local0", "uses unknown ring named 'x'."),
    ("log ring@buf local0", "uses unknown ring named 'buf'; did you mean 'buf0' maybe ?"),
    ("log ring@stdout local0", "uses incompatible ring 'stdout'."),
    ("filter trace", "'filter' is known to HAProxy and not supported yet"),
    ("stats", "'stats' expects one of admin, auth,"),
    ("stick on src", "'stick' is known to HAProxy and not supported yet"),
    ("stick-table type ip size 1k", "'stick-table' is known to HAProxy and not supported yet"),
    ("compression algo gzip", "'compression' is known to HAProxy and not supported yet"),
    ("chroot /x", "'chroot' not allowed in 'listen' section, expects one of global"),
    ("quiet", "'quiet' not allowed in 'listen' section, expects one of global"),
    ("servr a 127.0.0.1:80", "unknown keyword 'servr' in 'listen' section; did you mean 'server' maybe ?"),
    ("appsession JSID len 5", "not supported any more, since HAProxy 1.6; the persistence cookie"),
    ("reqadd X", "not supported any more, since HAProxy 2.1; its modern form is 'http-request add-header'"),
    ("rspidel X", "not supported any more, since HAProxy 2.1; its modern form is 'http-response del-header'"),
    ("srvexp X Y", "its modern form is 'http-response replace-header'"),
    ("cliexp X Y", "its modern form is 'http-request replace-header'"),
    ("block if x", "its modern form is 'http-request deny'"),
    ("monitor-net 10.0.0.0/8", "its modern form is 'http-request return'"),
    ("grace 3000", "since HAProxy 2.5; give 'hard-stop-after' in 'global'"),
    ("option forceclose", "since HAProxy 2.0; leave it out, or say 'option httpclose'"),
    ("option http-tunnel", "since HAProxy 2.1; leave it out"),
)


@pytest.mark.parametrize(("line", "text"), PROXY_LINES)
def test_a_line_of_a_proxy_that_is_refused_says_why(tmp_path: Path, line: str, text: str) -> None:
    outcome = load_text(tmp_path, DEFAULTS + f"listen a\n bind 127.0.0.1:1\n {line}\n")
    (alert,) = (finding for finding in outcome.findings if finding.level == ALERT)
    assert text in alert.text
    assert alert.origin is not None
    assert alert.origin.line == DEFAULTS_LINES + 3


GLOBAL_LINES: Final[tuple[tuple[str, str], ...]] = (
    ("maxconn -3", "'maxconn' expects a whole number between 0 and 10000000 (got '-3')"),
    ("maxconn", "'maxconn' expects a whole number (got nothing)"),
    ("uid nobody", "'uid' expects a whole number, 0 or more (got 'nobody')"),
    ("user no-such-user-here", "cannot find user id for 'no-such-user-here'"),
    ("group no-such-group-here", "cannot find group id for 'no-such-group-here'"),
    ("daemon x", "'daemon' cannot handle unexpected argument 'x'"),
    ("no daemon", "'no' is not supported before 'daemon'"),
    ("nbthread 0", "'nbthread' expects a whole number between 1 and 64 (got '0')"),
    ("chroot", "'chroot' expects a directory (got nothing)"),
    ("log global", "'global' is not supported in the global section"),
    ("stats socket", "'stats socket' in global section expects an address or a path to a UNIX socket"),
    ("stats socket here", "'stats socket' : missing port specification in 'here'"),
    ("stats socket unix@here", "'stats socket' expects an absolute path to a UNIX socket (got 'unix@here')"),
    ("stats socket fd@x", "expects a"),
    ("stats socket /x mode 9", "'mode' expects an octal number up to 777 (got '9')"),
    ("stats socket /x mode 1777", "'mode' expects an octal number up to 777 (got '1777')"),
    ("stats socket /x level boss", "'level' expects one of user, operator, admin (got 'boss')"),
    ("stats socket /x user no-such-user-here", "cannot find user id for 'no-such-user-here'"),
    ("stats socket /x levle admin", "unknown keyword 'levle'; did you mean 'level' maybe ?"),
    ("stats socket /" + "x" * 107, "expects a path of at most 107 octets"),
    ("stats timeout 0", "'stats timeout' expects a positive value (got '0')"),
    ("tune.bufsize 3", "'tune.bufsize' expects a whole number between 1024 and 268435455 (got '3')"),
    ("tune.http.maxhdr 0", "'tune.http.maxhdr' expects a whole number between 1 and 32767 (got '0')"),
    ("tune.bufsiz 3", "unknown keyword 'tune.bufsiz' in 'global' section; did you mean 'tune.bufsize' maybe ?"),
    ("setenv A", "'setenv' expects a name and a value."),
    ("lua-load /x", "'lua-load' is known to HAProxy and not supported yet : Lua is not supported"),
    ("retries 3", "'retries' not allowed in 'global' section, expects one of defaults, listen, backend"),
)


@pytest.mark.parametrize(("line", "text"), GLOBAL_LINES)
def test_a_line_of_global_that_is_refused_says_why(tmp_path: Path, line: str, text: str) -> None:
    assert text in only_alert(tmp_path, f"global\n {line}\n")


@pytest.mark.parametrize(
    ("text", "alert"),
    [
        ("foo\n", "unknown keyword 'foo' out of section"),
        ("listn a\n", "unknown keyword 'listn' out of section; did you mean 'listen' maybe ?"),
        (".if defined(X)\n", "non-terminated '.if' block."),
        ("global x\n", "'global' cannot handle unexpected argument 'x'"),
        ("userlist u\n user a\n", "section 'userlist' is known to HAProxy and not supported yet"),
        (DEFAULTS + "listen l\n bind :1 nice\n", "'bind :1' in section 'listen' : 'nice' : missing value."),
        (DEFAULTS + "backend b\n server s 127.0.0.1:1 resolve-net\n", "'server b/s' : 'resolve-net' : missing value."),
        (
            DEFAULTS + 'backend b\n http-response set-status 200 reason "a\\nb"\n',
            "'set-status' : 'reason' expects a text without controls",
        ),
        ("ring\n", "missing ring name."),
        ("ring r/x\n", "character '/' is not permitted in 'ring' name 'r/x'"),
        ("ring r s\n", "'ring' cannot handle unexpected argument 's'"),
        ("ring r\nring r\n", "sink named 'r' already exists."),
        ("ring buf0\n", "sink named 'buf0' already exists."),
        ("ring r\n format xml\n", "unknown log format 'xml'"),
        ("ring r\n size\n", "'size' expects a number of octets (got nothing)"),
        ("ring r\n sise 9\n", "unknown keyword 'sise' in 'ring' section; did you mean 'size' maybe ?"),
        ("ring r\n server s 127.0.0.1:514\n", "lines are not sent on by TCP"),
        ("cache c\n max-age 3\n", "section 'cache' is known to HAProxy and not supported yet"),
        (DEFAULTS + "backend a$b\n", "character '$' is not permitted in 'backend' name 'a$b'"),
        (DEFAULTS + "backend a b\n", "'backend' expects nothing or 'from <defaults_name>' after the name (got 'b')"),
        (DEFAULTS + "backend a from x\n", "defaults section 'x' not found for backend 'a'"),
        (DEFAULTS + "backend\n server a 127.0.0.1:1\n", "'backend' expects an <id> argument (got nothing)"),
        (DEFAULTS + "listen a :1 :2\n", "'listen a' cannot handle unexpected argument ':2'"),
        (DEFAULTS + " server a 127.0.0.1:1\n", "'server' not allowed in 'defaults' section, expects one of listen, backend"),
        (DEFAULTS + " bind :1\n", "'bind' not allowed in 'defaults' section, expects one of frontend, listen"),
        (DEFAULTS + "frontend a\n bind :1\n server a 127.0.0.1:1\n", "'server' not allowed in 'frontend' section"),
        (DEFAULTS + "backend a\nbackend a\n", "backend 'a' has the same name as backend 'a' declared at"),
        (DEFAULTS + "listen a\n bind :1\nbackend a\n", "backend 'a' has the same name as proxy 'a' declared at"),
        (DEFAULTS + "listen a\n bind :1\nlisten a\n bind :2\n", "proxy 'a' has the same name as proxy 'a' declared at"),
        ("frontend f\n bind :1\n timeout client 1s\n", "frontend 'f' expects 'mode http', here or in 'defaults'"),
    ],
)
def test_a_section_that_is_refused_says_why(tmp_path: Path, text: str, alert: str) -> None:
    assert alert in only_alert(tmp_path, text)


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (
            "backend b\n maxconn 3\n",
            "'maxconn' ignored because backend 'b' has no frontend capability. Maybe you want 'fullconn'",
        ),
        ("backend b\n timeout client 3\n", "'timeout client' ignored because backend 'b' has no frontend capability."),
        ("frontend f\n bind :1\n retries 3\n", "'retries' ignored because frontend 'f' has no backend capability."),
        ("frontend f\n bind :1\n option httplog\n", "log format ignored for frontend 'f' since it has no log address."),
        ("listen f\n", "proxy 'f' has no 'bind' directive. Please declare it as a backend if this was intended."),
        ("listen f\n bind :1\n timeout client 0\n", "missing timeouts for proxy 'f'.\nWhile not properly invalid,"),
        ("backend b\n timeout server 0\n server s 127.0.0.1:1\n", "missing timeouts for backend 'b'.\n"),
        ("backend b\n timeout queue 1\n timeout queue 2\n", "overwriting 'timeout queue' which was already specified"),
        ("backend b\n cookie X insert domain org\n", "domain 'org' contains no embedded dot"),
        ("backend b\n balance source x\n", "'balance' : 'x' has no effect here"),
        ("backend b\n hash-type map-based sdbm avalanche x\n", "'hash-type' : 'x' has no effect here"),
        ("backend b\n server s 127.0.0.1:1 tfo\n", "'server b/s' : 'tfo' is known to HAProxy and has no effect here"),
        ("global\n tune.maxaccept 3\n", "'tune.maxaccept' is known to HAProxy and has no effect here"),
        ("global\n stats socket /x nice 3\n", "'nice'"),
        (
            "global\n stats socket :9999\n",
            "'stats socket :9999' : whoever reaches this address may give commands of level 'operator'",
        ),
        (
            "global\n stats socket ipv6@[::1]:9999 level admin\n",
            "'stats socket ipv6@[::1]:9999' : every user of this machine may give commands of level 'admin'",
        ),
        ("ring r\n maxlen 20000\n", "ring 'r' event max length '20000' exceeds size, forced to size '16384'."),
        ("ring r\n size 99\n", "ignoring new size '99' that is smaller than current size '16384' for ring 'r'."),
        ("ring r\n description a ring\n", "'description' expects a text, in quotes where it has blanks : 'ring' is left out"),
        ("ring r\n backing-file /x\n", "'backing-file' in 'ring' is known to HAProxy and has no effect here"),
        ("ring r\n timeout connect 1s\n", "'timeout' in 'ring' is known to HAProxy and has no effect here"),
        ("resolvers r\n nameserver a 1.2.3.4:53\n", "section 'resolvers' has no effect"),
        (
            "backend b\n cookie X insert\n server s 127.0.0.1:1 cookie v\n server t 127.0.0.1:2 cookie v\n",
            "'server b/t' : cookie value 'v' is also that of server 's'",
        ),
    ],
)
def test_what_works_otherwise_than_one_may_think_is_warned_of(tmp_path: Path, lines: str, warning: str) -> None:
    outcome = load_text(tmp_path, DEFAULTS + lines)
    assert outcome.model is not None, told(outcome)
    (finding,) = outcome.findings
    assert finding.level == WARNING
    assert warning in finding.text


def test_no_before_an_option_that_is_never_there_changes_nothing(tmp_path: Path) -> None:
    assert load_text(tmp_path, DEFAULTS + "backend b\n no option persist\n no option splice-auto\n").findings == []


def test_a_line_with_three_mistakes_is_told_three_times(tmp_path: Path) -> None:
    text = DEFAULTS + "backend b\n server s 127.0.0.1:99999 weight x rise 0 ssl crt foo\n"
    assert [alert.split(" : ")[1] for alert in alerts(tmp_path, text)] == [
        "'weight' expects a whole number between 0 and 256 (got 'x')",
        "'rise' expects a positive integer (got '0')",
        "'ssl' is known to HAProxy and not supported yet",
        "'crt' is known to HAProxy and not supported yet",
        "'port' expects a whole number between 1 and 65535 (got '99999')",
    ]


def test_an_error_file_larger_than_a_buffer_is_refused(tmp_path: Path) -> None:
    head = b"HTTP/1.0 503 Busy\r\n\r\n"
    (tmp_path / "e.http").write_bytes(head + b"x" * (2048 - len(head) + 1))
    text = f"global\n tune.bufsize 2048\n{DEFAULTS}backend b\n errorfile 503 {tmp_path}/e.http\n"
    assert "expects at most 'tune.bufsize' octets, 2048 (got 2049)" in only_alert(tmp_path, text)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"HTTP/1.0 503 x\r\nContent-Length: 5\r\n\r\nlonger", "expects 'Content-Length: 6', the size of its body (got '5')"),
        (b"HTTP/1.0 503 x\r\nContent-Length: 2\r\ncontent-length: 3\r\n\r\nab", "(got '2, 3')"),
        (b"HTTP/1.0 503 x\r\nNo field\r\n\r\n", "expects header lines and an empty line after them (at octet 16)"),
        (b"HTTP/1.0 503 x\r\nA: b\r\n", "expects header lines and an empty line after them (at octet 22)"),
        (b"<html>", "expects a whole answer that begins with 'HTTP/1.0 NNN REASON'"),
    ],
)
def test_an_error_file_that_no_client_could_read_is_refused(tmp_path: Path, octets: bytes, text: str) -> None:
    (tmp_path / "e.http").write_bytes(octets)
    assert text in only_alert(tmp_path, DEFAULTS + f"backend b\n errorfile 503 {tmp_path}/e.http\n")


def test_a_disabled_section_may_name_what_does_not_exist(tmp_path: Path) -> None:
    assert alerts(tmp_path, DEFAULTS + "frontend f\n bind :1\n disabled\n default_backend nope\n") == []


def test_a_name_that_does_not_resolve_is_refused(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, DEFAULTS + "backend b\n server s no-such-host.invalid:80\n", resolve=True)
    (alert,) = told(outcome)
    assert "could not resolve address 'no-such-host.invalid'" in alert
