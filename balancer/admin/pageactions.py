"""The form of the statistics page: `s=SERVER&s=SERVER&action=ACTION&b=BACKEND`, answered by the code of its outcome.

An action is a command of the stats socket, so that both do the same. What a stranger's page makes a browser send is refused: a
browser tells where a request comes from (`Sec-Fetch-Site`, else `Origin`); tools tell nothing, and are let in.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from balancer.admin.table import ADMIN, Talk, execute
from balancer.backend.backend import Backend
from balancer.observe.info import ProcessInfo

DONE: Final = "DONE"
NONE: Final = "NONE"
PARTIAL: Final = "PART"
WRONG: Final = "ERRP"
TOO_LONG: Final = "EXCD"
DENIED: Final = "DENY"
UNKNOWN: Final = "UNKN"

# What a browser says of a request that its user or the page itself made.
OWN_SITES: Final = ("same-origin", "none")
FIELDS_MAX: Final = 2000

# The command of each action; {} stands for BACKEND/SERVER. Those with a text are in the form; those
# of agents, which there are none of, change nothing.
ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "ready": ("set server {} state ready", "Set state to READY"),
    "drain": ("set server {} state drain", "Set state to DRAIN"),
    "maint": ("set server {} state maint", "Set state to MAINT"),
    "dhlth": ("disable health {}", "Health: disable checks"),
    "ehlth": ("enable health {}", "Health: enable checks"),
    "hrunn": ("set server {} health up", "Health: force UP"),
    "hnolb": ("set server {} health stopping", "Health: force NOLB"),
    "hdown": ("set server {} health down", "Health: force DOWN"),
    "dagent": ("", "Agent: disable checks"),
    "eagent": ("", "Agent: enable checks"),
    "arunn": ("", "Agent: force UP"),
    "adown": ("", "Agent: force DOWN"),
    "shutdown": ("shutdown sessions server {}", "Kill Sessions"),
    "enable": ("enable server {}", ""),
    "disable": ("disable server {}", ""),
    "start": ("set server {} state ready", ""),
    "stop": ("set server {} state drain", ""),
}

# What changes nothing at a server without a check.
OF_CHECKS: Final = ("dhlth", "ehlth")

# Code: class of the notice, text, further lines.
NOTICES: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    DONE: ("active_up", "Action processed successfully.", ()),
    NONE: ("active_going_down", "Nothing has changed.", ()),
    PARTIAL: (
        "active_going_down",
        "Action partially processed.",
        ("Some server names are probably unknown or ambiguous (duplicated names in the backend).",),
    ),
    WRONG: (
        "active_down",
        "Action not processed because of invalid parameters.",
        (
            "The action is maybe unknown.",
            "Invalid key parameter (empty or too long).",
            "The backend name is probably unknown or ambiguous (duplicated names).",
            "Some server names are probably unknown or ambiguous (duplicated names in the backend).",
        ),
    ),
    TOO_LONG: (
        "active_down",
        "Action not processed : the buffer couldn't store all the data.",
        ("You should retry with less servers at a time.",),
    ),
    DENIED: ("active_down", "Action denied.", ()),
    UNKNOWN: ("active_no_check", "Unexpected result.", ()),
}
STATUSES: Final = frozenset(NOTICES)


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that another site's page made this request."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site.strip().lower() not in OWN_SITES
    origin = headers.get("Origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc.lower() != headers.get("Host", "").lower()


def act(info: ProcessInfo, form: str) -> str:
    """Does what the form asks; the code of what has come of it."""
    try:
        fields = parse_qsl(form, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return TOO_LONG
    names = [value for name, value in fields if name == "s" and value]
    action = next((value for name, value in fields if name == "action"), "")
    wanted = next((value for name, value in fields if name == "b"), "")
    if not names or not action or not wanted:
        return NONE
    backend = next((each for each in info.farm.backends if wanted in (each.name, f"#{each.number}")), None)
    if backend is None or action not in ACTIONS:
        return WRONG
    return _apply(info, backend, names, action)


def _apply(info: ProcessInfo, backend: Backend, names: list[str], action: str) -> str:
    """Runs the command for each server. One that answers with a text has changed nothing."""
    found = [server for name in names for server in backend.servers if server.name == name]
    if not found:
        return WRONG
    command, _ = ACTIONS[action]
    changed = 0
    for server in found:
        if not command or (action in OF_CHECKS and not server.config.check):
            continue
        words = command.format(f"{backend.name}/{server.name}").split(" ")
        changed += not execute(Talk(ADMIN, 0.0), info, words).strip()
    if len(found) < len(names):
        return PARTIAL
    return DONE if changed else NONE
