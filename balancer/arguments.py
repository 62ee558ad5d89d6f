"""The command line, as HAProxy's: short flags, one per word, each with its operand in the next word.

`FLAGS` is the one place where a flag lives: parsing, the usage text and the tests are made from it. A word that is no flag
of the table, an operand that is missing or malformed, and a command line without any file are refused with the usage text
and exit status 1. Flags of HAProxy that have no meaning here are accepted and ignored; those that would change what runs
and are not done are named in a warning. Where HAProxy takes any word that begins with a flag for that flag (`-dbx`), we do
not: a typo in a service file would otherwise start something else than was meant.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final


class ArgumentError(Exception):
    """The command line cannot be understood; the text says why."""


@dataclass
class Arguments:
    """What the command line asks for."""

    paths: list[str] = field(default_factory=list)
    condition: str | None = None  # to be evaluated instead of reading files
    local_peer: str = ""
    diagnoses: bool = False
    version: str = ""  # the flag that asked for it: "-v" or "-vv"
    check: bool = False
    daemon: bool = False
    foreground: bool = False
    debug: bool = False
    quiet: bool = False
    verbose: bool = False
    zero_warning: bool = False
    no_splice: bool = False
    master: str = ""  # "-W" or "-Ws"
    directory: str = ""
    pidfile: str = ""
    maxconn: int = 0
    proxy_maxconn: int = 0
    memory_max_mb: int = 0
    old_socket: str = ""  # the stats socket of the process whose listening sockets are taken over
    finish_pids: list[int] = field(default_factory=list)
    terminate_pids: list[int] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)  # known flags that change nothing yet, for a warning each

    def is_daemon(self, wanted_by_file: bool) -> bool:
        """Whether to leave the terminal: `-D` or `daemon`, unless `-db` or `-d` keep the process in front.

        With `-Ws`, systemd wants it in front whatever the file says.
        """
        return (self.daemon or (wanted_by_file and self.master != "-Ws")) and not (self.foreground or self.debug)

    def is_quiet(self, wanted_by_file: bool) -> bool:
        """Whether messages are held back: `-q` or `quiet`, unless `-V` or `-d` ask for them."""
        return (self.quiet or wanted_by_file) and not (self.verbose or self.debug)


Effect = Callable[[Arguments, str], None]

# How many words a flag takes.
NONE: Final = "none"
ONE: Final = "one"
REST: Final = "rest"  # process ids up to the end of the line
ATTACHED: Final = "attached"  # part of the flag's own word, may be absent


@dataclass(frozen=True)
class Flag:
    """One flag: its word, how many operands it takes, the operand's name, what it does to `Arguments`, its usage text."""

    word: str
    takes: str
    operand: str
    effect: Effect
    text: str
    may_be_empty: bool = False


def parse(words: Sequence[str]) -> Arguments:
    """Reads the words after the program's name. Raises ArgumentError with the reason; touches no file."""
    arguments = Arguments()
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            arguments.paths += left
            break
        flag = _find(word)
        if flag is None:
            kind = "flag" if word.startswith("-") else "word"
            raise ArgumentError(f"unknown {kind} '{word}'")
        if flag.takes == NONE:
            flag.effect(arguments, word)
        elif flag.takes == ATTACHED:
            flag.effect(arguments, word[len(flag.word) :])
        elif flag.takes == ONE:
            if not left or (left[0] == "" and not flag.may_be_empty):
                raise ArgumentError(f"'{flag.word}' expects {flag.operand}")
            flag.effect(arguments, left.pop(0))
        else:
            while left and not left[0].startswith("-"):
                flag.effect(arguments, left.pop(0))
    return arguments


def expand_paths(paths: Sequence[str]) -> list[str]:
    """The files to read: a directory stands for its `*.cfg` in the order of their names.

    Hidden ones are left out, and what is no file: directories, pipes, sockets. A directory that cannot be listed and a link
    that leads nowhere stay in the list, so that whoever reads it says what is wrong with them.
    """
    files: list[str] = []
    for path in paths:
        try:
            files += _files_of(path) if os.path.isdir(path) else [path]
        except OSError:
            files.append(path)
    return files


def _files_of(directory: str) -> list[str]:
    names = sorted(name for name in os.listdir(directory) if name.endswith(".cfg") and not name.startswith("."))
    paths = [os.path.join(directory, name) for name in names]
    return [path for path in paths if os.path.isfile(path) or not os.path.exists(path)]


def usage(program: str) -> str:
    """The text for standard error when a command line is refused."""
    lines = [f"Usage : {program} [-f <cfgfile|cfgdir>]* [flags] [-- <cfgfile>*]"]
    for flag in FLAGS:
        left = f"{flag.word} {flag.operand}" if flag.takes in (ONE, REST) else flag.word + flag.operand
        lines.append(f"        {left:<22} {flag.text}")
    return "\n".join(lines) + "\n"


def _find(word: str) -> Flag | None:
    for flag in FLAGS:
        if word == flag.word or (flag.takes == ATTACHED and word.startswith(flag.word)):
            return flag
    return None


def _sets(name: str) -> Effect:
    def effect(arguments: Arguments, _word: str) -> None:
        setattr(arguments, name, True)

    return effect


def _keeps_text(name: str) -> Effect:
    def effect(arguments: Arguments, word: str) -> None:
        setattr(arguments, name, word)

    return effect


