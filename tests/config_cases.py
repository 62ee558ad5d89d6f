"""Configuration files for the comparison with `haproxy -c`: what each is about, and how far the two answers agree.

A file is written as test.cfg; `Case.more` are files that are read after it. HAProxy gives up at some mistakes, and tells some
without a line: then what it does tell must be among what we tell. Files on which the verdicts differ stand apart, each with
the reason.
"""

from dataclasses import dataclass
from typing import Final

SAME: Final = "the same lines"
STOPS: Final = "HAProxy stops reading there, here the rest is read, too"
UNPLACED: Final = "HAProxy tells it without a line"

VALID: Final = 0
ERROR: Final = 1
NO_LISTENER: Final = 2

D: Final = """\
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
"""
NAMED: Final = D.replace("defaults", "defaults base")
L: Final = "listen web\n    bind 127.0.0.1:18080\n"
S: Final = "    server s 127.0.0.1:1\n"
RULES: Final = D + L + S


@dataclass(frozen=True)
class Case:
    """One configuration; `agreement` says how the lines of errors compare."""

    what: str
    text: str
    agreement: str = SAME
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """One configuration whose verdicts differ, and why."""

    why: str
    text: str
    haproxy: int
    ours: int


CASES: Final[tuple[Case, ...]] = (
    # Words and lines
    Case("words in all quotes", D + L + "    log-tag 'A B'\"C\"\n", SAME),
    Case("escapes", D + "listen w\\x65b\n    bind 127.0.0.1:18080\n    log-tag a\\ b\\#c\\\\d # comment\n"),
    Case("CRLF at the ends of lines", (D + L + S).replace("\n", "\r\n")),
    Case("vertical tabs and form feeds are blanks", D + "listen\x0bweb\n\x0cbind 127.0.0.1:18080\n"),
    Case("unmatched quotes", D + L + "    server \"s 127.0.0.1:1\n    nosuch\n    server 't 127.0.0.1:1\n"),
    Case("broken escapes", D + L + "    server \\xg0 127.0.0.1:1\n    nosuch\\x4\n    server s 127.0.0.1:1 \\x\n"),
    Case("variables that are none", D + L + '    nosuch "$"\n    nosuch "${"\n    nosuch "$9"\n    nosuch "${.NONE}"\n'),
    Case("braces that do not close", D + L + '    nosuch "${HOME"\n    nosuch "${HOME[}"\n    nosuch "${HOME[*]x}"\n'),
    Case("a variable in single quotes is none", D + L + "    nosuch '$'\n    log-tag '${'\n"),
    Case("a first word that is empty takes its line away", D + L + "    \"$BALANCER_TEST_NONE\" nosuch\n    '' nosuch\n"),
    Case("a default for a variable", D + L + '    server s "${BALANCER_TEST_NONE-127.0.0.1}:1"\n    retries "${NONE-3}"\n'),
    Case("an empty list of words", D + L + '    server "${BALANCER_TEST_NONE[*]}" 127.0.0.1:1\n'),
    Case("sixty-four words", D + L + "    description" + " w" * 63 + "\n"),
    Case("sixty-five words", D + L + "    description" + " w" * 64 + "\n    nosuch\n"),
    Case("a line of four thousand octets", D + L + "    description " + "x" * 4000 + "\n    nosuch\n"),
    Case("a comment of four thousand octets", D + L + "    # " + "x" * 4000 + "\n    nosuch\n"),
    Case("a last line without its end", D + L + "    retries 3"),
    Case("a wrong last line without its end", D + L + "    retries three 3"),
    Case("a last comment without its end", D + L + "    # the end"),
    Case("a NUL", D + L + "    retr\0ies 3\n    nosuch\n", STOPS),
    Case("a NUL in a comment", D + L + "    # \0\n    nosuch\n", STOPS),
    Case("nothing", ""),
    Case("octets that are no UTF-8", D + L + "    description \udcff\udcfe\n    \udcff\n"),
    # Blocks
    Case("a block that counts", D + ".if 1\n" + L + ".endif\n"),
    Case("a block that does not", D + ".if 0\nnosuch\n.endif\n" + L),
    Case("an empty condition is false", D + ".if\n    nosuch\n.endif\n" + L),
    Case("the first branch that holds", D + ".if 0\n x\n.elif 1\n retries 1\n.elif 1\n y\n.else\n z\n.endif\n" + L),
    Case("else", D + ".if streq(a,b)\n x\n.elif defined(BALANCER_TEST_NONE)\n y\n.else\n z\n.endif # end\n" + L),
    Case("blocks in blocks", D + ".if 1\n.if 0\n x\n.else\n y\n.endif\n.else\n.if 1\n z\n.endif\n.endif\n" + L),
    Case("quotes count where a block does not", D + '.if 0\n nosuch "\n nosuch \\xzz\n.endif\n' + L),
    Case("conditions do not, nor directives", D + ".if 0\n .if nosuch(\n .elif (\n .endif\n .nosuch\n .alert x\n.endif\n" + L),
    Case("a block across sections", D + ".if 1\n" + L + ".else\n" + L + ".endif\n" + S),
    Case("precedence", D + ".if 1 || 1 && 0\n a\n.endif\n.if (1 || 1) && 0\n b\n.endif\n.if !0 && !(0 || 0)\n c\n.endif\n" + L),
    Case("versions", D + ".if version_atleast(2.6)\n a\n.endif\n.if version_before(2.6)\n b\n.endif\n" + L),
    Case("a feature", D + ".if feature(PROMEX) && !feature(QUIC)\n a\n.else\n b\n.endif\n" + L),
    Case("a condition that is none", D + ".if nosuch(1)\n a\n.endif\n" + L + "    nosuch\n", STOPS),
    Case("a condition with more behind it", D + ".if 1 2\n a\n.endif\n" + L + "    nosuch\n", STOPS),
    Case("a condition with too few arguments", D + ".if streq(a)\n.endif\n" + L, STOPS),
    Case("a condition that does not close", D + ".if (1\n.endif\n" + L, STOPS),
    Case("a wrong condition of .elif", D + ".if 0\n.elif x\n.endif\n" + L, STOPS),
    Case("no .endif", D + ".if 1\n" + L + ".if 0\n"),
    Case("a lone .endif", D + ".endif\n" + L, STOPS),
    Case("a lone .else", D + ".else\n" + L, STOPS),
    Case("a lone .elif", D + ".elif 1\n" + L, STOPS),
    Case(".else after .else", D + ".if 1\n.else\n.else\n.endif\n" + L, STOPS),
    Case(".elif after .else", D + ".if 0\n.else\n.elif 1\n.endif\n" + L, STOPS),
    Case("words behind .endif", D + ".if 1\n.endif x\n" + L, STOPS),
    Case("words behind .else", D + ".if 1\n.else x\n.endif\n" + L, STOPS),
    Case("a hundred blocks", D + ".if 1\n" * 100 + ".endif\n" * 100 + L, STOPS),
    Case("ninety-nine blocks", D + ".if 1\n" * 99 + ".endif\n" * 99 + L),
    Case("a directive that is none", D + ".nosuch\n" + L, STOPS),
    Case("messages", D + ".notice a\n.warning 'b c'\n.diag d\n" + L),
    Case("messages of too many words", D + ".notice a b\n.warning a b\n.diag a b\n.alert a b\n" + L),
    Case("an alert", D + ".alert 'not here'\n" + L, STOPS),
    Case("no before a directive", D + L + "    no .if 1\n    default .endif\n"),
    # Variables that the file sets
    Case(
        "setenv acts on the lines after it", "global\n setenv PORT 18080\n setenv M http\n" + D + 'listen web\n bind ":$PORT"\n'
    ),
    Case("setenv of too few words", "global\n setenv\n setenv A\n presetenv A\n unsetenv\n setenv A ''\n" + D + L),
    Case("names that no variable can have", "global\n setenv a=b c\n presetenv '' c\n unsetenv x a=b\n" + D + L),
    Case("presetenv keeps", 'global\n setenv A 1\n presetenv A x\n maxconn "$A"\n nosuch\n' + D + L),
    Case(
        "unsetenv and resetenv",
        "global\n setenv A 1\n unsetenv A\n setenv B 1\n resetenv B\n.if defined(A)\n x\n.endif\n"
        ".if !defined(B)\n y\n.endif\n.if defined(HAPROXY_LOCALPEER)\n z\n.endif\n" + D + L,
    ),
    Case("setenv outside of global", D + " setenv A b\n" + L + " presetenv A b\n unsetenv A\n resetenv\n"),
    Case("no before setenv", "global\n no setenv A b\n default resetenv\n" + D + L),
    Case(
        "HAProxy's own variables",
        D + ".if !defined(HAPROXY_STARTUP_VERSION) || !defined(HAPROXY_LOCALPEER)\n x\n.endif\n"
        ".if defined(HAPROXY_MWORKER) || defined(HAPROXY_CLI)\n y\n.endif\n" + L,
    ),
    Case("the place", D + L + '.if strneq("${.SECTION}",web) || strneq("$.LINE",8)\n x\n.endif\n'),
    Case(
        "localpeer",
        'global\n localpeer me\n.if strneq("$HAPROXY_LOCALPEER",me)\n x\n.endif\n localpeer\n localpeer a b\n' + D + L,
    ),
    # Several files
    Case("a section may be in another file than its defaults", D, more=(L,)),
    Case("a file begins with a section", D + L, STOPS, (S + L,)),
    Case("a block ends with its file", D + ".if 1\n", STOPS, (".endif\n" + L,)),
    Case("mistakes in both files", D + " nosuch\n", SAME, (L + "\n\n\n\n\n\n neither\n",)),
    # Sections and their names
    Case("keywords before any section", "nosuch\n" + D + L),
    Case("an argument of global", "global x\n nosuch\n" + D + L),
    Case("a section without a name", D + "listen\n", STOPS),
    Case("a frontend without a name", D + "frontend ''\n", STOPS),
    Case("a name that is not permitted", D + "listen a!\n bind :18080\n nosuch\nbackend b/c\n nosuch\n"),
    Case("names that are there already", D + L + L + "backend web\n"),
    Case("two sections of one name that are not asked for", NAMED + NAMED + L),
    Case("an ambiguous name", NAMED + NAMED + "listen web from base\n bind :18080\n", STOPS),
    Case("a name that is not there", NAMED + "listen web from nosuch\n bind :18080\n", STOPS),
    Case("a name that cannot be asked for", D.replace("defaults", "defaults a!") + "listen web from a!\n bind :18080\n", STOPS),
    Case("a name that is not asked for may be any", D.replace("defaults", "defaults 'a !'") + L),
    Case("from takes over", NAMED + "defaults other from base\n retries 2\ndefaults\nlisten web from other\n bind :18080\n"),
    Case("from and last", NAMED + L + "backend b from base\nbackend c\n"),
    Case("words behind from", NAMED + "listen web from base x\n", STOPS),
    Case("words behind defaults", D.replace("defaults", "defaults base x y") + L),
    Case("words behind the from of defaults", NAMED + "defaults other from base x\n" + L),
    Case("no before a section", D + "no listen web\n bind :18080\n nosuch\n"),
    Case("sections that have no effect", "mailers m\nresolvers r\n nameserver n 127.0.0.1:53\n" + D + L),
    Case("sections without a name", "mailers\n", STOPS),
    Case("a program without a master", "program p\n command /bin/true\n" + D + L, UNPLACED),
    # Keywords
    Case(
        "no and default before what has no opposite",
        D + L + " no retries 3\n default balance roundrobin\n no cookie A insert\n",
    ),
    Case("no alone", D + L + " no\n default\n no option\n no option nosuch\n default option nosuch\n no no option persist\n"),
    # Formats of the log and captures
    Case(
        "log formats",
        D + L + ' log-format "%ci:%cp [%tr] %{+Q}r %[src] %% %{foo}b"\n option httplog clf\n option tcplog\n' + S,
    ),
    Case("a log format with a variable that is none", D + L + ' log-format "%zz"\n' + S),
    Case("a log format that breaks off", D + L + ' log-format "%{+Q"\n' + S),
    Case("a log format that asks for a field", D + L + ' log-format "%[req.hdr(a)]"\n' + S),
    Case("formats without a text, or with two", D + L + ' log-format ""\n error-log-format\n log-format a b\n' + S, STOPS),
    Case("a name for requests", D + L + ' unique-id-format "%{+X}o %ci:%[path]"\n unique-id-header X-Id\n' + S),
    Case(
        "captures",
        D + L + " capture request header X len 9\n capture cookie A len 9\n declare capture request len 9\n"
        " capture response header Y len 9\n http-request capture path len 9\n http-response capture res.hdr(a) id 0\n" + S,
    ),
    Case("captures that are none", D + L + " capture foo\n capture request header X\n capture cookie A\n declare foo\n" + S),
    Case("captures in defaults", D + " capture request header X len 9\n" + L + S),
    Case("a slot that is not there", D + L + " http-request capture path id 0\n" + S, UNPLACED),
    Case("a backend says nothing of lines", D + L + S + 'backend b\n log-format "%ci"\n option httplog\n' + S),
    Case(
        "no before options and log",
        D + L + " no option dontlognull\n no option redispatch\n default option redispatch\n no log\n",
    ),
    Case("no before options without an opposite", D + L + " no option httplog\n no option tcplog\n default option tcpka\n"),
    Case(
        "no in global",
        "global\n no log\n no busy-polling\n no strict-limits\n no set-dumpable\n no daemon\n no maxconn 5\n" + D + L,
    ),
    Case(
        "log lines", "global\n log\n log 127.0.0.1\n log 127.0.0.1 nosuch\n log 127.0.0.1 local0 nosuch\n log global\n" + D + L
    ),
    Case(
        "words of global",
        "global\n daemon x\n chroot\n stats socket\n stats timeout x\n nbthread x\n pidfile\n nosuch\n" + D + L,
    ),
    Case(
        "a frontend's mistakes", D + "frontend f\n bind 127.0.0.1\n bind :99999\n timeout client\n timeout nosuch 1\n maxconn\n"
    ),
    Case(
        "a backend's mistakes",
        D + L + "backend b\n server\n server s\n server t 127.0.0.1:1 nosuch\n balance nosuch\n retries\n",
    ),
    Case(
        "a server's mistakes",
        D + L + " server a 127.0.0.1:1 weight 300\n server b 127.0.0.1:1 inter x\n server c 127.0.0.1:1 cookie\n",
    ),
    Case("a cookie's mistakes", D + L + " cookie\n cookie A nosuch\n cookie A insert domain\n"),
    Case(
        "words in the wrong section",
        "global\n mode http\n" + D + " bind :1\n server s 127.0.0.1:1\n" + L + " maxconnrate 3\n daemon\n",
    ),
    Case("a backend that is not there", D + L + " default_backend nosuch\n", UNPLACED),
    Case("two servers of one name", D + L + S + S, UNPLACED),
    # Rules and conditions: HAProxy stops at most mistakes in rules, so each file has one
    Case(
        "rules of requests",
        RULES
        + ' http-request deny deny_status 429 if { path /x }\n http-request set-header X "%[src] a" unless { method GET }\n'
        " http-request replace-value X a b\n http-request set-var(txn.a) src\n http-request unset-var(txn.a)\n"
        " http-request return status 200 content-type text/plain string ok if FALSE\n http-request tarpit if FALSE\n"
        " http-request redirect location / code 302 if { var(txn.a) -m found }\n http-request set-log-level silent\n",
    ),
    Case(
        "rules of answers",
        RULES + " http-response set-status 503 reason 'Gone fishing' if { status 500 }\n http-response set-status 404\n"
        " http-response deny if { res.hdr(X) -m found }\n http-response return status 200\n http-response allow\n"
        " http-after-response set-header X y\n http-after-response del-header X\n",
    ),
    *(
        Case(f"a rule that is none: {line}", f"{RULES} {line}\n")
        for line in (
            *("http-request", "http-request nosuch", "http-request set-header X", "http-request deny if nosuch"),
            *("http-request deny deny_status 1000 x", "http-request set-var(nosuch.a) src", "http-request return status 99"),
            *("http-request redirect location", "http-request deny when x", "http-request capture path len x"),
            *("http-request deny if { path /x", "http-request deny if path /x }", "http-request deny if ! !TRUE"),
            *("http-response set-status", "http-response set-status x", "http-response set-status 200 reason if TRUE"),
            *("http-response tarpit", "http-response capture res.hdr(a) len 3", "http-after-response deny"),
        )
    ),
    Case(
        "conditions",
        RULES + " acl a path_beg /y\n acl b src 10.0.0.0/8 192.168.0.1\n acl c hdr(host) -i a b\n acl d url_reg ^/x\n"
        " acl e hdr_cnt(X) gt 3\n acl f path -m end .css\n acl g nbsrv(web) lt 1\n use_backend b if a b !c or d\n"
        " http-request deny if e || f\n monitor-uri /alive\n monitor fail if g\n force-persist if a\nbackend b\n",
    ),
    Case(
        "conditions that are none",
        RULES + " acl b src nosuch\n acl c hdr_cnt(X) gt x\n acl d url_reg (\n acl e path -m nosuch x\n"
        " acl f path -f /nonexistent\n acl or path /\n acl a!b path /\n acl g nosuch x\n",
    ),
    Case(
        "lines that want a condition",
        RULES + " monitor fail\n monitor fail if nosuch\n monitor-uri\n force-persist\n use-server s\n use_backend\n"
        " use_backend b if nosuch\n redirect\n redirect location / code 200\n redirect location / if nosuch\nbackend b\n",
    ),
    Case(
        "conditions about what is not there",
        RULES + " acl a fe_conn(nobody) 3\n monitor fail if { nbsrv(nobody) lt 1 }\n",
        UNPLACED,
    ),
    Case(
        "conditions about what comes later",
        RULES + " monitor fail if { nbsrv(b) lt 1 } { srv_is_up(b/t) }\nbackend b\n server t 127.0.0.1:1\n",
    ),
    *(
        Case(f"a condition about nobody: {condition}", f"{RULES} http-request deny if {{ {condition} }}\n")
        for condition in (
            "srv_is_up()",
            "srv_is_up(nobody)",
            "srv_is_up(web/nobody)",
            "srv_is_up(nobody/s)",
            "nbsrv(nobody) 1",
            "queue(f) 1",
        )
    ),
    *(
        Case(f"a side that the section does not have: {line.split()[-3]}", f"{D}{line}\n")
        for line in (
            "frontend f\n bind :18080\n monitor-uri /a\n monitor fail if { nbsrv lt 2 }",
            "frontend f\n bind :18080\n acl a queue gt 2",
            "listen l\n bind :18080\nbackend b\n http-request deny if { fe_conn gt 2 }",
        )
    ),
    *(
        Case(
            f"rules of named defaults about what is not there: {condition} for a {letter}",
            f"{NAMED} http-request deny if {{ {condition} }}\n{D}backend b\n server s 127.0.0.1:1\n"
            f"{user} bind :18080\n default_backend b\n",
        )
        for letter, user in (
            ("frontend", "frontend f from base\n"),
            ("backend", "backend c from base\nfrontend f\n use_backend c if TRUE\n"),
        )
        for condition in ("nbsrv lt 1", "nbsrv(b) lt 1", "nbsrv(nobody) lt 1", "fe_conn gt 1", "srv_is_up(s)", "srv_is_up(b/s)")
    ),
    *(
        Case(f"a sample that asks its own section: {name}", f"{RULES} http-request deny if {{ {name} lt 1 }}\n")
        for name in ("connslots", "be_conn_free()")
    ),
    Case("a variable without a matching method", RULES + " http-request deny if { var(txn.a) x }\n"),
    Case("a range that ends before it begins", RULES + " http-request deny if { src_port 3:1 }\n"),
    Case("a backend of a rule that is not there", RULES + " use_backend nobody if TRUE\n", UNPLACED),
    Case("rules in a section of defaults without a name", D + " acl a path /x\n http-request deny\n" + L),
    Case("rules in a section of defaults with one", NAMED + " http-request deny\nfrontend f from base\n bind :18080\n"),
    Case(
        "the words that defaults cannot have",
        D + " use_backend b\n monitor fail if TRUE\n bind :1\n dispatch 127.0.0.1:1\n" + L,
    ),
    Case("defaults from defaults from defaults", "defaults a\n mode http\ndefaults b from a\ndefaults c from b\n" + L),
    # The statistics page and its socket
    Case(
        "statistics",
        D + L + " stats enable\n stats uri /s\n stats realm A\\ B\n stats auth a:b\n stats admin if TRUE\n stats refresh 5s\n"
        " stats hide-version\n stats show-legends\n stats show-node\n stats show-desc x\n stats scope .\n stats show-modules\n",
    ),
    Case(
        "statistics that are none",
        D + L + " stats\n stats nosuch\n stats uri\n stats realm\n stats auth\n stats admin\n stats admin if nosuch\n"
        " stats refresh x\n stats scope\n",
    ),
    Case("a rule of the page that is none", D + L + " stats http-request nosuch\n"),
    Case(
        "sockets",
        "global\n stats socket /tmp/x.sock level nosuch\n stats socket /tmp/y.sock mode\n stats socket /tmp/z.sock nosuch\n"
        " stats maxconn\n stats nosuch\n stats timeout 1s\n" + D + L,
    ),
    # Answers of ours
    Case(
        "pages",
        "http-errors a\n errorfile 503 /dev/null\n" + D + L + " errorfiles a 503\n http-error status 503 errorfiles a\n",
    ),
    Case(
        "pages that are none",
        "http-errors a\n errorfile\n errorfile 503\n errorfile 999 /dev/null\n errorfile 503 /nonexistent\n nosuch\n"
        "http-errors a\nhttp-errors b!\n" + D + L,
    ),
    Case("a group of pages without a name", "http-errors\n errorfile 503 /dev/null\n" + D + L),
    Case("a group of pages that is not there", D + L + " errorfiles nobody\n", UNPLACED),
    Case(
        "answers that are none",
        D + L + " errorloc 999 /x\n errorloc 503\n errorloc303 x /\n errorfiles\n http-error\n http-error status 999\n"
        " http-error status 503 string x\n http-error status 503 errorfile /nonexistent\n http-error status 503 hdr A\n",
    ),
    # The log
    Case(
        "targets of the log",
        "ring r\n format rfc5424\n maxlen 1200\n size 32764\nglobal\n"
        " log 127.0.0.1:514 len 200 format rfc5424 sample 1:2 local0\n"
        " log /dev/log daemon\n log stdout format raw local0 info err\n log ring@r local0\n log-tag x\n log-send-hostname\n"
        + D
        + L,
    ),
    Case(
        "targets of the log that are none",
        "global\n log 127.0.0.1 len x local0\n log 127.0.0.1 len 10 local0\n log 127.0.0.1 format nosuch local0\n"
        " log 127.0.0.1 sample 1 local0\n log 127.0.0.1 sample 3:2 local0\n log 127.0.0.1 local0 info nosuch\n log-tag\n"
        + D
        + L,
    ),
    Case("rings that are none", "ring b!\nring r\n nosuch\n size\n size x\n format\n format nosuch\n maxlen x\n" + D + L),
    Case(
        "captures that break off",
        D + L + " capture\n capture request\n capture request header\n capture request header X len\n"
        " capture response header X foo 3\n"
        " capture cookie A len\n declare capture\n declare capture request len\n declare capture nosuch len 3\n",
    ),
    # Listeners, servers, balance, checks
    Case(
        "listeners",
        D + "frontend f\n bind 127.0.0.1:18080,127.0.0.1:18081 name a maxconn 5 backlog 9\n bind :18082-18084 v4v6\n"
        " bind unix@/tmp/u.sock mode 600\n bind abns@x\n bind *:18085 interface lo defer-accept tfo\n"
        " bind :18086 mss 1000 nice 3\n",
    ),
    Case(
        "listeners that are none",
        D + "frontend f\n bind\n bind :\n bind :18082-18080\n bind :x\n bind :18080 maxconn\n"
        " bind :18080 name\n bind :18080 nice\n"
        " bind :18080 mode 999\n bind :18080 user nosuchuser\n bind fd@x\n bind :18080 interface\n",
    ),
    Case(
        "servers that are none",
        D + L + " server a 127.0.0.1:1 rise 0\n server b 127.0.0.1:1 observe nosuch\n server c 127.0.0.1:1 on-error nosuch\n"
        " server d 127.0.0.1:1 track\n server e 127.0.0.1:1 id x\n server f 127.0.0.1:1 slowstart\n server g 127.0.0.1:x\n",
    ),
    Case("a server that follows nobody", D + L + " server s 127.0.0.1:1 track nobody/s\n", UNPLACED),
    Case(
        "balance and hash-type",
        D + L + " balance random(x)\n balance uri len\n balance uri nosuch\n balance url_param\n balance hdr()\n"
        " hash-type nosuch\n hash-type map-based nosuch\n hash-type consistent sdbm nosuch\n"
        " hash-type consistent wt6 avalanche\n",
    ),
    Case(
        "checks that are none",
        D + L + " option httpchk\n http-check expect\n http-check expect nosuch\n http-check expect status x\n"
        " http-check expect rstatus (\n http-check send nosuch\n http-check connect port\n http-check nosuch\n",
    ),
    Case(
        "times that are none",
        D + L + " timeout\n timeout connect\n timeout connect x\n timeout client 1y\n timeout nosuch 1\n timeout queue 5s 6s\n",
    ),
    Case("an error file that is not there", D + L + " errorfile 503 /nonexistent\n errorfile 999 /dev/null\n errorfile\n"),
)

