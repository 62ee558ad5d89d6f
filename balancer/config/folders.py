"""`default-path`: the folder from which a configuration's relative paths are, for as long as one file is read.

As in HAProxy the process itself stands in that folder meanwhile, whatever opens the file, and goes back behind the last line:
what is opened at the start (pid file, chroot, sockets, files of states) is from the folder where the process was started.
"""

import os
from dataclasses import dataclass, field
from typing import Final

from balancer.config.findings import Refusal
from balancer.config.statement import Statement

MODES: Final = ("current", "config", "parent", "origin")


@dataclass
class Folders:
    """Where the files of this configuration are, by the last `default-path`."""

    mode: str = "current"
    origin: str = ""
    started_in: str = field(default="")  # asked for when it is needed: it may be gone, and nobody may care

    def choose(self, statement: Statement) -> None:
        """`default-path MODE [FOLDER]`: counts from the next line on. Refuses what is no folder."""
        mode = statement.arguments[0] if statement.arguments else ""
        if mode not in MODES:
            found = f"unsupported mode '{mode}'" if mode else "missing mode"
            raise Refusal(f"'default-path' : {found}, expects 'current', 'config', 'parent' or 'origin' <path>")
        if mode == "origin" and (len(statement.arguments) < 2 or not statement.arguments[1]):
            raise Refusal("'default-path origin' expects a directory as an argument.")
        statement.no_more(2 if mode == "origin" else 1)
        self.mode, self.origin = mode, statement.arguments[1] if mode == "origin" else ""
        self.enter(statement.origin.file)

    def enter(self, path: str) -> None:
        """Goes where the relative paths of that file begin. Refuses a folder that is none."""
        if self.mode == "current" and not self.started_in:
            return
        try:
            if not self.started_in:
                self.started_in = os.getcwd()
            os.chdir(self.started_in)
            os.chdir(self._folder(path) or ".")
        except OSError as error:
            folder = self._folder(path)
            raise Refusal(f"couldn't set 'default-path' to {self.mode} '{folder}': {error.strerror}.") from error

    def leave(self) -> None:
        """Goes back to where the process was started."""
        if self.started_in:
            os.chdir(self.started_in)

    def _folder(self, path: str) -> str:
        if self.mode == "origin":
            return self.origin
        folder = os.path.dirname(path) or ("/" if path.startswith("/") else "")
        if self.mode == "config":
            return folder
        return os.path.join(folder, "..") if self.mode == "parent" else ""