def _keeps_number(name: str, flag: str) -> Effect:
    def effect(arguments: Arguments, word: str) -> None:
        setattr(arguments, name, _number(flag, word))

    return effect


def _adds_path(arguments: Arguments, word: str) -> None:
    arguments.paths.append(word)


def _adds_pid(name: str, flag: str) -> Effect:
    def effect(arguments: Arguments, word: str) -> None:
        pid = _number(flag, word)
        if pid == 0:
            raise ArgumentError(f"'{flag}' expects process ids (got '{word}')")
        pids: list[int] = getattr(arguments, name)
        pids.append(pid)

    return effect


def _passes_over(what: str) -> Effect:
    def effect(arguments: Arguments, _word: str) -> None:
        arguments.passed_over.append(what)

    return effect


def _runs_master(arguments: Arguments, word: str) -> None:
    arguments.master = word
    arguments.passed_over.append(f"'{word}': there is no master process yet, one process serves")


def _ignores(_arguments: Arguments, _word: str) -> None:
    pass


def _number(flag: str, word: str) -> int:
    # Only ASCII digits: int() would take '1_000', blanks and other alphabets as well.
    if not (word.isascii() and word.isdigit()):
        raise ArgumentError(f"'{flag}' expects a number, 0 or more (got '{word}')")
    return int(word)


FLAGS: Final[tuple[Flag, ...]] = (
    Flag("-f", ONE, "<cfgfile|cfgdir>", _adds_path, "reads this file, or the *.cfg of this directory; may be repeated"),
    Flag("-c", NONE, "", _sets("check"), "checks the configuration and exits: 0 valid, 1 errors, 2 nothing to listen on"),
    Flag("-v", NONE, "", _keeps_text("version"), "says the version and exits"),
    Flag("-vv", NONE, "", _keeps_text("version"), "says version, form (compiled or pure), libraries and rights, and exits"),
    Flag("-D", NONE, "", _sets("daemon"), "goes to the background once it serves"),
    Flag("-db", NONE, "", _sets("foreground"), "stays in the foreground, whatever -D or 'daemon' say"),
    Flag("-d", NONE, "", _sets("debug"), "stays in the foreground and holds no message back"),
    Flag("-q", NONE, "", _sets("quiet"), "prints no messages"),
    Flag("-V", NONE, "", _sets("verbose"), "prints messages although -q or 'quiet' is set"),
    Flag("-p", ONE, "<pidfile>", _keeps_text("pidfile"), "writes the daemon's process id there"),
    Flag("-n", ONE, "<maxconn>", _keeps_number("maxconn", "-n"), "sets the process's maximum of connections"),
    Flag("-N", ONE, "<maxpconn>", _keeps_number("proxy_maxconn", "-N"), "sets the maximum of proxies that give none"),
    Flag("-m", ONE, "<megabytes>", _keeps_number("memory_max_mb", "-m"), "limits the address space of the process"),
    Flag("-C", ONE, "<dir>", _keeps_text("directory"), "changes to this directory before files are read"),
    Flag("-dW", NONE, "", _sets("zero_warning"), "fails where any warning is given"),
    Flag("-sf", REST, "<pid>*", _adds_pid("finish_pids", "-sf"), "takes over: these may share the ports, then finish softly"),
    Flag("-st", REST, "<pid>*", _adds_pid("terminate_pids", "-st"), "takes over: these may share the ports, then end at once"),
    Flag("-W", NONE, "", _runs_master, "master-worker mode: not supported yet, one process serves"),
    Flag("-Ws", NONE, "", _runs_master, "as -W, and tells systemd when it is ready and when it stops"),
    Flag(
        "-S",
        ONE,
        "<bind>[,<options>]",
        _passes_over("'-S': the master's socket is not supported yet"),
        "the master's command socket: not supported yet",
    ),
    Flag(
        "-x",
        ONE,
        "<socket>",
        _keeps_text("old_socket"),
        "takes the listening sockets of the process behind that stats socket",
    ),
    Flag("-L", ONE, "<name>", _keeps_text("local_peer"), "the value of HAPROXY_LOCALPEER, the host's name by default"),
    Flag(
        "-cc",
        ONE,
        "<condition>",
        _keeps_text("condition"),
        "evaluates a condition as of '.if' and exits: 0 true, 1 false, 2 not a condition",
        may_be_empty=True,
    ),
    Flag("-de", NONE, "", _ignores, "ignored (no epoll)"),
    Flag("-dp", NONE, "", _ignores, "ignored (no poll)"),
    Flag("-dS", NONE, "", _sets("no_splice"), "passes no body by splice(2)"),
    Flag("-dG", NONE, "", _ignores, "ignored (no getaddrinfo)"),
    Flag("-dR", NONE, "", _ignores, "ignored (no SO_REUSEPORT)"),
    Flag("-dr", NONE, "", _ignores, "ignored (names that do not resolve)"),
    Flag("-dV", NONE, "", _ignores, "ignored (no verification of servers' certificates)"),
    Flag("-dD", NONE, "", _sets("diagnoses"), "prints the messages of '.diag' lines"),
    Flag("-dL", NONE, "", _ignores, "ignored (list of loaded objects)"),
    Flag("-dM", ATTACHED, "[<byte>]", _ignores, "ignored (memory debugging)"),
    Flag("-dK", ATTACHED, "[<class>]", _ignores, "ignored (list of keywords)"),
)
