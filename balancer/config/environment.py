"""The variables that a configuration may ask for: the process's, HAProxy's own, and those of `setenv` and its kin.

A load has an environment of its own: `setenv` acts on the lines after it, never on the process. Names that begin with a dot
are no variables but tell where reading is; no other name may have a dot in front.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from balancer.config.features import VERSION


@dataclass
class Environment:
    """The variables of one load. A local peer's name that was given on the command line is not changed by the file."""

    variables: dict[str, str] = field(default_factory=dict)
    has_local_peer: bool = False

    def set(self, name: str, value: str) -> None:
        """Raises ValueError for a name that no variable can have."""
        self._check(name)
        self.variables[name] = value

    def unset(self, name: str) -> None:
        """Removes a variable, if there is one of that name. Raises ValueError for a name that no variable can have."""
        self._check(name)
        self.variables.pop(name, None)

    def keep_only(self, names: Sequence[str]) -> None:
        """Removes all variables but these."""
        self.variables = {name: self.variables[name] for name in names if name in self.variables}

    def _check(self, name: str) -> None:
        if not name or "=" in name:
            raise ValueError(f"'{name}' is no name of a variable")


def environment_of(
    paths: Sequence[str] | None, variables: Mapping[str, str] | None, local_peer: str, is_master: bool
) -> Environment:
    """The environment at the start: the process's variables unless others are given, and HAProxy's predefined ones.

    `paths` are the files that will be read; without any (a condition of the command line) they are not named.
    """
    own = dict(os.environ if variables is None else variables)
    own["HAPROXY_LOCALPEER"] = local_peer or socket.gethostname()
    own["HAPROXY_STARTUP_VERSION"] = VERSION
    if paths is not None:
        own["HAPROXY_CFGFILES"] = ";".join(paths)
    if is_master:
        own["HAPROXY_MWORKER"] = "1"
    return Environment(own, bool(local_peer))
