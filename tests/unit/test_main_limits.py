"""The descriptor limit: who may raise it, what is lowered, what stops the start."""

import resource
from dataclasses import replace

import pytest

from balancer import limits, model


class Kernel:
    """A descriptor limit that keeps the rules of setrlimit(2)."""

    def __init__(self, soft: int, hard: int, is_root: bool) -> None:
        self.limits = (soft, hard)
        self.is_root = is_root

    def read(self) -> tuple[int, int]:
        return self.limits

    def write(self, wanted: tuple[int, int]) -> None:
        if wanted[1] > self.limits[1] and not self.is_root:
            raise ValueError("not allowed to raise maximum limit")
        self.limits = wanted


def settle(kernel: Kernel, maxconn: int, strict: bool = False) -> limits.Settled:
    process = replace(model.Global(), strict_limits=strict)
    return limits.settle(model.Model(process, (), (), ()), maxconn, kernel.read, kernel.write)


FIXED = limits.PROCESS_DESCRIPTORS


def test_a_sufficient_limit_is_left_alone() -> None:
    kernel = Kernel(4096, 8192, is_root=False)
    assert settle(kernel, 1000) == limits.Settled(1000, 4096, "")
    assert kernel.limits == (4096, 8192)


def test_the_soft_limit_is_raised_as_far_as_needed() -> None:
    kernel = Kernel(1024, 100_000, is_root=False)
    assert settle(kernel, 32000).maxconn == 32000
    assert kernel.limits == (64000 + FIXED, 100_000)


def test_root_raises_the_hard_limit_too() -> None:
    kernel = Kernel(1024, 4096, is_root=True)
    assert settle(kernel, 32000) == limits.Settled(32000, 64000 + FIXED, "")
    assert kernel.limits == (64000 + FIXED, 64000 + FIXED)


def test_a_hard_limit_too_low_lowers_maxconn_and_says_so() -> None:
    kernel = Kernel(1024, 20000, is_root=False)
    settled = settle(kernel, 32000)
    assert settled.maxconn == (20000 - FIXED) // 2
    assert settled.descriptors_max == 20000
    assert f"FD limit (20000) too low for maxconn=32000/maxsock={64000 + FIXED}." in settled.warning
    assert f"maxconn is lowered to {settled.maxconn}" in settled.warning


def test_strict_limits_stop_the_start_instead() -> None:
    with pytest.raises(limits.LimitError, match=f"Cannot raise FD limit to {64000 + FIXED}, limit is 20000."):
        settle(Kernel(1024, 20000, is_root=False), 32000, strict=True)


def test_a_limit_that_carries_no_connection_stops_the_start() -> None:
    with pytest.raises(limits.LimitError, match="Cannot raise FD limit"):
        settle(Kernel(20, 20, is_root=False), 100)


def test_without_maxconn_the_limit_decides() -> None:
    assert settle(Kernel(1024, 20000, is_root=False), 0).maxconn == (20000 - FIXED) // 2
    kernel = Kernel(1024, resource.RLIM_INFINITY, is_root=False)
    assert settle(kernel, 0).maxconn == (limits.DERIVED_LIMIT_MAX - FIXED) // 2


def test_root_does_not_raise_the_hard_limit_where_nobody_asked_for_a_number() -> None:
    kernel = Kernel(1024, 4096, is_root=True)
    settle(kernel, 0)
    assert kernel.limits == (4096, 4096)


def test_an_unlimited_process_carries_what_is_asked() -> None:
    assert settle(Kernel(resource.RLIM_INFINITY, resource.RLIM_INFINITY, is_root=False), 5000).maxconn == 5000
