"""Which form of the hot modules runs: compiled by mypyc, or the same source interpreted ("pure").

The answer is read off what was imported, never off how the build was meant to go. The pure form answers alike and costs about
four times the processor time, so the start and `-vv` name it.
"""

import importlib
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Final

COMPILED: Final = "compiled"
PURE: Final = "pure"

# One module of each compiled package; they are one group, so that one tells for all. A test looks at every one.
PROBE: Final = "balancer.http.head"


def is_compiled(module: str = PROBE) -> bool:
    """Whether that module was loaded as a native extension."""
    path = importlib.import_module(module).__file__ or ""
    return path.endswith(tuple(EXTENSION_SUFFIXES))


def form() -> str:
    """The form that runs, as the start and `-vv` name it."""
    return COMPILED if is_compiled() else PURE
