"""How conditions are decided: each value of a sample against each pattern, as HAProxy's ACLs do.

Terms are asked from the left and no further than needed. A sample without a value fits nothing; a negated term is then true.
Regular expressions see no more than a buffer of text, and search for no longer than `patterns.SEARCH_S`.
"""

from ipaddress import IPv4Address, IPv6Address

from balancer.proxy.converters import address_of, boolean_of, integer_of, text_of
from balancer.proxy.fetches import values
from balancer.proxy.patterns import compiled, search
from balancer.proxy.scene import Scene
from balancer.rulebook import Condition, Test, Value


def holds(scene: Scene, condition: Condition | None) -> bool:
    """Whether a rule under that condition applies; without one it always does."""
    if condition is None:
        return True
    for terms in condition.alternatives:
        for term in terms:
            is_true = False
            for test in term.tests:
                if fits(scene, test):
                    is_true = True
                    break
            if is_true == term.is_negated:
                break
        else:
            return not condition.is_negated
    return condition.is_negated


def fits(scene: Scene, test: Test) -> bool:
    """Whether any value fits any pattern."""
    found = values(scene, test.sample)
    match = test.match
    if match == "found":
        return bool(found)
    for value in found:
        if match == "bool":
            if boolean_of(value):
                return True
        elif match == "int" or match == "len":
            number = len(text_of(value)) if match == "len" else integer_of(value)
            if number is not None and _in_ranges(number, test.ranges):
                return True
        elif match == "ip":
            if _in_networks(value, test):
                return True
        elif _text_fits(text_of(value), test):
            return True
    return False


def _in_ranges(number: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    for low, high in ranges:
        if low <= number <= high:
            return True
    return False


def _in_networks(value: Value, test: Test) -> bool:
    address = address_of(value)
    if address is None:
        return False
    for network in test.networks:
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None and network.version == 4:
            if address.ipv4_mapped in network:
                return True
        elif isinstance(address, IPv4Address) == (network.version == 4) and address in network:
            return True
    return False


def _text_fits(text: bytes, test: Test) -> bool:
    match = test.match
    if match == "reg":
        for pattern in test.octets:
            if search(compiled(pattern, test.ignores_case), text) is not None:
                return True
        return False
    if test.ignores_case:
        text = text.lower()
    for pattern in test.octets:
        if match == "str":
            is_fitting = text == pattern
        elif match == "beg":
            is_fitting = text.startswith(pattern)
        elif match == "end":
            is_fitting = text.endswith(pattern)
        elif match == "sub":
            is_fitting = pattern in text
        else:
            is_fitting = _between(text, pattern, b"/?" if match == "dir" else b"/?.:")
        if is_fitting:
            return True
    return False


def _between(text: bytes, pattern: bytes, delimiters: bytes) -> bool:
    """Whether the pattern stands whole between delimiters, or at an end; its own at its ends do not count."""
    pattern = pattern.strip(delimiters)
    if not pattern:
        return False
    at = text.find(pattern)
    while at >= 0:
        end = at + len(pattern)
        if (at == 0 or text[at - 1] in delimiters) and (end == len(text) or text[end] in delimiters):
            return True
        at = text.find(pattern, at + 1)
    return False
