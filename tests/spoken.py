"""Conversations with the stats socket's side, without a socket."""

from observed import in_every_state

import balancer.admin.every  # noqa: F401 - every command, in the table
from balancer.admin.conversation import Conversation
from balancer.observe.info import ProcessInfo


def heard(conversation: Conversation, data: bytes) -> bytes:
    """Everything that is answered to these octets."""
    assert conversation.hear(data)
    said = b""
    while (answer := conversation.answer()) is not None:
        said += answer
    return said


def ask(text: bytes, info: ProcessInfo | None = None, level: str = "admin") -> bytes:
    """The answer to one write on a connection of its own."""
    return heard(Conversation(info or in_every_state(), level, 10.0), text)
