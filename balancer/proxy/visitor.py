"""A request as a balance algorithm may come to know it: by the client's address, its head, and the form in its body.

What of the body has come before there is a server is held here. A form may hold the key of `balance url_param`; so a POST
without the key in its target waits for its body, as far as it is held at all.
"""

from typing import Final

from balancer.backend.backend import Backend, Request
from balancer.backend.balance import Algorithm
from balancer.backend.cookiedates import Dates
from balancer.backend.persistence import DOWN, NO_LETTER, VALID
from balancer.http.errors import ErrorPage
from balancer.http.framing import CHUNKED, LENGTH, NO_BODY, Body
from balancer.http.head import RequestHead
from balancer.proxy.channels import ClientChannel, ServerChannel
from balancer.proxy.scene import Scene

POST: Final = b"POST"


class Visitor(Request):
    """The client's side of an exchange, its head and the beginning of its body."""

    def __init__(self, client: ClientChannel, head: RequestHead) -> None:
        super().__init__()
        self.client = client
        self.head = head
        kind = CHUNKED if head.is_chunked else LENGTH if head.content_length > 0 else NO_BODY
        self.upload = Body(kind, head.content_length, head.is_chunked)
        self.held: list[bytes] = []  # what has not been sent, or must be kept in case it has to be sent again
        self.held_octets: int = 0
        self.is_held_whole: bool = True
        # Of rules, where there are any.
        self.scene: Scene | None = None
        self.reply: ErrorPage | None = None  # what a rule answers
        self.received_head: RequestHead | None = None  # before a rule has changed it
        self.was_denied: bool = False  # `deny`, `tarpit`
        self.is_told: bool = False  # its log line is written already
        self.unique_id: bytes = b""
        self.is_cut: bool = False  # `reject`
        self.cookie_letter: int = NO_LETTER
        self.cookie_dates: Dates | None = None
        self.is_redispatched: bool = False
        self.counted_in: int = 0  # octets that the statistics have already (`option contstats`)
        self.counted_out: int = 0

    def request_line(self) -> bytes:
        """The line as received, for the log."""
        return (self.received_head or self.head).request_line()

    def asks_head(self) -> bool:
        """Whether the client itself waits for a head alone, whatever method a rule has given the request since."""
        return (self.received_head or self.head).method == b"HEAD"

    def source_octets(self) -> bytes:
        """For `balance source`."""
        return self.client.source_octets()

    def target_octets(self) -> bytes:
        """For `balance uri` and `url_param`."""
        return self.head.target_sent()

    def field_octets(self, name: bytes) -> bytes:
        """For `balance hdr()`."""
        return self.head.field_element(name)

    def form_octets(self) -> bytes | None:
        """For `balance url_param`: chunks are taken out of their framing."""
        if self.head.method != POST:
            return None
        held = b"".join(self.held)
        if self.upload.kind != CHUNKED:
            return held
        body = Body(CHUNKED, 0, False)
        body.feed(held, 0)
        return b"".join(body.out)

    def read_cookie(self, backend: Backend, wall_s: float) -> None:
        """Finds out which server the cookie binds it to."""
        persistence = backend.persistence
        if persistence is None:
            return
        verdict = persistence.judge(self.head.cookies, wall_s, self.is_forced)
        self.bound_to = verdict.server
        if persistence.is_logged:
            self.cookie_letter = verdict.letter
        if verdict.dates is not None:
            self.cookie_dates = verdict.dates
        if persistence.is_prefix and self.head.cookies:
            self.head.hide_prefix(persistence.name)

    def remember_server(self, own: ServerChannel, backend: Backend) -> None:
        """Its client has a server connection of its own: it may have to go on with that server."""
        if own.carries_identity or backend.config.prefers_last_server:
            self.last_server = own.server
            self.must_keep_server = own.carries_identity

    def turned_away(self) -> None:
        """The server of its cookie is full, and so is its queue: the others are asked."""
        self.bound_to = None
        self.is_redispatched = True
        if self.cookie_letter == VALID:
            self.cookie_letter = DOWN

    def needs_form(self, algorithm: Algorithm, held_octets_max: int) -> bool:
        """Whether the choice of a server should wait for the form."""
        may_come = self.head.method == POST and self.has_more_body(held_octets_max)
        return self.bound_to is None and may_come and algorithm.wants_form(self)

    def has_more_body(self, held_octets_max: int) -> bool:
        """Whether more of the body may still come to be held."""
        return not self.upload.is_done and self.held_octets <= held_octets_max

    def hold(self, pieces: list[bytes], octets_max: int) -> None:
        """Keeps octets of the body; with more than `octets_max` (0: no limit) all of it is forgotten, for good."""
        for piece in pieces:
            self.held_octets += len(piece)
        if octets_max and self.held_octets > octets_max:
            self.release_held()
        else:
            self.held.extend(pieces)

    def release_held(self) -> None:
        """Forgets the body: it has gone out, and cannot be sent again."""
        self.is_held_whole = False
        self.held = []
        self.held_octets = 0
