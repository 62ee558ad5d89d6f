"""Rules at work: after the request's head, at the answer's head. A route without rules never comes here.

A rule that changes a head changes a view of it; at the end the view is written out and read again by the parser that reads
every head, so that what rules put together obeys the same grammar, and keeps the framing that the message came with. What
fails there is answered 500, and never sent.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from balancer.backend.backend import Backend
from balancer.backend.server import Server
from balancer.http.errors import ErrorPage, page_from_file
from balancer.http.framing import NO_BODY
from balancer.http.head import RequestHead, ResponseHead
from balancer.http.octets import CLASS, FIELD
from balancer.http.reasons import reason_of
from balancer.http.view import PROTECTED, View, split_elements
from balancer.proxy import phase as phases
from balancer.proxy.captured import capture
from balancer.proxy.converters import address_of, integer_of, text_of
from balancer.proxy.fetches import path_of, value_of
from balancer.proxy.matching import holds
from balancer.proxy.patterns import compiled, expand, search
from balancer.proxy.scene import Scene, scene_of
from balancer.proxy.texts import raw_text, text
from balancer.rulebook import Rule

if TYPE_CHECKING:
    import regex

    from balancer.proxy.exchange import Exchange

# What a list of rules came to.
GOES_ON: Final = 0
ENDED: Final = 1
FOUND: Final = b"Found"  # HAProxy's phrase for a redirect, and only there
SERVED: Final = 2  # by a service of ours

NO_BODY_STATUSES: Final = (204, 304)
ENDING: Final = frozenset(["deny", "tarpit", "return", "redirect", "reject"])
# By the words of `set-log-level`.
LEVELS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


class BadValue(Exception):
    """A rule made what no message may hold."""


def on_request(exchange: "Exchange", rules: tuple[Rule, ...], is_backend: bool, now: float) -> int:
    """Runs request rules: GOES_ON, ENDED (the exchange is finished, or waits in a tarpit) or SERVED."""
    scene = scene_of(exchange)
    try:
        for rule in rules:
            if not holds(scene, rule.condition):
                continue
            action = rule.action
            if action == "allow":
                break
            if action == "use-service":
                return SERVED
            if action not in ENDING:
                _change(scene, scene.request(), rule)
            elif _answer(exchange, scene, rule, is_backend, now):
                return ENDED
    except BadValue:
        _fail(exchange, now)
        return ENDED
    return GOES_ON


def settle_request(exchange: "Exchange", now: float) -> bool:
    """Puts the changed head in the place of the one that came; False where it is no head, and the exchange has ended."""
    scene = exchange.scene
    if scene is None or not scene.is_request_changed():
        return True
    old = exchange.head
    view = scene.request()
    target = old.target
    if scene.is_target_changed:
        target = path_of(scene.target) if old.host_replaced else scene.target
    lines = view.lines()
    if old.host_replaced:
        lines = b"host: %s\r\n" % old.host + b"".join(
            [line + b"\r\n" for line in lines.split(b"\r\n") if line and not line.lower().startswith(b"host:")]
        )
    data = b"%s %s HTTP/1.%d\r\n%s\r\n" % (scene.method, target, old.minor, lines)
    limits = exchange.services.limits
    head = RequestHead(data, 0, len(data), limits.field_count_max + 100)
    framing = (old.content_length, old.is_chunked, old.upgrade, old.minor)
    if head.error or framing != (head.content_length, head.is_chunked, head.upgrade, head.minor):
        _fail(exchange, now)
        return False
    head.field_octets += old.log_octets() - head.log_octets()
    head.expects_continue = old.expects_continue
    if exchange.received_head is None:
        exchange.received_head = old
    exchange.head = head
    return True


def on_answer(exchange: "Exchange", rules: tuple[Rule, ...], head: ResponseHead, is_backend: bool, now: float) -> bool:
    """Runs rules on an answer; False where one of them has ended the exchange."""
    scene = scene_of(exchange)
    if scene.response is None:
        scene.set_answer(head)
    try:
        for rule in rules:
            if not holds(scene, rule.condition):
                continue
            if rule.action == "allow":
                break
            if rule.action not in ENDING:
                _change(scene, scene.answer(), rule)
            elif _answer(exchange, scene, rule, is_backend, now):
                return False
    except BadValue:
        _fail(exchange, now)
        return False
    return True


def settled_answer(exchange: "Exchange", head: ResponseHead, now: float) -> ResponseHead | None:
    """The head with what the rules changed; None where that is none, and the exchange has ended."""
    scene = exchange.scene
    if scene is None or not scene.is_answer_changed():
        return head
    status = scene.status
    is_bodiless = head.status in NO_BODY_STATUSES
    if (status in NO_BODY_STATUSES) != is_bodiless or status < 200 or head.status < 200:
        # Another body would follow than the one that is coming; and what has switched protocols is never kept for HTTP.
        status = head.status
    reason = scene.reason if scene.reason and status == scene.status else head.reason
    data = b"HTTP/1.%d %d %s\r\n%s\r\n" % (head.minor, status, reason, scene.answer().lines())
    changed = ResponseHead(data, 0, len(data), exchange.services.limits.field_count_max + 100, head.own_cookie, head.preserve)
    framing = (head.content_length, head.is_chunked, head.upgrade, head.minor)
    if changed.error or framing != (changed.content_length, changed.is_chunked, changed.upgrade, changed.minor):
        _fail(exchange, now)
        return None
    changed.field_octets = head.field_octets + len(head.reason) - len(changed.reason)
    return changed


def choose_backend(exchange: "Exchange", rules: tuple[Rule, ...]) -> str:
    """The backend of the first `use_backend` that applies, "" for the default."""
    scene = scene_of(exchange)
    for rule in rules:
        if holds(scene, rule.condition):
            return rule.name or text(scene, rule.value).decode("utf-8", "surrogateescape")
    return ""


def choose_server(exchange: "Exchange", backend: Backend, rules: tuple[Rule, ...]) -> Server | None:
    """The server of the first `use-server` that applies and whose server may be used."""
    scene = scene_of(exchange)
    for rule in rules:
        if holds(scene, rule.condition):
            name = text(scene, rule.value).decode("utf-8", "replace") if rule.value else rule.name
            server = backend.find_server(name)
            if server is None:
                return None
            if server.is_usable() or backend.config.persist or exchange.is_forced:
                return server
    return None


def first_that_holds(exchange: "Exchange", rules: tuple[Rule, ...]) -> str:
    """The action of the first rule whose condition holds, "" for none."""
    scene = scene_of(exchange)
    for rule in rules:
        if holds(scene, rule.condition):
            return rule.action
    return ""


# --- changes -----------------------------------------------------------------------------------------------------------------


def _checked(value: bytes) -> bytes:
    """A value that a field may hold: a line end or another control in it would forge lines."""
    for octet in value:
        if not CLASS[octet] & FIELD:
            raise BadValue
    return value.strip(b" \t")


def _change(scene: Scene, view: View, rule: Rule) -> None:
    """Applies a rule; behind `strict-mode off` what cannot be done is left undone."""
    try:
        _apply(scene, view, rule)
    except BadValue:
        if scene.is_strict:
            raise


def _apply(scene: Scene, view: View, rule: Rule) -> None:
    action = rule.action
    if action in ("set-header", "add-header"):
        value = _checked(text(scene, rule.value))
        if action == "set-header":
            view.remove(rule.name)
        view.add(rule.name, value)
    elif action == "del-header":
        _delete(view, rule)
    elif action in ("replace-header", "replace-value"):
        _replace(scene, view, rule)
    elif action in ("set-var", "set-var-fmt", "unset-var"):
        if rule.sample is not None:
            value_set = value_of(scene, rule.sample)
            if value_set is not None:
                scene.set_variable(rule.name, value_set)
        else:
            scene.set_variable(rule.name, raw_text(scene, rule.value) if action == "set-var-fmt" else None)
    elif action == "set-status":
        scene.status = rule.status
        scene.reason = rule.octets or reason_of(rule.status)
    elif action == "set-log-level":
        scene.is_silent = rule.name == "silent"
        scene.severity = -1 if scene.is_silent else LEVELS.index(rule.name)
    elif action == "strict-mode":
        scene.is_strict = rule.name == "on"
    elif action in ("set-src", "set-dst", "set-src-port", "set-dst-port"):
        _set_address(scene, rule)
    elif action == "capture":
        assert rule.sample is not None
        captured = value_of(scene, rule.sample)
        if captured is not None:
            capture(scene, rule.name == "request", rule.status, text_of(captured))
    elif action == "set-method":
        scene.method = text(scene, rule.value)
        scene.is_target_changed = True
    elif rule.action in ("set-path", "set-pathq", "set-query", "set-uri", "replace-path", "replace-pathq", "replace-uri"):
        _set_target(scene, rule)


def _delete(view: View, rule: Rule) -> None:
    if not rule.flags or rule.flags[0] == "str":
        view.remove(rule.name)
        return
    how, wanted = rule.flags[0], rule.name.lower()
    for name in dict.fromkeys(view.names()):
        own = name.lower()
        is_meant = (
            (own.startswith(wanted) if how == "beg" else own.endswith(wanted) if how == "end" else wanted in own)
            if how != "reg"
            else search(compiled(rule.name.encode(), True), own.encode("latin-1")) is not None
        )
        if is_meant and own != "host":
            view.remove(name)


def _replace(scene: Scene, view: View, rule: Rule) -> None:
    if rule.name.lower() in PROTECTED:
        return
    pattern = compiled(rule.pattern.encode("utf-8", "surrogateescape"), False)
    replacement = text(scene, rule.value)
    values = view.values(rule.name)
    changed: list[bytes] = []
    for value in values:
        if rule.action == "replace-header":
            changed.append(_replaced(pattern, replacement, value))
        else:
            changed.append(b",".join([_element_replaced(pattern, replacement, part) for part in split_elements(value, False)]))
    if changed != values:
        view.replace_all(rule.name, [_checked(value) for value in changed])


def _element_replaced(pattern: "regex.Pattern[bytes]", replacement: bytes, element: bytes) -> bytes:
    """An element that fits is replaced with the blanks around it; another stays as it is."""
    bare = element.strip(b" \t")
    return element if search(pattern, bare) is None else _replaced(pattern, replacement, bare)


def _replaced(pattern: "regex.Pattern[bytes]", replacement: bytes, value: bytes) -> bytes:
    found = search(pattern, value)
    return value if found is None else expand(found, replacement)


def _set_address(scene: Scene, rule: Rule) -> None:
    assert rule.sample is not None
    value = value_of(scene, rule.sample)
    client = scene.exchange.client
    if rule.action.endswith("-port"):
        port = None if value is None else integer_of(value)
        if port is not None and 0 <= port <= 65535:
            if rule.action == "set-src-port":
                scene.client_port = client.client_port = port
            else:
                scene.local_port = client.local_port = port
        return
    if isinstance(value, bytes):
        value = address_of(value)
    if isinstance(value, (IPv4Address, IPv6Address)):
        if rule.action == "set-src":
            scene.client_host = client.client_host = str(value)
        else:
            scene.local_host = client.local_host = str(value)


def _set_target(scene: Scene, rule: Rule) -> None:
    action = rule.action
    own = path_of(scene.target)
    before = scene.target[: len(scene.target) - len(own)] if scene.target.endswith(own) else b""
    path, mark, query = own.partition(b"?")
    made = text(scene, rule.value)
    if action == "set-path":
        after = before + made + mark + query
    elif action == "set-pathq":
        after = before + made
    elif action == "set-query":
        after = before + path + (b"?" + made if made else b"")
    elif action == "set-uri":
        after = made
    else:
        pattern = compiled(rule.pattern.encode("utf-8", "surrogateescape"), False)
        if action == "replace-path":
            after = before + _replaced(pattern, made, path) + mark + query
        elif action == "replace-pathq":
            after = before + _replaced(pattern, made, own)
        else:
            after = _replaced(pattern, made, scene.target)
    scene.target = after
    scene.is_target_changed = True


# --- answers -----------------------------------------------------------------------------------------------------------------


def _answer(exchange: "Exchange", scene: Scene, rule: Rule, is_backend: bool, now: float) -> bool:
    """Answers in the server's place; False where `redirect .. ignore-empty` has nowhere to lead."""
    action = rule.action
    is_response = scene.response is not None
    counted = [exchange.route.frontend.counters]
    if exchange.backend is not None:
        counted.append(exchange.backend.counters)
    if is_response and exchange.target is not None:
        counted.append(exchange.target.counters)
    if action == "deny" or action == "tarpit" or action == "reject":
        exchange.was_denied = True
        for counters in counted if is_response else counted[-1:] if is_backend else counted[:1]:
            if is_response:
                counters.responses_denied += 1
            else:
                counters.requests_denied += 1
        listening = exchange.client.listening
        if listening is not None and is_response:
            listening.counters.responses_denied += 1
        elif listening is not None and not is_backend:
            listening.counters.requests_denied += 1
    if action == "redirect":
        page = _redirect(scene, rule)
        if page is None:
            return False
        if exchange.upload.kind != NO_BODY and not is_response:
            _close_behind(page)
        exchange.reply = page
        exchange.finish(phases.LOCAL, now)
    elif action == "reject":
        exchange.is_cut = True
        exchange.finish(phases.PROXY, now)
    elif action == "return":
        exchange.reply = _page(exchange, scene, rule)
        exchange.finish(phases.LOCAL, now)
    else:
        exchange.reply = _page(exchange, scene, rule)
        limit = exchange.route.tarpit_s
        if action == "tarpit" and limit:
            exchange.enter(phases.TARPIT)
            exchange.services.wheel.set(exchange.client, now + limit)
        else:
            if action == "tarpit":
                exchange.enter(phases.TARPIT)
            exchange.finish(phases.PROXY, now)
    return True


