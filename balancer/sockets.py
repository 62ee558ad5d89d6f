"""Listening sockets: bound before the process leaves its root, and never on a port that somebody else serves.

Two HAProxy processes share a port without a word, because both set SO_REUSEPORT. Here every address is bound without it
first, which the kernel refuses as soon as anyone listens there, whatever that one has set; only then is SO_REUSEPORT set,
so that a successor that names this process (`-sf`, `-st`) can bind beside it. All addresses are bound before the first
one listens: two binds of one configuration may overlap (`:8080` and `127.0.0.1:8080`), as with HAProxy.

A stats socket appears under its name only when it already has its owner, its mode and a listening process.
"""

import os
import re
import socket
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from balancer import model
from balancer.proxy.kernel import BACKLOG_MAX, backlog_of, fits, prepare, settle_acknowledgement

STATS_BACKLOG: Final = 128
STATS_MODE_DEFAULT: Final = 0o600

# Descriptors up to here are somebody else's business, even when one of them is a socket.
STANDARD_ERROR: Final = 2
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


def bind_listeners(
    frontends: Iterable[model.Frontend],
    maxconn: int,
    is_successor: bool,
    taken: Iterable[socket.socket] = (),
    complain: Callable[[str], None] = lambda text: None,
) -> list[Listener]:
    """Binds every address of every enabled frontend, or has what was `taken` over and fits; `listen` follows.

    A successor may share a port with those it takes over from. What was taken and has no use here is closed. `complain` is
    told what the kernel does not grant. Raises BindError with one text per address that was refused; no socket stays open then.
    """
    estate = _by_address(taken)
    listeners: list[Listener] = []
    new: set[socket.socket] = set()
    errors: list[str] = []
    for frontend in frontends:
        if frontend.disabled:
            continue
        for bind in frontend.binds:
            try:
                own = _inherit(estate, bind)
                if own is None:
                    own = _open(bind, is_successor)
                    if bind.descriptor == -1:
                        new.add(own)
                listeners.append(Listener(frontend, bind, own))
            except OSError as error:
                errors.append(_bind_text(frontend, bind, "bind", error))
    for unused in estate.values():
        for each in unused:
            each.close()
    for listener in [] if errors else listeners:
        try:
            _prepare(listener, maxconn, listener.socket in new, complain)
        except OSError as error:
            errors.append(_bind_text(listener.frontend, listener.bind, "prepare", error))
    if errors:
        _close(listeners)
        raise BindError(errors)
    _let_go(listener.bind.descriptor for listener in listeners)
    return listeners


def listen(listeners: Iterable[Listener], maxconn: int) -> None:
    """Connections come in from now on: they wait until they are accepted. Raises BindError as `bind_listeners` does.

    A successor calls it as late as may be: the kernel gives it its share of the connections at once.
    """
    errors: list[str] = []
    for listener in listeners:
        try:
            listener.socket.listen(_backlog(listener, maxconn))
            settle_acknowledgement(listener.socket, listener.frontend)
        except OSError as error:
            errors.append(_bind_text(listener.frontend, listener.bind, "listen to", error))
    if errors:
        _close(listeners)
        raise BindError(errors)


def _close(listeners: Iterable[Listener]) -> None:
    for listener in listeners:
        listener.socket.close()


def _backlog(listener: Listener, maxconn: int) -> int:
    return backlog_of(listener.bind, listener.frontend, listener.frontend.maxconn or maxconn)


def _prepare(listener: Listener, maxconn: int, is_new: bool, complain: Callable[[str], None]) -> None:
    bind, frontend = listener.bind, listener.frontend
    for text in prepare(listener.socket, bind.options, frontend, _backlog(listener, maxconn), is_new):
        complain(f"Starting [{bind.origin}] for {_kind(frontend)} {frontend.name}: {text} for [{bind.address()}]")


def _let_go(descriptors: Iterable[int]) -> None:
    """Closes inherited descriptors that have a twin here: while one is open, its port takes connections that nobody accepts."""
    for descriptor in {each for each in descriptors if each > STANDARD_ERROR}:
        os.close(descriptor)


def open_stats_socket(config: model.StatsSocket, is_successor: bool = False) -> socket.socket:
    """Listens where a `stats socket` says: at a path, at an address of IP, or on what was inherited. Raises BindError."""
    if config.path:
        return _open_stats_path(config)
    try:
        if config.descriptor != -1:
            inherited = socket.socket(fileno=os.dup(config.descriptor))
            _let_go([config.descriptor])
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


def _by_address(taken: Iterable[socket.socket]) -> dict[tuple[str, int], list[socket.socket]]:
    found: dict[tuple[str, int], list[socket.socket]] = {}
    for each in taken:
        each.setblocking(False)
        found.setdefault(_address(each), []).append(each)
    return found


def _inherit(estate: dict[tuple[str, int], list[socket.socket]], bind: model.Bind) -> socket.socket | None:
    """Takes the socket that the line means out of what came over, None where there is none. Raises OSError."""
    for each in estate.get(_wanted(bind), ()):
        if fits(each, bind):
            if _is_file(bind) and not _settle_file(bind):
                return None
            estate[_wanted(bind)].remove(each)
            return each
    return None


def _is_file(bind: model.Bind) -> bool:
    return bind.path.startswith("/")


def _settle_file(bind: model.Bind) -> bool:
    """Gives the file of a UNIX socket that was taken over the rights that the line names; False where the file is gone."""
    options = bind.options
    try:
        if not stat.S_ISSOCK(os.lstat(bind.path).st_mode):
            return False
    except FileNotFoundError:
        return False
    if options.uid != -1 or options.gid != -1:
        os.chown(bind.path, options.uid, options.gid)
    if options.mode is not None:
        os.chmod(bind.path, options.mode)
    return True


def _address(taken: socket.socket) -> tuple[str, int]:
    """Host and port of a TCP socket; the path, or the abstract name, of a UNIX socket."""
    name = taken.getsockname()
    if taken.family in (socket.AF_INET, socket.AF_INET6):
        return name[0], name[1]
    # It was bound under a name of its own and then renamed, here as in HAProxy.
    return (os.fsdecode(name), -1) if isinstance(name, bytes) else (TEMPORARY.sub("", name), -1)


def _wanted(bind: model.Bind) -> tuple[str, int]:
    """What `_address` says of a socket that fits."""
    return (bind.path, -1) if bind.path else (bind.host or ("::" if bind.is_ipv6 else "0.0.0.0"), bind.port)


def _bind_text(frontend: model.Frontend, bind: model.Bind, verb: str, error: OSError) -> str:
    text = f"cannot {verb} socket ({error.strerror or error})"
    return f"Binding [{bind.origin}] for {_kind(frontend)} {frontend.name}: {text} for [{bind.address()}]"


def _kind(frontend: model.Frontend) -> str:
    return "proxy" if frontend.is_listen else "frontend"


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
