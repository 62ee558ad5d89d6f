"""The fetches and converters that rules and log formats know: one row each, from which docs/rules.md is made, too.

A row says what comes out, on which side it can be asked and how many arguments it takes. What runs is in `proxy.fetches` and
`proxy.converters`, under the same names; a test holds the two against each other.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class FetchRow:
    """One fetch. `match` is how a condition compares it where nothing is said; "" for as its kind does."""

    name: str
    kind: str
    side: str
    least: int
    most: int
    text: str
    match: str = ""


@dataclass(frozen=True)
class ConverterRow:
    """One converter. `takes` and `gives` are kinds."""

    name: str
    takes: str
    gives: str
    least: int
    most: int
    text: str


def _fetches() -> tuple[FetchRow, ...]:
    row = FetchRow
    plain = (
        row("always_true", "bool", "any", 0, 0, "true"),
        row("always_false", "bool", "any", 0, 0, "false"),
        row("bool", "bool", "any", 1, 1, "a constant"),
        row("int", "int", "any", 1, 1, "a constant"),
        row("str", "str", "any", 1, 1, "a constant"),
        row("bin", "str", "any", 1, 1, "a constant, in hexadecimal digits"),
        row("ipv4", "addr", "any", 1, 1, "a constant"),
        row("ipv6", "addr", "any", 1, 1, "a constant"),
        row("meth", "str", "any", 1, 1, "a constant"),
        row("env", "str", "any", 1, 1, "a variable of the environment at the start"),
        row("date", "int", "any", 0, 2, "seconds since the epoch, with an offset; `ms` and `us` as unit"),
        row("rand", "int", "any", 0, 1, "at random, below 2^32 or the argument"),
        row("hostname", "str", "any", 0, 0, "of this machine"),
        row("nbproc", "int", "any", 0, 0, "1"),
        row("proc", "int", "any", 0, 0, "1"),
        row("thread", "int", "any", 0, 0, "0"),
        row("stopping", "bool", "any", 0, 0, "whether the process is ending"),
        row("uuid", "str", "any", 0, 1, "a random UUID of version 4"),
        row("var", "any", "any", 1, 2, "a variable of `proc. sess. txn. req. res.`, or the default behind it"),
        row("src", "addr", "any", 0, 0, "the client's address"),
        row("src_port", "int", "any", 0, 0, "the client's port"),
        row("dst", "addr", "any", 0, 0, "the address that the client has connected to"),
        row("dst_port", "int", "any", 0, 0, "its port"),
        row("src_is_local", "bool", "any", 0, 0, "whether the client's address is one of this machine's loopback"),
        row("dst_conn", "int", "any", 0, 0, "connections of the frontend"),
        row("ssl_fc", "bool", "any", 0, 0, "false: TLS ends before us"),
        row("fe_id", "int", "any", 0, 0, "the number of the frontend"),
        row("fe_name", "str", "any", 0, 0, "its name"),
        row("fe_defbe", "str", "any", 0, 0, "the name of its default backend"),
        row("fe_conn", "int", "any", 0, 1, "connections of a frontend"),
        row("fe_req_rate", "int", "any", 0, 1, "its requests of the last second"),
        row("fe_sess_rate", "int", "any", 0, 1, "its sessions of the last second"),
        row("be_id", "int", "any", 0, 0, "the number of the backend"),
        row("be_name", "str", "any", 0, 0, "its name"),
        row("be_conn", "int", "any", 0, 1, "sessions of a backend"),
        row("be_conn_free", "int", "any", 0, 1, "how many connections the servers of a backend still take; -1: no limit"),
        row("be_sess_rate", "int", "any", 0, 1, "its sessions of the last second"),
        row("connslots", "int", "any", 0, 1, "what its servers and queues still take; -1: no limit"),
        row("nbsrv", "int", "any", 0, 1, "its servers that are up"),
        row("queue", "int", "any", 0, 1, "requests that wait in it and in its servers"),
        row("avg_queue", "int", "any", 0, 1, "the same for one server on the average"),
        row("srv_id", "int", "response", 0, 0, "the number of the server"),
        row("srv_name", "str", "response", 0, 0, "its name"),
        row("srv_conn", "int", "any", 1, 1, "requests at a server: `backend/server`"),
        row("srv_conn_free", "int", "any", 1, 1, "how many more it takes; -1: no limit"),
        row("srv_is_up", "bool", "any", 1, 1, "whether it is up"),
        row("srv_queue", "int", "any", 1, 1, "requests that wait for it"),
        row("srv_sess_rate", "int", "any", 1, 1, "its sessions of the last second"),
        row("srv_weight", "int", "any", 1, 1, "its weight"),
        row("srv_iweight", "int", "any", 1, 1, "its weight in the file"),
        row("srv_uweight", "int", "any", 1, 1, "its weight as set"),
        row("http_first_req", "bool", "any", 0, 0, "whether it is the connection's first request"),
        row("method", "str", "any", 0, 0, "the method", "meth"),
        row("http_auth_type", "str", "request", 0, 0, "the scheme of Authorization"),
        row("http_auth_user", "str", "request", 0, 0, "the user of Authorization: Basic"),
        row("http_auth_pass", "str", "request", 0, 0, "its password"),
        row("http_auth_bearer", "str", "request", 0, 1, "the token of Authorization: Bearer"),
        row("req.ver", "str", "request", 0, 0, "`1.0` or `1.1`"),
        row("req_ver", "str", "request", 0, 0, "the same"),
        row("res.ver", "str", "response", 0, 0, "the same of the answer"),
        row("resp_ver", "str", "response", 0, 0, "the same"),
        row("base", "str", "request", 0, 0, "Host and path"),
        row("base32", "int", "request", 0, 0, "the hash (djb2) of `base`"),
        row("path", "str", "request", 0, 0, "the path"),
        row("pathq", "str", "request", 0, 0, "the path and the query"),
        row("query", "str", "request", 0, 0, "what stands behind the `?`"),
        row("url", "str", "request", 0, 0, "the target as received"),
        row("url_param", "str", "request", 0, 2, "a parameter of the query; the second argument stands for `&`"),
        row("urlp", "str", "request", 0, 2, "the same"),
        row("urlp_val", "int", "request", 0, 2, "the same as a number"),
        row("status", "int", "response", 0, 0, "the status of the answer"),
        row("capture.req.hdr", "str", "any", 1, 1, "what the request's capture of that number, from 0, holds"),
        row("capture.res.hdr", "str", "any", 1, 1, "the same of the answer's"),
        row("capture.req.method", "str", "any", 0, 0, "the method, also when the request is gone"),
        row("capture.req.uri", "str", "any", 0, 0, "the path and the query as received, without a host"),
        row("capture.req.ver", "str", "any", 0, 0, "`HTTP/1.0` or `HTTP/1.1`"),
        row("capture.res.ver", "str", "any", 0, 0, "the same of the server's answer"),
        row("unique-id", "str", "any", 0, 0, "what `unique-id-format` gives"),
        row("http_req_rate_known", "bool", "any", 0, 0, "false"),
    )
    derived: list[FetchRow] = []
    for base in ("base", "path", "url"):
        for suffix in ("beg", "end", "sub", "dir", "dom", "len", "reg"):
            derived.append(row(f"{base}_{suffix}", "str", "request", 0, 0, f"`{base} -m {suffix}`", suffix))
    for base in ("url_param", "urlp"):
        for suffix in ("beg", "end", "sub", "dir", "dom", "len", "reg"):
            derived.append(row(f"{base}_{suffix}", "str", "request", 0, 2, f"`{base} -m {suffix}`", suffix))
    for prefix, side, place in (("", "request", "request"), ("req.", "request", "request"), ("res.", "response", "answer")):
        derived += [
            row(f"{prefix}hdr", "str", side, 0, 2, f"an element of a field of the {place}: NAME, occurrence"),
            row(f"{prefix}hdr_cnt", "int", side, 0, 1, "how many elements it has"),
            row(f"{prefix}hdr_val", "int", side, 0, 2, "an element as a number"),
            row(f"{prefix}hdr_ip", "addr", side, 0, 2, "an element as an address"),
            row(f"{prefix}cook", "str", side, 0, 1, f"a cookie of the {place}"),
            row(f"{prefix}cook_cnt", "int", side, 0, 1, "how often it is there"),
            row(f"{prefix}cook_val", "int", side, 0, 1, "a cookie as a number"),
        ]
        for base, most in ((f"{prefix}hdr", 2), (f"{prefix}cook", 1)):
            for suffix in ("beg", "end", "sub", "dir", "dom", "len", "reg"):
                derived.append(row(f"{base}_{suffix}", "str", side, 0, most, f"`{base} -m {suffix}`", suffix))
        if prefix:
            derived += [
                row(f"{prefix}fhdr", "str", side, 0, 2, f"a whole line of a field of the {place}: NAME, occurrence"),
                row(f"{prefix}fhdr_cnt", "int", side, 0, 1, "how many lines it has"),
                row(f"{prefix}hdrs", "str", side, 0, 0, "all lines and the empty one"),
                row(f"{prefix}hdr_names", "str", side, 0, 1, "the names of the lines, with a delimiter"),
            ]
    for suffix in ("beg", "end", "sub", "dir", "dom", "len", "reg"):
        derived.append(row(f"shdr_{suffix}", "str", "response", 0, 2, f"`res.hdr -m {suffix}`", suffix))
        derived.append(row(f"scook_{suffix}", "str", "response", 0, 1, f"`res.cook -m {suffix}`", suffix))
    derived += [
        row("shdr", "str", "response", 0, 2, "`res.hdr`"),
        row("shdr_cnt", "int", "response", 0, 1, "`res.hdr_cnt`"),
        row("shdr_val", "int", "response", 0, 2, "`res.hdr_val`"),
        row("shdr_ip", "addr", "response", 0, 2, "`res.hdr_ip`"),
        row("scook", "str", "response", 0, 1, "`res.cook`"),
        row("scook_cnt", "int", "response", 0, 1, "`res.cook_cnt`"),
        row("scook_val", "int", "response", 0, 1, "`res.cook_val`"),
    ]
    return tuple(entry for entry in plain if entry.name != "http_req_rate_known") + tuple(derived)


FETCHES: Final[dict[str, FetchRow]] = {entry.name: entry for entry in _fetches()}

CONVERTERS: Final[dict[str, ConverterRow]] = {
    entry.name: entry
    for entry in (
        ConverterRow("lower", "str", "str", 0, 0, "in lower case"),
        ConverterRow("upper", "str", "str", 0, 0, "in upper case"),
        ConverterRow("length", "str", "int", 0, 0, "how many octets"),
        ConverterRow("field", "str", "str", 2, 3, "the n-th field between delimiters; from the end if negative; how many"),
        ConverterRow("word", "str", "str", 2, 3, "the same, empty ones left out"),
        ConverterRow("regsub", "str", "str", 2, 3, "what fits a regular expression replaced; flags `g` and `i`"),
        ConverterRow("bytes", "str", "str", 1, 2, "octets from an offset, how many"),
        ConverterRow("concat", "str", "str", 0, 3, "a text, a variable and a text behind it"),
        ConverterRow("strcmp", "str", "int", 1, 1, "compared with a variable"),
        ConverterRow("hex", "str", "str", 0, 0, "as hexadecimal digits"),
        ConverterRow("base64", "str", "str", 0, 0, "as base64"),
        ConverterRow("b64dec", "str", "str", 0, 0, "out of base64"),
        ConverterRow("ub64enc", "str", "str", 0, 0, "as base64 for URLs"),
        ConverterRow("ub64dec", "str", "str", 0, 0, "out of it"),
        ConverterRow("url_dec", "str", "str", 0, 1, "out of percent encoding; `+` is a blank behind a `?`"),
        ConverterRow("url_enc", "str", "str", 0, 1, "percent encoded"),
        ConverterRow("json", "str", "str", 0, 1, "escaped for JSON"),
        ConverterRow("ltrim", "str", "str", 1, 1, "without these octets before it"),
        ConverterRow("rtrim", "str", "str", 1, 1, "without these octets behind it"),
        ConverterRow("sdbm", "str", "int", 0, 1, "hashed"),
        ConverterRow("djb2", "str", "int", 0, 1, "hashed"),
        ConverterRow("crc32", "str", "int", 0, 1, "hashed"),
        ConverterRow("wt6", "str", "int", 0, 1, "hashed"),
        ConverterRow("sha1", "str", "str", 0, 0, "hashed, 20 octets"),
        ConverterRow("sha2", "str", "str", 0, 1, "hashed by SHA-2 of 224, 256, 384 or 512 bits"),
        ConverterRow("digest", "str", "str", 1, 1, "hashed by the algorithm of that name"),
        ConverterRow("ipmask", "addr", "addr", 1, 2, "the network of an address; for v6 the second argument"),
        ConverterRow("add", "int", "int", 1, 1, "plus a number or a variable"),
        ConverterRow("sub", "int", "int", 1, 1, "minus it"),
        ConverterRow("mul", "int", "int", 1, 1, "times it"),
        ConverterRow("div", "int", "int", 1, 1, "divided by it"),
        ConverterRow("mod", "int", "int", 1, 1, "the rest of that"),
        ConverterRow("and", "int", "int", 1, 1, "bit by bit"),
        ConverterRow("or", "int", "int", 1, 1, "bit by bit"),
        ConverterRow("xor", "int", "int", 1, 1, "bit by bit"),
        ConverterRow("cpl", "int", "int", 0, 0, "its complement"),
        ConverterRow("neg", "int", "int", 0, 0, "its negative"),
        ConverterRow("not", "int", "bool", 0, 0, "whether it is zero"),
        ConverterRow("bool", "int", "bool", 0, 0, "whether it is not zero"),
        ConverterRow("even", "int", "bool", 0, 0, "whether it is even"),
        ConverterRow("odd", "int", "bool", 0, 0, "whether it is odd"),
        ConverterRow("iif", "bool", "str", 2, 2, "the first argument where true, else the second"),
        ConverterRow("http_date", "int", "str", 0, 2, "a date in the form of HTTP, with an offset"),
        ConverterRow("utime", "int", "str", 1, 2, "a date by strftime, UTC, with an offset"),
        ConverterRow("ltime", "int", "str", 1, 2, "the same in local time"),
        ConverterRow("capture-req", "str", "str", 1, 1, "kept in the request's capture of that number, and handed on"),
        ConverterRow("capture-res", "str", "str", 1, 1, "kept in the answer's capture of that number, and handed on"),
        ConverterRow("set-var", "any", "any", 1, 1, "kept in a variable, and handed on"),
    )
}
REFUSED_CONVERTERS: Final[dict[str, str]] = {
    "map": "maps are not supported: write the cases as conditions",
    "language": "HAProxy itself calls it a choice for small lists only: compare 'req.hdr(accept-language)'",
    "lua": "Lua is not supported",
}
