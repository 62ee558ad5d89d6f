"""What is said on a stats socket, without the socket: octets in, answers out, byte for byte as HAProxy talks.

A line is a list of commands parted by `;`, ended by LF or CRLF; a backslash takes the next octet as it is, `#` and quotes mean
nothing. Each answer ends with an empty line, and with `> ` where `prompt` was said. Without it the conversation is over when
what has come is answered. A line that ends in `<<` brings a payload up to an empty line; no command of ours takes one, so it is
read and forgotten, never run. One command is run at a time, when the next answer is asked for, and a long listing is made part
by part: a reader that is slow stops what it has asked for, too, and a large farm does not hold up the traffic. A ring is
followed until something is typed, or the other side has said all.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from balancer.admin.table import Talk, answer_of
from balancer.observe.info import ProcessInfo
from balancer.observe.ring import Reading

LINE_OCTETS_MAX: Final = 16384


def split_commands(line: str) -> list[list[str]]:
    """The commands of one line, each as its words; an empty one is a command without words."""
    commands: list[list[str]] = []
    words: list[str] = []
    word = ""
    is_escaped = False
    for octet in line:
        if is_escaped:
            word += octet
            is_escaped = False
        elif octet == "\\":
            is_escaped = True
        elif octet in "; \t":
            if word:
                words.append(word)
                word = ""
            if octet == ";":
                commands.append(words)
                words = []
        else:
            word += octet
    if word:
        words.append(word)
    commands.append(words)
    return commands


class Conversation:
    """One connection's. It goes on until `is_over`."""

    def __init__(self, info: ProcessInfo, level: str, timeout_s: float) -> None:
        self.info = info
        self.talk = Talk(level, timeout_s)
        self.pending = b""
        self.commands: deque[list[str]] = deque()
        self.held: list[list[str]] | None = None  # commands of a line whose payload has not ended
        self.part = ""  # what is to be said next, and the rest of that answer
        self.rest: Iterator[str] | None = None
        self.following: Reading | None = None  # a ring whose lines are shown as they come
        self.has_heard_all = False  # the other side sends no more

    def __repr__(self) -> str:
        return f"<Conversation {self.talk!r} commands={len(self.commands)} pending={len(self.pending)}>"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be said."""
        return self.talk.is_over

    def hear(self, data: bytes) -> bool:
        """Takes octets in; False when a line is longer than any command: the conversation should be cut."""
        self.pending += data
        end = self.pending.find(b"\n")
        return (len(self.pending) if end < 0 else end) <= LINE_OCTETS_MAX

    def end(self) -> None:
        """The other side has said all; what it has asked is still answered, an unterminated line is dropped."""
        self.has_heard_all = True

    def answer(self) -> bytes | None:
        """The next part of what to send, for which a command may be run; None when there is nothing, now or any more."""
        while not self.is_over:
            if self.following is not None:
                part = self.following.part()
                if part:
                    return part.encode()
                if not self._has_more_to_do():
                    return None
                # Something was typed: that ends it, and an empty line was meant for nothing else.
                self.following, self.rest, self.part = None, iter(()), ""
                self.pending = self.pending.removeprefix(b"\r").removeprefix(b"\n")
            if self.rest is not None:
                return self._next_part(self.rest)
            if self.commands:
                answer = answer_of(self.talk, self.info, self.commands.popleft())
                if isinstance(answer, Reading):
                    self.following = answer
                else:
                    self.rest, self.part = answer, next(answer, "")
                continue
            end = self.pending.find(b"\n")
            if end < 0:
                self.talk.is_over = self.has_heard_all
                return None
            line = self.pending[:end].removesuffix(b"\r")
            self.pending = self.pending[end + 1 :]
            self._take(line.decode("utf-8", "replace"))
            if self.held is not None and self.talk.has_prompt:
                return b"+ "
        return None

    def _has_more_to_do(self) -> bool:
        return bool(self.commands or self.pending) or self.has_heard_all

    def _next_part(self, rest: Iterator[str]) -> bytes:
        part, self.part = self.part, next(rest, "")
        if self.part:
            return part.encode()
        self.rest = None
        if self.talk.has_prompt:
            return part.encode() + b"\n> "
        # Without a prompt the last answer to what has come is the last of all.
        self.talk.is_over = not self.commands and not self.pending
        return part.encode() + b"\n"

    def _take(self, line: str) -> None:
        """Reads one line, of commands or of a payload."""
        if self.held is None:
            commands = split_commands(line.removesuffix("<<"))
            if line.endswith("<<"):
                self.held = commands
            else:
                self.commands.extend(commands)
        elif not line:
            self.commands.extend(self.held)
            self.held = None