DIFFERENCES: Final[tuple[Difference, ...]] = (
    Difference(
        "HAProxy 2.6 leaves the option's word behind 'default option'; its manual says that it works",
        D + L + " default option dontlognull\n",
        ERROR,
        VALID,
    ),
    Difference(
        "HAProxy 2.6 loses the closing brace of a default in the first line of a file",
        'defaults "${BALANCER_TEST_NONE-x}"\n mode http\n timeout client 1s\n' + L,
        ERROR,
        VALID,
    ),
    Difference(
        "HAPROXY_CFGFILES is there while files are read, as HAProxy's manual says; HAProxy 2.6 sets it afterwards",
        D + ".if !defined(HAPROXY_CFGFILES)\n.alert none\n.endif\n" + L,
        ERROR,
        VALID,
    ),
    Difference(
        "the address in the line of the section is the form of 1.2", D + "listen web 127.0.0.1:18080\n" + S, ERROR, VALID
    ),
    Difference("scopes are for the files of filters, the manual has none in haproxy.cfg", D + "[scope]\n" + L, VALID, ERROR),
    Difference(
        "there is no TLS, so that .if feature(OPENSSL) is false",
        D + ".if feature(OPENSSL)\n.alert tls\n.endif\n" + L,
        ERROR,
        VALID,
    ),
    Difference("'userlist' would decide who is let in", "userlist u\n user a insecure-password b\n" + D + L, VALID, ERROR),
    Difference("'peers' would share what is not kept here", "peers p\n peer a 127.0.0.1:1\n" + D + L, VALID, ERROR),
    Difference("'server' in 'ring' would send on", "ring r\n server s 127.0.0.1:514\n" + D + L, VALID, ERROR),
    Difference("'cache' would answer from memory", "cache c\n total-max-size 4\n" + D + L, VALID, ERROR),
    Difference("'fcgi-app' would speak another protocol", "fcgi-app f\n docroot /\n" + D + L, VALID, ERROR),
    Difference(
        "'log-forward' would take log lines",
        "log-forward f\n dgram-bind 127.0.0.1:18514\n log 127.0.0.1:514 local0\n" + D + L,
        VALID,
        ERROR,
    ),
    Difference("lines of sections without effect are not looked at", "mailers m\n nosuch\n" + D + L, ERROR, VALID),
    Difference(
        "a word behind a backend's name is an error at once, HAProxy's comes with the next line",
        D + L + "backend b x\n",
        VALID,
        ERROR,
    ),
    Difference("mode http is required", L + " timeout client 1s\n", VALID, ERROR),
    Difference("a number that is none is 0 for HAProxy", D + L + " maxconn many\n", VALID, ERROR),
)
