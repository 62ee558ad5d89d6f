"""The words after `python -m balancer.demo`: a table of three programs, and what each of them takes."""

import argparse
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from balancer.demo import control

PORTS_MAX: Final = 100

IMAGES_ABOUT: Final = "Embedded images that behave like Seaside on the wire, one listener each."
RUN_ABOUT: Final = "The images that a configuration names, and the balancer before them, until Ctrl-C."
TELL_ABOUT: Final = "A fault, or its end, for an image of a running demonstration."


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments; `program` is images, run or tell. Ends the process with status 2 for words that it does not know."""
    program = words[0] if words and words[0] in PARSERS else "images"
    rest = words[1:] if words and words[0] in PARSERS else words
    arguments = PARSERS[program]().parse_args(rest)
    arguments.program = program
    return arguments


def ports(text: str) -> list[int]:
    """`3001-3010`, `3001,3005` or both: the ports in order; 0 is one that the system gives."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        found += range(port(first), port(last if dash else first) + 1)
    if not 0 < len(found) <= PORTS_MAX:
        raise argparse.ArgumentTypeError(f"expects 1 to {PORTS_MAX} ports (got {text!r})")
    return found


def port(text: str) -> int:
    """A port number."""
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"expects a port from 0 to 65535 (got {text!r})")
    return int(text)


def control_path() -> Path:
    """Where the demonstration of this user is told its faults, when nothing else was asked for."""
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(own) if own and os.access(own, os.W_OK) else Path(tempfile.gettempdir(), f"balancer-demo-{os.getuid()}")
    return folder / "balancer-demo.sock"


def private_control_path() -> Path:
    """The same, its folder made; raises OSError where the folder is another user's."""
    path = control_path()
    path.parent.mkdir(mode=0o700, exist_ok=True)
    found = path.parent.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{path.parent} is not this user's own folder; name another place with --control")
    return path


def control_place(text: str) -> int | Path:
    """A port of the loopback, or the path of a socket file."""
    return port(text) if text.isdigit() else Path(text)


def _images_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m balancer.demo", description=IMAGES_ABOUT)
    parser.epilog = "Two more programs, each with a --help: run (with the balancer before them), tell (faults)."
    parser.add_argument("--ports", type=ports, default=ports("3001-3010"), metavar="3001-3010", help="one image for each")
    parser.add_argument("--host", default="127.0.0.1", help="the address they listen on (127.0.0.1)")
    parser.add_argument("--control", type=control_place, metavar="PORT|PATH", help="listen here for faults (off)")
    parser.add_argument("--seed", type=int, metavar="N", help="the same session keys in every run")
    parser.add_argument("--kom", action="store_true", help="behave like Comanche, which closes every connection")
    return parser


def _run_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m balancer.demo run", description=RUN_ABOUT)
    parser.add_argument("-f", "--config", type=Path, required=True, metavar="FILE", help="the balancer's configuration")
    parser.add_argument(
        "--control", type=control_place, metavar="PORT|PATH", help="where `tell` is heard (a private socket file)"
    )
    parser.add_argument("--plain", action="store_true", help="no panel, also on a terminal")
    parser.add_argument("--seed", type=int, metavar="N", help="the same session keys in every run")
    return parser


def _tell_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m balancer.demo tell",
        description=TELL_ABOUT,
        epilog="commands:\n" + control.help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--control", type=control_place, metavar="PORT|PATH", help="where the demonstration listens")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="for example: die app3")
    return parser


PARSERS: Final = {"images": _images_parser, "run": _run_parser, "tell": _tell_parser}
