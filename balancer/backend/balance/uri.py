"""`balance uri`: the same page, the same server; for caches behind the balancer.

The key is the target up to its query (`whole`: with it), no longer than `len`, no deeper than `depth` directories; of an
absolute target the authority belongs to it, unless `path-only`.
"""

from balancer import model
from balancer.backend.balance.hashed import Hashed
from balancer.backend.visit import Visit


class Uri(Hashed):
    """Keyed by the request's target."""

    def hash_of(self, visit: Visit) -> int:
        """The hash of what counts of the target."""
        target = visit.target_octets()
        return self.hash_octets(counted_part(self.rule, path_of(target) if self.rule.is_path_only else target))


def path_of(target: bytes) -> bytes:
    """The path and query of a target; b"" for `*`."""
    scheme_end = target.find(b"://")
    if target.startswith(b"/") or scheme_end < 0:
        return target if target.startswith(b"/") else b""
    slash = target.find(b"/", scheme_end + 3)
    return target[slash:] if slash >= 0 else b""


def counted_part(rule: model.Balance, target: bytes) -> bytes:
    """The beginning of the target that is hashed."""
    end = min(len(target), rule.length_max or len(target))
    if not rule.is_whole:
        query = target.find(b"?")
        if 0 <= query < end:
            end = query
    if rule.depth_max:
        slash = -1
        for _ in range(rule.depth_max + 1):
            slash = target.find(b"/", slash + 1)
            if slash < 0:
                break
        if 0 <= slash < end:
            end = slash
    return target[:end]
