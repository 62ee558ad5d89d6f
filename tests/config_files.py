"""Configuration files for tests of `balancer.config`: written to a directory, loaded, and told in short."""

from pathlib import Path
from typing import Final

from balancer import config
from balancer.model import Model

# What most proxies of a test need, so that a test shows only what it is about.
DEFAULTS: Final = """\
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
"""
DEFAULTS_LINES: Final = DEFAULTS.count("\n")

# original-setup: the file of 2006 with its ten images.
ORIGINAL: Final = """\
global
    log 127.0.0.1 local0
    maxconn 32000
    chroot /usr/share/haproxy
    pidfile /var/run/haproxy.pid
    uid 33
    gid 33
defaults
    log global
    mode http
    option httplog
    option dontlognull
    retries 3
    contimeout 5000
    clitimeout 50000
    srvtimeout 50000
listen smalltalk 127.0.0.1:8080
    mode http
    cookie SEASIDE insert nocache
    balance roundrobin
""" + "".join(f"    server app{n} 127.0.0.1:{3000 + n} cookie app1inst{n} check\n" for n in range(1, 11))

MODERN: Final = (
    ORIGINAL.replace("contimeout 5000", "timeout connect 5s")
    .replace("clitimeout 50000", "timeout client 50000ms")
    .replace("srvtimeout 50000", "timeout server 50000")
    .replace("listen smalltalk 127.0.0.1:8080\n", "listen smalltalk\n    bind 127.0.0.1:8080\n")
)


# A line, and its words; HOME_PORT and LIST are set, NONE is not, and the place is line 3 of t.cfg in a section named web.
WORDS_OF_LINES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("", ()),
    ("   \t \r", ()),
    ("# nothing", ()),
    ("a b\tc", ("a", "b", "c")),
    ("a\x0bb\x0cc\rd", ("a", "b", "c", "d")),
    ("a#b", ("a",)),
    ("a #b", ("a",)),
    ('a"#"b', ("a#b",)),
    (r"a\#b", ("a#b",)),
    (r"a\ b", ("a b",)),
    (r"a\"b", ('a"b',)),
    (r"a\'b", ("a'b",)),
    (r"a\\b", ("a\\b",)),
    (r"a\nb", ("a\nb",)),
    (r"a\tb", ("a\tb",)),
    (r"a\x41b", ("aAb",)),
    (r"a\X41b", ("a\\X41b",)),
    (r"a\qb", ("a\\qb",)),
    (r"a\$b", ("a\\$b",)),
    ("a\\\tb", ("a\\", "b")),
    ("a\\", ("a\\",)),
    (r'"a\ b"', ("a b",)),
    (r'"a\"b"', ('a"b',)),
    ('"a\'b"', ("a'b",)),
    (r'"a\qb"', ("a\\qb",)),
    (r'"a\$b"', ("a$b",)),
    (r"'a\ b'", ("a\\ b",)),
    (r"'a\'", ("a\\",)),
    ("'$HOME_PORT'", ("$HOME_PORT",)),
    ("a'b c'd", ("ab cd",)),
    ('a"b c"d', ("ab cd",)),
    ('a""', ("a",)),
    ('""', ("",)),
    ("''", ("",)),
    ("$HOME_PORT", ("$HOME_PORT",)),
    ('"$HOME_PORT"', ("8081",)),
    ('"x${HOME_PORT}y"', ("x8081y",)),
    ('"$HOME_PORT-x"', ("8081-x",)),
    ('"${NONE-else}"', ("else",)),
    ('"${NONE-a}b}"', ("ab}",)),
    ('"$NONE"', ("",)),
    ('"${LIST}"', ("a b",)),
    ('"${LIST[*]}"', ("a", "b")),
    ('"$.LINE"', ("3",)),
    ('"${.FILE}"', ("t.cfg",)),
    ('"${.SECTION}"', ("web",)),
    (r'"\${HOME_PORT}"', ("${HOME_PORT}",)),
    ("é", ("é",)),
)


def load_text(directory: Path, *texts: str, resolve: bool = False) -> config.Outcome:
    """Loads the texts as the files test.cfg, test2.cfg and so on of the directory."""
    paths = [directory / f"test{number if number > 1 else ''}.cfg" for number in range(1, len(texts) + 1)]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return config.load([str(path) for path in paths], resolve=resolve, environment={"HOME_PORT": "8081", "LIST": "a b"})


def model_of(directory: Path, *texts: str) -> Model:
    """The model of a configuration that must be without errors."""
    outcome = load_text(directory, *texts)
    assert outcome.model is not None, told(outcome)
    return outcome.model


def told(outcome: config.Outcome, *levels: str) -> list[str]:
    """The findings as "LEVEL line: text" (line 0 where no line is to blame); only those of the levels, if any are named."""
    return [
        f"{finding.level} {finding.origin.line if finding.origin is not None else 0}: {finding.text}"
        for finding in outcome.findings
        if not levels or finding.level in levels
    ]