def _page(exchange: "Exchange", scene: Scene, rule: Rule) -> ErrorPage:
    status = rule.status
    scene.reply_status = status
    page = exchange.route.pages.get(status)
    if not rule.fields and rule.flags != ("body",):
        if (page is not None and rule.action != "return") or (page is not None and rule.flags == ("errorfiles",)):
            return page
        return local_page(status, [], b"")
    fields = [(name, _checked(text(scene, value))) for name, value in rule.fields]
    if rule.flags != ("body",) and page is not None and rule.action != "return":
        return local_page(status, [(b"cache-control", b"no-cache"), (b"content-type", b"text/html"), *fields], page.body)
    body = text(scene, rule.value)
    return local_page(status, [*fields, *([(b"content-type", rule.octets)] if rule.octets else [])], body)


def local_page(status: int, fields: list[tuple[bytes, bytes]], body: bytes, reason: bytes = b"") -> ErrorPage:
    """An answer of ours as a page: it keeps a connection that may be kept."""
    reason = reason or reason_of(status)
    lines = b"".join([b"%s: %s\r\n" % field for field in fields])
    raw = b"HTTP/1.1 %d %s\r\ncontent-length: %d\r\n%s\r\n%s" % (status, reason, len(body), lines, body)
    page = page_from_file(status, raw)
    head = raw[: len(raw) - len(body)]
    page.closes = head[:-2] + b"connection: close\r\n\r\n"
    page.keeps = head
    page.body = body
    return page


