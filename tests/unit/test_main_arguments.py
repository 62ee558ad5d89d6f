"""The command line: every flag of the table, what is refused, and what the usage text says."""

import os
from pathlib import Path

import pytest

from balancer.arguments import ATTACHED, FLAGS, NONE, ONE, REST, ArgumentError, Flag, expand_paths, parse, usage


def test_files_are_named_by_repeated_f_and_after_two_dashes() -> None:
    arguments = parse(["-f", "a.cfg", "-q", "-f", "b.cfg", "--", "-c.cfg", "d.cfg"])
    assert arguments.paths == ["a.cfg", "b.cfg", "-c.cfg", "d.cfg"]
    assert arguments.quiet and not arguments.check


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag.takes == NONE], ids=lambda flag: str(flag.word))
def test_a_flag_without_operand_leaves_the_next_word_alone(flag: Flag) -> None:
    word = flag.word
    assert parse([word, "-f", "a.cfg"]).paths == ["a.cfg"]


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag.takes == ONE], ids=lambda flag: str(flag.word))
def test_an_operand_that_is_missing_is_refused(flag: Flag) -> None:
    word = flag.word
    with pytest.raises(ArgumentError, match=f"'{word}' expects"):
        parse(["-q", word])
    if flag.may_be_empty:
        parse([word, ""])
        return
    with pytest.raises(ArgumentError, match=f"'{word}' expects"):
        parse([word, ""])


@pytest.mark.parametrize("word", ["-Z", "-cf", "-dbx", "-dZ", "-fa.cfg", "--help", "-h", "-", "a.cfg", "", "-VV", "-Dq"])
def test_a_word_that_is_no_flag_is_refused_and_named(word: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        parse(["-f", "a.cfg", word])
    assert f"'{word}'" in str(refused.value)


@pytest.mark.parametrize("flag", ["-n", "-N", "-m"])
@pytest.mark.parametrize("word", ["abc", "-1", "1k", "1_000", " 1", "٣", "1.5"])
def test_numbers_are_plain_digits(flag: str, word: str) -> None:
    with pytest.raises(ArgumentError, match=f"'{flag}' expects a number"):
        parse([flag, word])


def test_numbers_are_kept() -> None:
    arguments = parse(["-n", "100", "-N", "20", "-m", "512"])
    assert (arguments.maxconn, arguments.proxy_maxconn, arguments.memory_max_mb) == (100, 20, 512)


def test_process_ids_are_taken_up_to_the_next_flag() -> None:
    arguments = parse(["-f", "a.cfg", "-sf", "12", "34"])
    assert arguments.finish_pids == [12, 34]
    assert parse(["-sf", "-f", "a.cfg"]).paths == ["a.cfg"]  # an init script whose pid file was empty
    assert parse(["-st", "7"]).terminate_pids == [7]
    with pytest.raises(ArgumentError, match="'-sf' expects"):
        parse(["-sf", "abc"])


def test_foreground_wins_over_daemon_whatever_asked_for_it() -> None:
    assert parse(["-D"]).is_daemon(False)
    assert parse([]).is_daemon(True)
    assert not parse(["-D", "-db"]).is_daemon(True)
    assert not parse(["-D", "-d"]).is_daemon(True)
    assert not parse([]).is_daemon(False)


def test_verbose_wins_over_quiet_whatever_asked_for_it() -> None:
    assert parse(["-q"]).is_quiet(False)
    assert parse([]).is_quiet(True)
    assert not parse(["-q", "-V"]).is_quiet(True)
    assert not parse(["-q", "-d"]).is_quiet(True)


def test_what_changes_nothing_yet_is_named_and_not_silently_ignored() -> None:
    arguments = parse(["-Ws", "-S", "/run/master.sock", "-x", "/run/old.sock", "-L", "me", "-dMno-merge", "-dKall", "-dr"])
    assert arguments.master == "-Ws"
    assert [text.split(":")[0] for text in arguments.passed_over] == ["'-Ws'", "'-S'"]
    assert arguments.old_socket == "/run/old.sock"


def test_the_usage_text_has_a_line_for_each_flag() -> None:
    lines = usage("balancer").splitlines()
    for flag in FLAGS:
        assert any(line.split()[0].startswith(flag.word) for line in lines), flag.word
    assert all(len(line) <= 128 for line in lines)


def test_every_flag_of_the_operators_is_in_the_table() -> None:
    words = {flag.word for flag in FLAGS}
    taken = "-f -c -q -V -v -vv -D -db -d -W -Ws -p -n -N -m -C -L -S -x -sf -st -dW -dr -dM -dV -de -dp -dS -dR -dG"
    assert set(taken.split()) <= words
    assert {flag.takes for flag in FLAGS} == {NONE, ONE, REST, ATTACHED}


def test_a_directory_stands_for_its_cfg_files_in_order(tmp_path: Path) -> None:
    directory = str(tmp_path)
    for name in ("b.cfg", "a.cfg", ".hidden.cfg", "c.cfg.bak", "README"):
        with open(f"{directory}/{name}", "w", encoding="ascii"):
            pass
    assert expand_paths(["x.cfg", directory]) == ["x.cfg", f"{directory}/a.cfg", f"{directory}/b.cfg"]


def test_of_a_directory_only_files_are_read_and_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    directory = str(tmp_path)
    os.mkfifo(f"{directory}/a.cfg")
    os.mkdir(f"{directory}/b.cfg")
    os.symlink("nowhere", f"{directory}/c.cfg")
    with open(f"{directory}/d.cfg", "w", encoding="ascii"):
        pass
    os.symlink("d.cfg", f"{directory}/e.cfg")
    assert expand_paths([directory]) == [f"{directory}/{name}.cfg" for name in "cde"]


def test_a_condition_may_be_empty_and_is_kept_as_it_is() -> None:
    assert parse([]).condition is None
    assert parse(["-cc", ""]).condition == ""
    assert parse(["-cc", "-x"]).condition == "-x"
