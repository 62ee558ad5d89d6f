"""The form of the innermost functions that runs: native where the package was compiled, else their specification in Python."""

from typing import Final

try:
    from balancer.http import _leaves as chosen
except ImportError:
    from balancer.http import scan as chosen  # type: ignore[no-redef]

IS_NATIVE: Final = chosen.__name__.endswith("._leaves")
cookie_values = chosen.cookie_values
fields = chosen.fields
find_end = chosen.find_end
span = chosen.span
