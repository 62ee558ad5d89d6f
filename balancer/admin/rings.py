"""`show events`: the rings, and what is in one. With `-w` lines are shown as they come, until something is typed."""

from typing import Final

from balancer.admin.table import OPERATOR, Answer, Refusal, Talk, command
from balancer.observe.info import ProcessInfo
from balancer.observe.ring import Reading

HEADING: Final = "Supported events sinks are listed below. Add -w(wait), -n(new). Any key to stop\n"
# HAProxy's sinks that are no rings: name and description.
DESCRIPTORS: Final[dict[str, str]] = {"stdout": "standard output (fd#1)", "stderr": "standard output (fd#2)"}
# Whether only new lines are shown, and whether it waits for them.
OPTIONS: Final[dict[str, tuple[bool, bool]]] = {
    "-n": (True, False),
    "-w": (False, True),
    "-nw": (True, True),
    "-wn": (True, True),
}


@command("show events", OPERATOR, "show events [<sink>] [-w] [-n]", "show event sink state")
def _events(_talk: Talk, info: ProcessInfo, words: list[str]) -> Answer:
    if not words:
        rows = [(name, "fd", text) for name, text in DESCRIPTORS.items()]
        rows += [(name, "buffer", ring.config.description) for name, ring in info.rings.items()]
        return HEADING + "".join(f"    {name:<10} : type={kind}, 0 dropped, {text}\n" for name, kind, text in rows)
    if words[0] in DESCRIPTORS:
        raise Refusal("Nothing to report for this sink")
    ring = info.rings.get(words[0])
    if ring is None:
        raise Refusal("No such event sink")
    is_new_only = follows = False
    for word in words[1:]:
        if word not in OPTIONS:
            raise Refusal("unknown option")
        is_new_only, follows = is_new_only or OPTIONS[word][0], follows or OPTIONS[word][1]
    reading = Reading(ring, is_new_only)
    return reading if follows else reading.parts()
