"""`http-errors` sections, and `errorfiles` and `http-error` of the proxies: more ways to an answer of ours than `errorfile`.

A section is a group of error files under a name. A proxy takes over all of it, or single statuses, by `errorfiles`; sections
may stand behind the proxies that name them, so names are looked up when all is read. `http-error` writes an answer in the
line itself, or takes its body from a file. The last word about a status counts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from balancer.config.drafts import ErrorFile, ErrorImport, ProxyDraft, Settings
from balancer.config.errorfiles import OCTETS_MAX, STATUSES, parse_errorfile
from balancer.config.findings import Refusal, Report
from balancer.config.keywords import Keyword, nearest, suggestion, works
from balancer.config.statement import Statement
from balancer.model import Origin

FIELD_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# The reason phrases that HAProxy 2.6 writes.
REASONS: Final[dict[int, str]] = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    407: "Proxy Authentication Required", 408: "Request Time-out", 410: "Gone", 413: "Request Entity Too Large",
    421: "Misdirected Request", 422: "Unprocessable Content", 425: "Too Early", 429: "Too Many Requests",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway or Proxy Error", 503: "Service Unavailable",
    504: "Gateway Time-out",
}  # fmt: skip
# What tells where the body comes from; whether a format of variables may stand in it.
PAYLOADS: Final[dict[str, bool]] = {"string": False, "file": False, "lf-string": True, "lf-file": True}
CONTENT: Final = frozenset(chr(code) for code in range(0x20, 0x7F)) | {"\t"}


@dataclass
class ErrorGroup:
    """One `http-errors` section."""

    name: str
    origin: Origin
    files: dict[int, ErrorFile] = field(default_factory=dict)

    def take(self, statement: Statement) -> None:
        """One line of it."""
        if statement.keyword != "errorfile":
            raise Refusal(f"unknown keyword '{statement.keyword}' in 'http-errors' section, expects 'errorfile'")
        page = parse_errorfile(statement)
        self.files[page.status] = page


def own_pages(settings: Settings, groups: Mapping[str, ErrorGroup]) -> dict[int, ErrorFile]:
    """What each status is answered with, as the lines of the proxy say in their order."""
    pages: dict[int, ErrorFile] = {}
    for entry in settings.errorfiles:
        if isinstance(entry, ErrorFile):
            pages[entry.status] = entry
            if entry.is_reset:
                del pages[entry.status]
            continue
        group = groups.get(entry.name)
        if group is not None:
            pages.update(
                (status, page) for status, page in group.files.items() if not entry.statuses or status in entry.statuses
            )
    return pages


def check_imports(proxy: ProxyDraft, groups: Mapping[str, ErrorGroup], report: Report) -> None:
    """Reports sections that nobody has written."""
    for entry in proxy.settings.errorfiles:
        if isinstance(entry, ErrorImport) and entry.name not in groups:
            near = suggestion(nearest(entry.name, groups))
            report.alert(entry.origin, f"proxy '{proxy.name}': unknown http-errors section '{entry.name}'{near or '.'}")


def _status(keyword: str, word: str) -> int:
    if word not in STATUSES:
        raise Refusal(f"'{keyword}' : status code '{word}' not handled, expects one of {', '.join(STATUSES)}")
    return int(word)


def _errorfiles(proxy: ProxyDraft, statement: Statement) -> None:
    words = statement.arguments
    if not words or not words[0]:
        raise Refusal("'errorfiles' expects the name of an http-errors section (got nothing)")
    statuses = tuple(_status("errorfiles", word) for word in words[1:])
    proxy.settings.errorfiles += (ErrorImport(words[0], statuses, statement.origin),)


def _http_error(proxy: ProxyDraft, statement: Statement) -> None:
    words = list(statement.arguments)
    if not words:
        raise Refusal("'http-error' expects at least a <status> as arguments.")
    status, content_type, source, value = 0, "", "", ""
    fields: list[tuple[str, str]] = []
    while words:
        word = words.pop(0)
        if word == "default-errorfiles" and not source:
            source = word
            continue
        if word not in PARTS or (word in SOURCES and source):
            raise Refusal(f"'http-error' expects {', '.join(PARTS)}, one source of its body at most (got '{word}')")
        needed = 2 if word == "hdr" else 1
        if len(words) < needed:
            raise Refusal(f"'http-error' : '{word}' expects {needed} arguments (got '{' '.join(words)}')")
        first = words.pop(0)
        if word == "status":
            status = _status("http-error", first)
        elif word == "content-type":
            content_type = _printable(word, first)
        elif word == "hdr":
            fields.append(_field(first, words.pop(0)))
        else:
            source, value = word, first
    if not status:
        raise Refusal("'http-error' expects 'status' with a status code (got none)")
    proxy.settings.errorfiles += (_entry(statement, status, content_type, source, value, fields),)


SOURCES: Final = ("errorfile", "errorfiles", *PAYLOADS)
PARTS: Final = ("status", "content-type", "hdr", "default-errorfiles", *SOURCES)


def _entry(
    statement: Statement, status: int, content_type: str, source: str, value: str, fields: Sequence[tuple[str, str]]
) -> ErrorFile | ErrorImport:
    if source == "default-errorfiles":
        return ErrorFile(status, b"", "", statement.origin, is_reset=True)
    if source == "errorfile":
        inner = Statement(statement.origin, "errorfile", (str(status), value), False, statement.resolves, statement.report)
        return parse_errorfile(inner)
    if source == "errorfiles":
        return ErrorImport(value, (status,), statement.origin)
    body = _body(source, value)
    if content_type and not body:
        statement.warn(f"'http-error' : content-type '{content_type}' has no effect, there is no payload")
    if body and not content_type:
        raise Refusal("'http-error' : a content type must be defined when non-empty payload is configured")
    lines = [f"HTTP/1.1 {status} {REASONS[status]}", *(f"{name}: {text}" for name, text in fields)]
    lines.append(f"content-length: {len(body)}")
    if body:
        lines.append(f"content-type: {content_type}")
    head = "\r\n".join([*lines, "", ""]).encode("ascii")
    return ErrorFile(status, head + body, "http-error", statement.origin)


def _body(source: str, value: str) -> bytes:
    if not source:
        return b""
    if source.endswith("string"):
        body = value.encode("utf-8", "surrogateescape")
    else:
        try:
            with open(value, "rb") as file:
                body = file.read(OCTETS_MAX + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise Refusal(f"'http-error' : cannot read file '{value}' ({reason})") from error
    return _plain(source, body) if PAYLOADS[source] else body


def _plain(what: str, text: bytes) -> bytes:
    """A format without variables: `%%` stands for a percent sign."""
    if b"%" in text.replace(b"%%", b""):
        raise Refusal(f"'http-error' : '{what}' with variables is known to HAProxy and not supported yet, expects plain text")
    return text.replace(b"%%", b"%")


def _printable(what: str, text: str) -> str:
    if not text or set(text) - CONTENT:
        raise Refusal(f"'http-error' : '{what}' expects printable ASCII (got {text!r})")
    return text


def _field(name: str, text: str) -> tuple[str, str]:
    if not FIELD_NAME.fullmatch(name) or name.lower() in ("content-length", "transfer-encoding", "connection"):
        raise Refusal(f"'http-error' : 'hdr' expects the name of a field that does not frame the answer (got '{name}')")
    return name.lower(), _plain("hdr", _printable("hdr", text).encode("ascii")).decode("ascii")


ERROR_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works("errorfiles", "DFLB", "takes the pages of an `http-errors` section over: `NAME [STATUS ...]`", _errorfiles),
    works(
        "http-error",
        "DFLB",
        "an answer of ours: `status N [content-type T] [default-errorfiles | errorfile F | errorfiles NAME | file F | "
        "string S | lf-file F | lf-string S] [hdr NAME TEXT]`; without variables",
        _http_error,
    ),
)
