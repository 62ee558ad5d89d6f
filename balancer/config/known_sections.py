"""x"""

from typing import Any, Final

from balancer.config.keywords import Keyword

GLOBAL_KNOWN: Final[tuple[Keyword[Any], ...]] = ()
PROXY_KNOWN: Final[tuple[Keyword[Any], ...]] = ()
