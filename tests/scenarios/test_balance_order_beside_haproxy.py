"""Orders beside HAProxy's: the same conversation with servers that fill, go, come, change weight or are not there.

Both programs hear the same requests and commands, one after the other, and the same servers answer.
"""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from running import wait_until
from ten_servers import SERVER_COUNT, Client, Side, both, differing, get

# --- the comparisons of orders -----------------------------------------------------------------------------------------


class Conversation:
    """What happens to one section of one program, step by step, and who served."""

    def __init__(self, side: Side, section: str) -> None:
        self.side = side
        self.section = section
        self.held: list[tuple[Client, str]] = []
        self.serial = 0
        self.told: list[str] = []

    def take(self, requests: Sequence[bytes]) -> None:
        """Some requests, answered at once."""
        self.told.append(self.side.take(self.section, requests))
        self._settle()

    def hold(self, path: str) -> None:
        """A request that occupies a server until `release`."""
        self.serial += 1
        query = f"{self.side.program.output.name}-{self.section}-{self.serial}"
        client = Client(self.side.ports[self.section])
        client.send(get(f"/hold{path}?{query}"))
        servers = self.side.servers
        soon(lambda: servers.holder_of(query) is not None, f"a server holds {query}")
        self.held.append((client, query))
        self.told.append(f"hold {servers.holder_of(query)}")

    def release(self, which: int) -> None:
        """One of the held requests is answered."""
        if self.held:
            client, query = self.held.pop(which % len(self.held))
            self.side.servers.release(query)
            self.told.append(f"release {client.answer()}")
            client.close()
            self._settle()

    def command(self, text: str) -> None:
        """A command, with the name of the section in the place of `@`."""
        self.told.append(f"{text}: {self.side.ask(text.replace('@', self.section))}")

    def end(self) -> None:
        """Releases everything."""
        while self.held:
            self.release(0)

    def _settle(self) -> None:
        # A slot is given back a moment after the answer.
        count = len(self.held)
        soon(lambda: self.side.serving(self.section) == count, f"{count} served in {self.section}")


def soon(holds: Callable[[], bool], what: str) -> None:
    """Waits for what takes a moment: asked often at first."""
    for _ in range(20):
        if holds():
            return
        time.sleep(0.001)
    wait_until(holds, what)


Step = tuple[str, int, str]  # (what, number, server)


def random_steps(seed: int, kinds: Sequence[str]) -> list[Step]:
    """Stretches of requests with something happening in between."""
    dice = random.Random(seed)
    steps: list[Step] = []
    for _ in range(24):
        steps.append((dice.choice(kinds), dice.choice([0, 1, 2, 3, 5, 8, 20, 100]), f"s{dice.randrange(SERVER_COUNT)}"))
        if dice.random() < 0.6:
            steps.append(("take", dice.randint(1, 25), ""))
    return steps


def talk(side: Side, section: str, layout: str, steps: Sequence[Step]) -> list[str]:
    """The conversation, told."""
    conversation = Conversation(side, section)
    for serial, (what, number, server) in enumerate(steps):
        if what == "take":
            conversation.take([get(f"/{serial}/{n}") for n in range(number)])
        elif what == "hold":
            # Where each server serves but one, the last of them stays free.
            if layout != "narrow" or len(conversation.held) < SERVER_COUNT - 1:
                conversation.hold(f"/{serial}")
        elif what == "release":
            conversation.release(number)
        else:
            words = {"down": "state maint", "up": "state ready", "weight": f"weight {number}"}
            conversation.command(f"set server @/{server} {words[what]}")
    conversation.end()
    return conversation.told


HOLDING: Final = ("hold", "hold", "release")
OPERATING: Final = ("down", "up", "up", "weight")

