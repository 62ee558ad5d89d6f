"""Listening sockets: bound before the process leaves its root, and never on a port that somebody else serves.

Two HAProxy processes share a port without a word, because both set SO_REUSEPORT. Here every address is bound without it
first, which the kernel refuses as soon as anyone listens there, whatever that one has set; only then is SO_REUSEPORT set,
so that a successor that names this process (`-sf`, `-st`) can bind beside it. All addresses are bound before the first
one listens: two binds of one configuration may overlap (`:8080` and `127.0.0.1:8080`), as with HAProxy.

A stats socket appears under its name only when it already has its owner, its mode and a listening process.
"""

import contextlib
import os
import re
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from balancer import model
from balancer.backend.outgoing import LINGER, NO_LINGER, bound_buffers, keep_alive, keep_alive_no_more, unbound_buffers

# The kernel's own bound is net.core.somaxconn; more is cut by it.
BACKLOG_MAX: Final = 65535

STATS_BACKLOG: Final = 128
STATS_MODE_DEFAULT: Final = 0o600

# Connections that may have sent octets before their handshake is done (`tfo`).
FAST_OPEN_QUEUE: Final = 256
# Descriptors up to here are somebody else's business, even when one of them is a socket.
STANDARD_ERROR: Final = 2
# An interface's name with its closing zero (IFNAMSIZ).
INTERFACE_OCTETS: Final = 16
# What a UNIX socket's own name ends with until it is renamed.
TEMPORARY: Final = re.compile(r"\.\d+\.tmp$")
# sun_path of a UNIX socket address, without its closing zero (unix(7)).
PATH_SIZE_MAX: Final = 107


@dataclass(frozen=True)
class Listener:
    """One bound address of one frontend."""

    frontend: model.Frontend
    bind: model.Bind
    socket: socket.socket


class BindError(Exception):
    """Addresses that could not be bound: a text for each."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__("; ".join(texts))
        self.texts = texts


def open_listeners(
    frontends: Iterable[model.Frontend], maxconn: int, is_successor: bool, taken: Iterable[socket.socket] = ()
) -> list[Listener]:
    """Binds every address of every enabled frontend and listens on it, or on what was `taken` over for it.

    A successor may share a port with those it takes over from. What was taken and has no use here is closed. Raises BindError
    with one text per address that was refused; no socket stays open then.
    """
    left = list(taken)
    listeners: list[Listener] = []
    errors: list[str] = []
    for frontend in frontends:
        if frontend.disabled:
            continue
        for bind in frontend.binds:
            try:
                own = next((each for each in left if _fits(each, bind)), None)
                if own is not None:
                    left.remove(own)
                    own.setblocking(False)
                listeners.append(Listener(frontend, bind, own or _open(bind, is_successor)))
            except OSError as error:
                errors.append(_bind_text(frontend, bind, "bind", error))
    for unused in left:
        unused.close()
    for listener in [] if errors else listeners:
        try:
            _prepare(listener)
            listener.socket.listen(backlog_of(listener.bind, listener.frontend, maxconn))
        except OSError as error:
            errors.append(_bind_text(listener.frontend, listener.bind, "listen to", error))
    if errors:
        for listener in listeners:
            listener.socket.close()
        raise BindError(errors)
    let_go(listener.bind.descriptor for listener in listeners)
    return listeners


def let_go(descriptors: Iterable[int]) -> None:
    """Closes inherited descriptors that have a twin here: while one is open, its port takes connections that nobody accepts."""
    for descriptor in {each for each in descriptors if each > STANDARD_ERROR}:
        os.close(descriptor)


def backlog_of(bind: model.Bind, frontend: model.Frontend, maxconn: int) -> int:
    """How many connections may wait unaccepted: the bind's word, the section's, else as many as may come in at once."""
    wanted = bind.options.backlog or frontend.backlog or bind.maxconn or frontend.maxconn or maxconn
    return max(1, min(wanted, BACKLOG_MAX))


def _prepare(listener: Listener) -> None:
    """What the kernel is asked for beside the address; accepted connections inherit it from the listening socket (Linux).

    All of it is said, also what is not wanted: a socket that was taken over or inherited keeps what another file asked for.
    """
    bound, options, frontend = listener.socket, listener.bind.options, listener.frontend
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER if frontend.resets_at_close else LINGER)
    unbound_buffers(bound)
    if frontend.buffers is not None:
        bound_buffers(bound, frontend.buffers)
    if bound.family == socket.AF_UNIX:
        return
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    for option, value in (
        (socket.TCP_DEFER_ACCEPT, int(options.defers_accept)),
        (socket.TCP_FASTOPEN, FAST_OPEN_QUEUE if options.fast_open else 0),
        (socket.TCP_USER_TIMEOUT, options.user_timeout_ms),
        (socket.TCP_MAXSEG, options.segment_octets),
        (socket.TCP_QUICKACK, 0 if frontend.delays_acknowledgement else 1),
    ):
        # A kernel that does not know how to take one back has nothing to take back on a socket of ours.
        with contextlib.suppress(OSError) if not value else contextlib.nullcontext():
            bound.setsockopt(socket.IPPROTO_TCP, option, value)
    keep_alive_no_more(bound)
    if frontend.keep_alive is not None:
        keep_alive(bound, frontend.keep_alive)


def open_stats_socket(config: model.StatsSocket, is_successor: bool = False) -> socket.socket:
    """Listens where a `stats socket` says: at a path, at an address of IP, or on what was inherited. Raises BindError."""
    if config.path:
        return _open_stats_path(config)
    try:
        if config.descriptor != -1:
            inherited = socket.socket(fileno=os.dup(config.descriptor))
            let_go([config.descriptor])
            return inherited
        bound = _bind(model.Bind(config.host, config.port, config.is_ipv6, 0, "", config.origin), is_successor)
    except OSError as error:
        raise BindError([_stats_text(config, error.strerror or str(error))]) from error
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.listen(config.backlog or STATS_BACKLOG)
    return bound


def _open_stats_path(config: model.StatsSocket) -> socket.socket:
    """Listens on the path of a `stats socket`; a socket file that is there is replaced in one step.

    The socket is made under a name of its own with no right for anyone, gets owner and mode, listens, and is renamed to
    its path: at no moment can more connect than the file allows, and no connection is refused between two processes.
    Raises BindError; a file at the path that is no socket is left alone and refused.
    """
    mode = STATS_MODE_DEFAULT if config.mode is None else config.mode
    try:
        return _open_path(config.path, mode, config.uid, config.gid, config.backlog or STATS_BACKLOG)
    except OSError as error:
        raise BindError([_stats_text(config, error.strerror or str(error))]) from error


def _open_path(path: str, mode: int | None, uid: int, gid: int, backlog: int) -> socket.socket:
    """A UNIX socket that listens under that name; `mode` None: what the umask leaves. Raises OSError."""
    suffix = f".{os.getpid()}.tmp"
    temporary = path + suffix
    if len(os.fsencode(temporary)) > PATH_SIZE_MAX:
        raise OSError(0, f"the path is longer than {PATH_SIZE_MAX - len(suffix)} octets")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _refuse_other_file(path)
        _remove(temporary)
        mask = os.umask(0o777)
        try:
            listening.bind(temporary)
        finally:
            os.umask(mask)
        if uid != -1 or gid != -1:
            os.chown(temporary, uid, gid)
        os.chmod(temporary, 0o777 & ~mask if mode is None else mode)
        listening.listen(backlog)
        os.rename(temporary, path)
    except OSError:
        listening.close()
        _remove(temporary)
        raise
    return listening


def is_served(path: str) -> bool:
    """Whether a process accepts connections on that UNIX socket now."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return True  # its backlog is full
        except OSError:
            return False
        return True


