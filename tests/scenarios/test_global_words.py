"""Words of `global` that change what others mean: `unix-bind`, `default-path`; and rates by command. Beside HAProxy."""

import os
import re
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from running import BALANCER, Program, free_port, running, wait_until

SIDES: Final = ("balancer", "haproxy")
PATIENCE_S: Final = 15.0
DEFAULTS: Final = """
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
"""
IS_ROOT: Final = os.geteuid() == 0

Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path, require_peer: Callable[[str], str]) -> Iterator[Start]:
    commands = {"balancer": BALANCER, "haproxy": (require_peer("haproxy"),)}
    with ExitStack() as stack:

        def make(side: str, *paths: str, folder: Path | None = None) -> Program:
            words = (*commands[side], "-db", *(word for path in paths for word in ("-f", path)))
            return stack.enter_context(running(words, tmp_path / "out", folder=folder or tmp_path))

        yield make


def tell(path: Path, text: str) -> str:
    """The answer to one command."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        asking.sendall(text.encode() + b"\n")
        answer = b""
        while part := asking.recv(65536):
            answer += part
        return answer.decode()


def answer_of(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


# --- unix-bind ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("words", "bind", "name", "mode", "owner"),
    [
        ("mode 600", "unix@{folder}/w.sock", "w.sock", 0o600, None),
        ("mode 640", "{folder}/w.sock mode 666", "w.sock", 0o666, None),
        ("mode 600 uid 7 gid 8", "unix@{folder}/w.sock uid 9", "w.sock", 0o600, (9, 8)),
        ("prefix {folder}/", "unix@w.sock", "w.sock", None, None),
        ("prefix {folder}", "/w.sock", "w.sock", None, None),
        ("prefix {folder}/left.", "unix@w.sock mode 604", "left.w.sock", 0o604, None),
        ("mode 600\n    unix-bind prefix {folder}\n    unix-bind mode 666", "/w.sock", "w.sock", 0o666, None),
        ("uid 7 gid 7\n    unix-bind uid 8", "{folder}/w.sock", "w.sock", None, (8, 7)),
        ("prefix {folder}\n    unix-bind prefix /nowhere", "/w.sock", "w.sock", None, None),
    ],
)
def test_unix_sockets_begin_with_what_the_process_says(
    side: str, words: str, bind: str, name: str, mode: int | None, owner: tuple[int, int] | None, start: Start, tmp_path: Path
) -> None:
    if owner is not None and not IS_ROOT:
        pytest.skip("only root gives files away")
    path = tmp_path / "test.cfg"
    text = f"global\n    unix-bind {words}\n{DEFAULTS}listen l\n    bind {bind}\n    server s 127.0.0.1:1\n"
    path.write_text(text.format(folder=tmp_path))
    program = start(side, str(path))
    wait_until(lambda: (tmp_path / name).exists() or program.has_ended(), "the socket", tells=program.text)
    found = (tmp_path / name).stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert mode is None or stat.S_IMODE(found.st_mode) == mode
    assert owner is None or (found.st_uid, found.st_gid) == owner


@pytest.mark.parametrize("side", SIDES)
def test_the_stats_socket_and_abstract_names_do_not_begin_with_it(side: str, start: Start, tmp_path: Path) -> None:
    name = f"balancer-words-{os.getpid()}-{side}"
    path = tmp_path / "test.cfg"
    path.write_text(
        f"global\n    unix-bind prefix /nowhere mode 606\n    stats socket {tmp_path}/admin.sock\n{DEFAULTS}"
        f"listen l\n    bind abns@{name}\n    server s 127.0.0.1:1\n"
    )
    program = start(side, str(path))
    wait_until(lambda: (tmp_path / "admin.sock").exists() or program.has_ended(), "the socket", tells=program.text)
    assert stat.S_IMODE((tmp_path / "admin.sock").stat().st_mode) != 0o606
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + name + "\0" * (107 - len(name)))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    "words",
    [
        "unix-bind bogus",
        "unix-bind user no-such-user",
        "default-path",
        "default-path x",
        "default-path origin",
        "default-path origin /no/such/folder",
    ],
)
def test_what_they_cannot_mean_is_refused(side: str, words: str, start: Start, tmp_path: Path) -> None:
    path = tmp_path / "test.cfg"
    path.write_text(f"global\n    {words}\n{DEFAULTS}listen l\n    bind 127.0.0.1:1\n    server s 127.0.0.1:1\n")
    program = start(side, str(path))
    wait_until(program.has_ended, "the end", tells=program.text)
    assert program.process.returncode == 1 and f"parsing [{path}:2]" in program.text()


# --- default-path ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("words", "given", "page"),
    [
        ("", "site/conf/a.cfg", "started"),
        ("default-path current", "site/conf/a.cfg", "started"),
        ("default-path config", "site/conf/a.cfg", "conf"),
        ("default-path config", "{folder}/site/conf/a.cfg", "conf"),
        ("default-path parent", "site/conf/a.cfg", "site"),
        ("default-path origin site/other", "site/conf/a.cfg", "other"),
        ("default-path origin {folder}/site/other", "site/conf/a.cfg", "other"),
        ("default-path origin site/other\n    default-path config", "site/conf/a.cfg", "conf"),
        ("default-path config\n    default-path current", "site/conf/a.cfg", "started"),
    ],
)
def test_relative_paths_in_a_file_begin_where_it_says(
    side: str, words: str, given: str, page: str, start: Start, tmp_path: Path
) -> None:
    for name, folder in (("started", "."), ("site", "site"), ("conf", "site/conf"), ("other", "site/other")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "page.http").write_bytes(b"HTTP/1.0 503 Gone\r\nContent-Type: text/plain\r\n\r\n" + name.encode())
    port = free_port()
    (tmp_path / "site/conf/a.cfg").write_text(f"global\n    {words}\n{DEFAULTS}".format(folder=tmp_path))
    # The second file begins where the first one's words put it, and is itself found from where the program was started.
    (tmp_path / "site/conf/b.cfg").write_text(f"frontend f\n    errorfile 503 page.http\n    bind 127.0.0.1:{port}\n")
    given = given.format(folder=tmp_path)
    program = start(side, given, given.replace("a.cfg", "b.cfg"))
    program.wait_for_port(port)
    assert answer_of(port).endswith(b"\r\n\r\n" + page.encode())


# --- rates -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("setting", "line"), [("connections", "ConnRateLimit"), ("sessions", "SessRateLimit")])
def test_clients_come_in_no_faster_than_a_command_allows(
    side: str, setting: str, line: str, start: Start, tmp_path: Path
) -> None:
    port = free_port()
    path, admin = tmp_path / "test.cfg", tmp_path / "admin.sock"
    path.write_text(
        f"global\n    stats socket {admin} level admin\n    maxconnrate 5000\n{DEFAULTS}frontend f\n"
        f"    bind 127.0.0.1:{port}\n    monitor-uri /\n"
    )
    program = start(side, str(path))
    program.wait_for_port(port)
    assert tell(admin, f"set rate-limit {setting} global 8").strip() == ""
    found = re.search(rf"(?m)^{line}: (\d+)$", tell(admin, "show info"))
    assert found is not None and found.group(1) == "8"
    begun = time.monotonic()
    assert all(b" 200 " in answer_of(port) for _ in range(20)), "nobody is refused"
    assert time.monotonic() - begun > 1.0