def _close_behind(page: ErrorPage) -> None:
    """HAProxy reads no body of a request that it redirects: it closes, and counts that it says so."""
    page.always_closes = True
    page.logged_octets += len(b"connection" + b"close")


def _redirect(scene: Scene, rule: Rule) -> ErrorPage | None:
    made = text(scene, rule.value)
    path = path_of(scene.target)
    if "drop-query" in rule.flags:
        path = path.partition(b"?")[0]
    if rule.name == "location":
        location = made
    elif rule.name == "scheme":
        hosts = scene.request().values("host")
        location = made + b"://" + (hosts[-1] if hosts else b"") + path
    else:
        if "drop-query" in rule.flags and "append-slash" in rule.flags and not path.endswith(b"/"):
            path += b"/"
        location = (b"" if made == b"/" else made) + path
    if "ignore-empty" in rule.flags and not location:
        return None
    fields = [(b"location", _checked(location))]
    if rule.octets:
        fields.append((b"set-cookie", rule.octets))
    if rule.status in (302, 303, 307):
        fields.append((b"cache-control", b"no-cache"))
    return local_page(rule.status, fields, b"", FOUND if rule.status == 302 else b"")


def after_page(exchange: "Exchange", page: ErrorPage, sides: list[tuple[Rule, ...]]) -> ErrorPage:
    """A page of ours with what rules on all answers change; BadValue where they make what no message may hold."""
    head = ResponseHead(page.keeps, 0, len(page.keeps), exchange.services.limits.field_count_max + 100, b"", False)
    if head.error:
        return page  # an errorfile that is no message of HTTP/1 is sent as it is
    scene = scene_of(exchange)
    scene.set_answer(head)
    view = scene.answer()
    for rules in sides:
        for rule in rules:
            if holds(scene, rule.condition):
                if rule.action == "allow":
                    break
                _change(scene, view, rule)
    if not scene.is_answer_changed():
        return page
    names = {"content-length", "connection"}
    fields = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in view.fields.items() if name.lower() not in names
    ]
    status = scene.status
    if page.body and status in NO_BODY_STATUSES:
        status = page.status  # its body would be taken for the next answer
    made = local_page(status, fields, page.body, scene.reason if scene.reason and status == scene.status else head.reason)
    made.always_closes = page.always_closes
    return made


def _fail(exchange: "Exchange", now: float) -> None:
    """What rules made is no message: 500, and nothing of it is sent."""
    exchange.reply = exchange.route.pages.get(500)
    exchange.finish(phases.INTERNAL, now)