def _open(bind: model.Bind, is_successor: bool) -> socket.socket:
    """A socket with that address, of whichever family. Raises OSError."""
    options = bind.options
    if bind.descriptor != -1:
        taken = socket.socket(fileno=os.dup(bind.descriptor))
    elif bind.path.startswith("\0"):
        taken = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            taken.bind(os.fsencode(bind.path))
        except OSError:
            taken.close()
            raise
    elif bind.path:
        taken = _open_path(bind.path, options.mode, options.uid, options.gid, BACKLOG_MAX)
    else:
        return _bind(bind, is_successor)
    taken.setblocking(False)
    return taken


def _bind(bind: model.Bind, is_successor: bool) -> socket.socket:
    family = socket.AF_INET6 if bind.is_ipv6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        # Connections of a predecessor in TIME_WAIT do not hinder; a listener does (socket(7)).
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_successor:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        options = bind.options
        if bind.is_ipv6 and options.v6only is not None:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(options.v6only))
        if options.interface:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(options.interface) + b"\0")
        bound.bind((bind.host, bind.port))
    except OSError:
        bound.close()
        raise
    return bound


def _fits(taken: socket.socket, bind: model.Bind) -> bool:
    """Whether a socket of another process listens where this bind wants to, and for the same clients."""
    name = taken.getsockname()
    if taken.family not in (socket.AF_INET, socket.AF_INET6):
        # A path was bound under a name of its own and then renamed, here as in HAProxy.
        return bind.path != "" and bind.path == (os.fsdecode(name) if isinstance(name, bytes) else TEMPORARY.sub("", name))
    if bind.path or bind.descriptor != -1:
        return False
    if (name[0], name[1]) != (bind.host or ("::" if bind.is_ipv6 else "0.0.0.0"), bind.port):
        return False
    device = taken.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, INTERFACE_OCTETS).rstrip(b"\0")
    return device == os.fsencode(bind.options.interface) and (not bind.is_ipv6 or _is_v6only(taken) == _wants_v6only(bind))


def _is_v6only(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))


def _wants_v6only(bind: model.Bind) -> bool:
    """What the bind says, else what the system does (net.ipv6.bindv6only)."""
    if bind.options.v6only is not None:
        return bind.options.v6only
    with socket.socket(socket.AF_INET6) as plain:
        return _is_v6only(plain)


def _bind_text(frontend: model.Frontend, bind: model.Bind, verb: str, error: OSError) -> str:
    kind = "proxy" if frontend.is_listen else "frontend"
    reason = error.strerror or str(error)
    return f"Binding [{bind.origin}] for {kind} {frontend.name}: cannot {verb} socket ({reason}) for [{bind.address()}]"


def _stats_text(config: model.StatsSocket, reason: str) -> str:
    kind = "UNIX " if config.path else ""
    address = config.path or config.address()
    return f"Binding [{config.origin}] for frontend GLOBAL: cannot bind {kind}socket ({reason}) [{address}]"


def _refuse_other_file(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(0, "another file, which is no socket, has that name")


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
