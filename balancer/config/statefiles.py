"""Files that hold the states of servers over a restart: which file a backend's servers are read from.

What is in a file is read at the start (`admin.kept`), never here: a configuration is as good without it.
"""

import os
from typing import Final

from balancer.config.drafts import GlobalDraft, ProxyDraft, Settings
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, works
from balancer.config.statement import Statement

SOURCES: Final[dict[str, str]] = {"global": "", "local": "", "none": ""}
OWN_NAME: Final = "use-backend-name"


def state_file(process: GlobalDraft, settings: Settings, name: str) -> str:
    """The path of a backend's file, "" where there is none. A name is meant within `server-state-base`, a path is not."""
    if settings.state_source == "global":
        file = process.state_file
    elif settings.state_source == "local":
        file = settings.state_name or name
    else:
        return ""
    return os.path.join(process.state_folder, file) if file else ""


def _source(proxy: ProxyDraft, statement: Statement) -> None:
    word = statement.arguments[0] if statement.arguments else ""
    if word not in SOURCES:
        raise Refusal(f"'{statement.keyword}' expects 'global', 'local' or 'none'. Got '{word}'")
    if len(statement.arguments) > 1:
        left_out = " ".join(statement.arguments[1:])
        statement.warn(f"'{statement.keyword}' : '{left_out}' has no effect, as in HAProxy")
    proxy.settings.state_source = word


def _name(proxy: ProxyDraft, statement: Statement) -> None:
    statement.no_more(1)
    word = statement.arguments[0] if statement.arguments else ""
    proxy.settings.state_name = "" if word == OWN_NAME else word


STATE_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works(
        "load-server-state-from-file",
        "DLB",
        "`global`, `local` or `none`: from which file the states of servers are read at the start",
        _source,
    ),
    works(
        "server-state-file-name",
        "DLB",
        "the file of `local`, within `server-state-base`; `use-backend-name`, as without it: the section's name",
        _name,
    ),
)
