"""Listening sockets: bound before the process leaves its root, and never on a port that somebody else serves.

Two HAProxy processes share a port without a word, because both set SO_REUSEPORT. Here every address is bound without it
first, which the kernel refuses as soon as anyone listens there, whatever that one has set; only then is SO_REUSEPORT set,
so that a successor that names this process (`-sf`, `-st`) can bind beside it. All addresses are bound before the first
one listens: two binds of one configuration may overlap (`:8080` and `127.0.0.1:8080`), as with HAProxy.

A stats socket appears under its name only when it already has its owner, its mode and a listening process.
"""

import os
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from balancer import model

# The kernel's own bound is net.core.somaxconn; more is cut by it.
BACKLOG_MAX: Final = 65535

STATS_BACKLOG: Final = 128
STATS_MODE_DEFAULT: Final = 0o600

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
    """Binds every address of every enabled frontend and listens on it; what was `taken` over is used as it is.

    A successor may share a port with those it takes over from. What was taken and has no use here is closed. Raises BindError
    with one text per address that was refused; no socket stays open then.
    """
    inherited = {_address(each): each for each in taken}
    listeners: list[Listener] = []
    errors: list[str] = []
    for frontend in frontends:
        if frontend.disabled:
            continue
        for bind in frontend.binds:
            try:
                own = inherited.pop((bind.host or ("::" if bind.is_ipv6 else "0.0.0.0"), bind.port), None)
                listeners.append(Listener(frontend, bind, own or _bind(bind, is_successor)))
            except OSError as error:
                errors.append(_bind_text(frontend, bind, "bind", error))
    for unused in inherited.values():
        unused.close()
    for listener in [] if errors else listeners:
        backlog = min(listener.bind.maxconn or listener.frontend.maxconn or maxconn, BACKLOG_MAX)
        try:
            listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.socket.listen(backlog)
        except OSError as error:
            errors.append(_bind_text(listener.frontend, listener.bind, "listen to", error))
    if errors:
        for listener in listeners:
            listener.socket.close()
        raise BindError(errors)
    return listeners


def open_stats_socket(config: model.StatsSocket, is_successor: bool = False) -> socket.socket:
    """Listens where a `stats socket` says: at a path, at an address of IP, or on what was inherited. Raises BindError."""
    if config.path:
        return _open_stats_path(config)
    try:
        if config.descriptor != -1:
            return socket.socket(fileno=os.dup(config.descriptor))
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
    suffix = f".{os.getpid()}.tmp"
    temporary = config.path + suffix
    if len(os.fsencode(temporary)) > PATH_SIZE_MAX:
        raise BindError([_stats_text(config, f"the path is longer than {PATH_SIZE_MAX - len(suffix)} octets")])
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _refuse_other_file(config.path)
        _remove(temporary)
        mask = os.umask(0o777)
        try:
            listening.bind(temporary)
        finally:
            os.umask(mask)
        if config.uid != -1 or config.gid != -1:
            os.chown(temporary, config.uid, config.gid)
        os.chmod(temporary, STATS_MODE_DEFAULT if config.mode is None else config.mode)
        listening.listen(config.backlog or STATS_BACKLOG)
        os.rename(temporary, config.path)
    except OSError as error:
        listening.close()
        _remove(temporary)
        raise BindError([_stats_text(config, error.strerror or str(error))]) from error
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


def _bind(bind: model.Bind, is_successor: bool) -> socket.socket:
    family = socket.AF_INET6 if bind.is_ipv6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        # Connections of a predecessor in TIME_WAIT do not hinder; a listener does (socket(7)).
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_successor:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((bind.host, bind.port))
    except OSError:
        bound.close()
        raise
    return bound


def _address(taken: socket.socket) -> tuple[str, int]:
    """Host and port of a TCP socket; a socket of another family has none and fits no `bind`."""
    taken.setblocking(False)
    name = taken.getsockname()
    return (name[0], name[1]) if taken.family in (socket.AF_INET, socket.AF_INET6) else (str(name), -1)


def _bind_text(frontend: model.Frontend, bind: model.Bind, verb: str, error: OSError) -> str:
    host = bind.host or ("::" if bind.is_ipv6 else "0.0.0.0")
    kind = "proxy" if frontend.is_listen else "frontend"
    reason = error.strerror or str(error)
    return f"Binding [{bind.origin}] for {kind} {frontend.name}: cannot {verb} socket ({reason}) for [{host}:{bind.port}]"


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