# (the lines, the layout, what happens)
TALKS: Final[list[tuple[str, str, tuple[str, ...]]]] = [
    ("balance leastconn", "equal", HOLDING),
    ("balance leastconn", "plain", HOLDING),
    ("balance leastconn", "narrow", HOLDING),
    ("balance leastconn", "plain", (*HOLDING, *OPERATING)),
    ("balance leastconn", "mixed", (*HOLDING, *OPERATING)),
    ("balance first", "narrow", HOLDING),
    ("balance first", "mixed", OPERATING),
    ("balance static-rr", "narrow", HOLDING),
    ("balance static-rr", "plain", OPERATING),
    ("balance static-rr", "mixed", OPERATING),
    ("balance roundrobin", "mixed", OPERATING),
    ("balance uri", "plain", OPERATING),
    ("balance uri", "mixed", OPERATING),
    ("balance uri\n hash-type consistent", "plain", OPERATING),
    ("balance uri\n hash-type consistent", "mixed", OPERATING),
    ("balance url_param x\n hash-type consistent", "narrow", HOLDING),
    ("balance url_param x\n hash-type consistent", "plain", OPERATING),
    ("balance url_param x\n hash-type consistent", "equal", OPERATING),
    ("balance url_param x\n hash-type consistent", "mixed", OPERATING),
    ("balance url_param x", "plain", OPERATING),
    ("balance uri\n hash-type consistent\n hash-balance-factor 110", "equal", HOLDING),
    ("balance uri\n hash-type consistent\n hash-balance-factor 150", "plain", HOLDING),
    ("balance uri\n hash-type consistent wt6\n hash-balance-factor 200", "mixed", (*HOLDING, *OPERATING)),
]


def test_servers_that_fill_go_come_and_change_weight_give_the_same_order(tmp_path: Path) -> None:
    sections = {f"case{n}": (lines, layout) for n, (lines, layout, _) in enumerate(TALKS)}
    found = {}
    with both(tmp_path, sections, " timeout queue 100\n") as (theirs, ours):
        for n, (lines, layout, kinds) in enumerate(TALKS):
            for seed in (n, 1000 + n):  # the second conversation finds the servers as the first has left them
                steps = random_steps(seed, kinds)
                told = talk(theirs, f"case{n}", layout, steps), talk(ours, f"case{n}", layout, steps)
                if told[0] != told[1]:
                    at = next(i for i, (a, b) in enumerate(zip(*told, strict=True)) if a != b)
                    found[lines, layout] = seed, told[0][at], told[1][at]
                    break
    assert found == {}, "\n".join(f"{case}: {others}" for case, others in found.items())


# --- servers that are not there ----------------------------------------------------------------------------------------

RETRIED: Final[tuple[str, ...]] = (
    "roundrobin",
    "static-rr",
    "leastconn",
    "first",
    "uri\n hash-type consistent",
    "uri\n hash-type consistent\n hash-balance-factor 200",
    "url_param x\n hash-type consistent",
    "url_param x",
)
# What follows a refusal waits for a second, but no longer than a connection may take.
PAUSED: Final = " timeout connect 400\n retries 1\n"
REDISPATCHES: Final = (" option redispatch 1\n", " option redispatch\n", "")


def test_who_is_refused_goes_to_the_same_server_next(tmp_path: Path) -> None:
    cases = [(line, redispatch) for line in RETRIED for redispatch in REDISPATCHES]
    sections = {f"case{n}": (f"balance {line}\n{redispatch}", "dead") for n, (line, redispatch) in enumerate(cases)}
    found = {}
    requests = [get(f"/{n}") for n in range(25)]
    with both(tmp_path, sections, PAUSED) as sides, ThreadPoolExecutor(len(sections)) as pool:
        names = [list(pool.map(lambda section, side=side: side.take(section, requests), sections)) for side in sides]
    for n, case in enumerate(cases):
        others = differing(names[0][n], names[1][n], requests)
        if others:
            found[case] = others
    assert found == {}, "\n".join(f"{case}: {others}" for case, others in found.items())


def test_a_hash_on_a_map_leaves_a_server_that_is_not_there(tmp_path: Path) -> None:
    requests = [get(f"/{n}") for n in range(25)]
    sections = {"a": ("balance uri\n option redispatch 1", "dead")}
    with both(tmp_path, sections, PAUSED) as (theirs, ours):
        names = theirs.take("a", requests), ours.take("a", requests)
    # HAProxy's map leads it back to the server that has just refused: only there ours differs.
    assert "-" in names[0]
    assert "-" not in names[1]
    assert all(a in (b, "-") for a, b in zip(*names, strict=True))
