"""What to do when a server could not be reached: pure decisions, HAProxy's rules (original-setup 2.5)."""

from typing import Final

GIVE_UP: Final = 0
SAME_AT_ONCE: Final = 1
SAME_AFTER_PAUSE: Final = 2
OTHER_AT_ONCE: Final = 3
OTHER_AFTER_PAUSE: Final = 4

PAUSE_MAX_S: Final = 1.0


def may_redispatch(interval: int, retries_max: int, failure_count: int, is_free: bool, active_count: int) -> bool:
    """Whether the attempt after failure number `failure_count` (from 1) may go to another server.

    A free visitor, whom no cookie binds and whose server was only the next in turn, may move at once where there is anyone
    else; another at the configured interval, counted from the first failure (n > 0) or back from the last retry (n < 0).
    0 means that the option is not set.
    """
    if interval == 0:
        return False
    if is_free and active_count > 1:
        return True
    if interval > 0:
        return failure_count % interval == 0
    step = retries_max + 1 + interval
    return step > 0 and failure_count % step == 0


def after_failure(
    interval: int,
    retries_max: int,
    failure_count: int,
    is_bound: bool,
    takes_turns: bool,
    active_count: int,
    was_timeout: bool,
) -> int:
    """One of the five answers above.

    Only an error (refused, reset) is followed by a pause: before the same server, and before the choice of an algorithm that
    does not take turns, which may well be the same server.
    """
    if failure_count > retries_max:
        return GIVE_UP
    if may_redispatch(interval, retries_max, failure_count, takes_turns and not is_bound, active_count):
        return OTHER_AT_ONCE if was_timeout or (takes_turns and active_count > 1) else OTHER_AFTER_PAUSE
    return SAME_AT_ONCE if was_timeout else SAME_AFTER_PAUSE


def pause_s(connect_timeout_s: float) -> float:
    """The pause before the same server is tried again, in seconds."""
    return min(PAUSE_MAX_S, connect_timeout_s) if connect_timeout_s else PAUSE_MAX_S


def may_repeat(was_reused: bool, was_orderly: bool, acked_octets: int, written_before: int, is_held: bool) -> bool:
    """Whether a request that a kept connection swallowed may be written once more, to a fresh connection.

    Only if the server had ended the connection in order, its kernel threw this request away without taking one octet of it
    (`acked_octets` of all that was ever written against `written_before` it, -1 where no reset proves it; the handshake may
    count as one), and the whole request is still held. A method proves nothing: a GET runs code, too.
    """
    return was_reused and was_orderly and is_held and 0 <= acked_octets <= written_before + 1
