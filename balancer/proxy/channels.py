"""What an exchange sees of the world: a client's side, a server's side, and the worker's services.

An exchange never touches a transport. So TLS or HTTP/2 can stand beside HTTP/1.1 on the client's side, and the exchange can
be driven in a test without a socket.
"""

from errno import EBADF
from socket import AF_INET, AF_INET6, inet_pton

from mypy_extensions import mypyc_attr

from balancer.backend.backend import Request
from balancer.backend.frontend import Listening
from balancer.backend.pool import Connection
from balancer.backend.server import Server
from balancer.proxy.deadlines import Timed
from balancer.proxy.route import Route
from balancer.rulebook import Value


class Limits:
    """Sizes that bound what one connection may hold, in octets and lines (tune.bufsize, maxrewrite, http.maxhdr)."""

    def __init__(self, bufsize: int, maxrewrite: int, maxhdr: int) -> None:
        self.head_octets_max: int = bufsize - maxrewrite
        self.field_count_max: int = maxhdr - 1
        self.held_octets_max: int = bufsize


@mypyc_attr(allow_interpreted_subclasses=True)
class ClientChannel(Timed):
    """The client's side of an exchange."""

    def __init__(self, route: Route) -> None:
        super().__init__()
        self.route = route
        self.listening: Listening | None = None  # where it came in, if that counts for itself
        self.client_host: str = ""
        self.client_port: int = 0
        self.idle_since: float = 0.0  # loop.time() of the accept; of the end of the request before, where a log wants it
        self.log_name: bytes = b""  # how its log lines begin, once there was one
        self.local_host: str = ""
        self.local_port: int = 0
        self.is_blocked: bool = False  # its write buffer is full
        self.is_gone: bool = False  # reset or closed: nothing can be sent any more
        self.has_ended: bool = False  # it sends no more (FIN)
        self.request_count: int = 0  # requests begun on it
        # A server connection that carries this client's identity (NTLM, Negotiate), between two of its requests.
        self.private: ServerChannel | None = None
        self.variables: dict[str, Value] | None = None  # `sess.`, once a rule sets one

    def source_octets(self) -> bytes:
        """The client's address: 4 octets, or 16 of IPv6; b"" where it has none."""
        host = self.client_host.partition("%")[0]
        if not host:
            return b""
        return inet_pton(AF_INET6 if ":" in host else AF_INET, host)

    def send_head(self, head: bytes) -> None:
        """Sends a response head or a whole small answer."""
        raise AssertionError("a kind of client connection sends")

    def send_body(self, pieces: list[bytes]) -> None:
        """Sends framed body octets."""
        raise AssertionError("a kind of client connection sends")

    def send_part(self, part: bytes, now: float) -> None:
        """Sends a part of a body that goes on; close behind another one it may wait for its like, a grain at most."""
        self.send_body([part])

    def push(self) -> None:
        """Nothing waits for its like any more."""

    def is_rid_of_all(self) -> bool:
        """Whether all that was written has left; if not, `Exchange.client_resumed` tells when."""
        return not self.is_blocked

    def lend(self) -> int:
        """A dup of the socket's descriptor, for a splice; its owner closes it. Raises OSError where there is none."""
        raise OSError(EBADF, "a kind of client connection has a socket")

    def send_end(self) -> None:
        """Half-closes: a tunnel's server has ended."""
        raise AssertionError("a kind of client connection sends")

    def pause_upload(self) -> None:
        """Reads no more of the request body until `resume_upload`."""
        raise AssertionError("a kind of client connection reads")

    def resume_upload(self) -> None:
        """Reads on."""
        raise AssertionError("a kind of client connection reads")

    def begin_tunnel(self) -> bytes:
        """Everything from now on is `Exchange.tunnel_from_client`'s; returns what has come already."""
        raise AssertionError("a kind of client connection reads")

    def finish(self, keeps: bool) -> None:
        """The exchange is over and its answer complete: on to the next request, or a lingering close."""
        raise AssertionError("a kind of client connection closes")

    def abort(self) -> None:
        """Cuts the connection so that the client can tell a truncated answer from a whole one."""
        raise AssertionError("a kind of client connection closes")


@mypyc_attr(allow_interpreted_subclasses=True)
class ServerChannel(Connection):
    """The server's side of an exchange."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.written_octets: int = 0
        self.is_blocked: bool = False
        self.is_lost: bool = False
        self.is_private: bool = False  # never another client's: `http-reuse never`, or the next
        self.carries_identity: bool = False  # NTLM or Negotiate: its client must meet the same server again

    def begin(self, request: Request) -> None:
        """What comes from now on is the answer to this request."""
        raise AssertionError("a kind of server connection reads")

    def end(self, may_keep: bool, now: float) -> None:
        """The exchange is over: into the pool, or closed."""
        raise AssertionError("a kind of server connection closes")

    def acked_octets(self) -> int:
        """How much of what was ever written the server's kernel has taken; -1 when it cannot be told."""
        raise AssertionError("a kind of server connection asks")

    def source(self) -> tuple[str, int]:
        """Our own address and port; ("", 0) where there are none."""
        return "", 0

    def send(self, pieces: list[bytes]) -> None:
        """Sends request octets."""
        raise AssertionError("a kind of server connection sends")

    def is_rid_of_all(self) -> bool:
        """Whether all that was written has left; if not, `Exchange.server_resumed` tells when."""
        return not self.is_blocked

    def lend(self) -> int:
        """A dup of the socket's descriptor, for a splice; its owner closes it. Raises OSError where there is none."""
        raise OSError(EBADF, "a kind of server connection has a socket")

    def send_end(self) -> None:
        """Half-closes: a tunnel's client has ended."""
        raise AssertionError("a kind of server connection sends")

    def pause_reading(self) -> None:
        """Reads no more of the answer until `resume_reading`."""
        raise AssertionError("a kind of server connection reads")

    def resume_reading(self) -> None:
        """Reads on."""
        raise AssertionError("a kind of server connection reads")

    def abort(self) -> None:
        """Cuts the connection with whatever is still under way on it."""
        raise AssertionError("a kind of server connection closes")


@mypyc_attr(allow_interpreted_subclasses=True)
class Connecting:
    """A connection attempt that can be called off."""

    def cancel(self) -> None:
        """Calls it off; nobody is told."""
        raise AssertionError("the connector knows its task")
