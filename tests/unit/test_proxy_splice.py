"""The pipes of spliced bodies: how many, how large, and which may be used again. Real pipes, no sockets."""

import fcntl
import os
import resource

import pytest
from fakes import World
from records import backend_record, server_record

from balancer.proxy.splice import Pipes

F_GETPIPE_SZ = 1032


def pipes(count_max: int = 4, octets: int = 0) -> Pipes:
    return Pipes(World(backend_record(server_record("app1"))).services.farm, count_max, octets)


def test_a_pipe_has_the_size_that_is_asked_for_and_is_used_again_when_it_is_empty() -> None:
    own = pipes(octets=131072)
    first = own.take()
    assert first is not None and first.capacity == 131072 == fcntl.fcntl(first.reader, F_GETPIPE_SZ)
    own.give(first, True)
    assert own.take() is first
    own.give(first, True)
    own.purge()
    assert own.farm.pipes_free == 1, "wanted since the last time"
    own.purge()
    assert own.farm.pipes_free == 0
    with pytest.raises(OSError):
        os.fstat(first.reader)


def test_a_pipe_with_octets_left_is_closed() -> None:
    own = pipes()
    taken = own.take()
    assert taken is not None
    own.give(taken, False)
    assert (own.farm.pipes_used, own.farm.pipes_free) == (0, 0)
    with pytest.raises(OSError):
        os.fstat(taken.writer)


def test_there_are_no_more_pipes_than_maxpipes() -> None:
    own = pipes(count_max=1)
    only = own.take()
    assert only is not None and own.take() is None and own.farm.pipes_used == 1
    own.give(only, False)


@pytest.mark.parametrize("octets", [4096, 8192])
def test_a_small_pipe_is_had_where_the_file_wants_it(octets: int) -> None:
    own = pipes(octets=octets)
    taken = own.take()
    assert taken is not None and taken.capacity == octets
    own.give(taken, False)


def test_without_descriptors_there_is_no_pipe() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    own = pipes()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        assert own.take() is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert own.farm.pipes_used == 0
