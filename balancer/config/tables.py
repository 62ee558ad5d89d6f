"""The whole table of keywords: what works, and what HAProxy knows and we do not do."""

from typing import Final

from balancer.config.drafts import GlobalDraft, ProxyDraft
from balancer.config.everyday import EVERYDAY_ROWS
from balancer.config.globals import GLOBAL_ROWS
from balancer.config.httperrors import ERROR_ROWS
from balancer.config.kernel import KERNEL_ROWS
from balancer.config.keywords import Table
from balancer.config.known_sections import GLOBAL_KNOWN, PROXY_KNOWN
from balancer.config.proxies import PROXY_ROWS
from balancer.config.statefiles import STATE_ROWS
from balancer.config.statspage import STATS_PAGE_ROWS

GLOBAL_TABLE: Final[Table[GlobalDraft]] = Table((*GLOBAL_ROWS, *GLOBAL_KNOWN))
PROXY_TABLE: Final[Table[ProxyDraft]] = Table(
    (*PROXY_ROWS, *EVERYDAY_ROWS, *ERROR_ROWS, *KERNEL_ROWS, *STATE_ROWS, *STATS_PAGE_ROWS, *PROXY_KNOWN)
)
