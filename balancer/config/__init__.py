"""The configuration layer: haproxy.cfg in, one frozen `Model` or a list of findings out.

`load` reads files, `render` writes findings as HAProxy does. Nothing here prints, exits or keeps anything open.
"""

from balancer.config.findings import ALERT, DIAG, NOTICE, WARNING, Finding, closing_lines, render
from balancer.config.loader import Outcome, load

__all__ = ["ALERT", "DIAG", "NOTICE", "WARNING", "Finding", "Outcome", "closing_lines", "load", "render"]
