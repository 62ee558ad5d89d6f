"""Blocks, messages, and variables that a file sets: which lines count, and what is said of the others."""

from pathlib import Path

import pytest
from config_files import load_text, told

from balancer import config
from balancer.config.features import VERSION


def alerts(directory: Path, *texts: str) -> list[str]:
    return told(load_text(directory, *texts), config.ALERT)


def notices(directory: Path, text: str) -> list[str]:
    """What the `.notice` lines of the text say, which must be without errors."""
    outcome = load_text(directory, text)
    assert not told(outcome, config.ALERT)
    return [finding.text for finding in outcome.findings if finding.level == config.NOTICE]


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        (".if 1\n.notice a\n.elif 1\n.notice b\n.else\n.notice c\n.endif\n", "a"),
        (".if 0\n.notice a\n.elif 1\n.notice b\n.elif 1\n.notice B\n.else\n.notice c\n.endif\n", "b"),
        (".if 0\n.notice a\n.elif 0\n.notice b\n.else\n.notice c\n.endif\n", "c"),
        (".if\n.notice a\n.endif\n.notice d\n", "d"),
        (".if 0\n.if 1\n.notice a\n.else\n.notice b\n.endif\n.else\n.if 0\n.else\n.notice c\n.endif\n.endif\n", "c"),
        (".if 1\n.if 0\n.notice a\n.endif\n.notice b\n.else\n.notice c\n.endif\n", "b"),
        ('.if streq("$HOME_PORT",8081)\n.notice a\n.endif\n', "a"),
        ("  .if  streq(x  y,'x y')  # why\n\t.notice a\n.endif # end\n", "a"),
    ],
)
def test_of_a_block_the_first_branch_that_holds_counts(tmp_path: Path, text: str, heard: str) -> None:
    assert notices(tmp_path, text) == [f"'{heard}'."]


def test_a_section_goes_on_behind_a_block(tmp_path: Path) -> None:
    text = "defaults\n mode http\nlisten a\n bind :80\n.if 0\nlisten b\n.endif\n nosuch\n"
    (alert,) = alerts(tmp_path, text)
    assert alert.startswith("ALERT 8: unknown keyword 'nosuch' in 'listen' section")


def test_reading_goes_on_behind_each_mistake(tmp_path: Path) -> None:
    text = (
        ".endif\n.else\n.elif 1\n"
        ".if x\n nosuch\n.elif 1\n nosuch\n.else\n nosuch\n.else\n.elif 1\n nosuch\n.endif x\n"
        ".nosuch\nnosuch\n"
    )
    assert [alert.split(":")[0] for alert in alerts(tmp_path, text)] == [
        f"ALERT {line}" for line in (1, 2, 3, 4, 10, 11, 13, 14, 15)
    ]


def test_a_file_ends_its_blocks(tmp_path: Path) -> None:
    assert alerts(tmp_path, ".if 1\n.if 0\n\n", ".endif\n") == [
        "ALERT 3: non-terminated '.if' block.",
        "ALERT 1: lone '.endif' with no matching '.if'.",
    ]


def test_messages_have_their_levels(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, ".diag a\n.notice b\n.warning c\n.alert 'd e'\n.alert\n")
    assert told(outcome) == ["DIAG 1: 'a'.", "NOTICE 2: 'b'.", "WARNING 3: 'c'.", "ALERT 4: 'd e'.", "ALERT 5: ''."]
    assert outcome.model is None


def test_variables_are_set_for_the_lines_after(tmp_path: Path) -> None:
    say = '.notice "${A-none} ${B-none} ${HOME_PORT-none}"\n'
    lines = (" setenv A 1\n", " presetenv A 2\n", " presetenv B 3\n", " unsetenv A NONE\n", " resetenv B\n", " resetenv\n")
    assert notices(tmp_path, "global\n" + say + "".join(line + say for line in lines)) == [
        f"'{words}'."
        for words in (
            "none none 8081",
            "1 none 8081",
            "1 none 8081",
            "1 3 8081",
            "none 3 8081",
            "none 3 none",
            "none none none",
        )
    ]


def test_localpeer_changes_its_variable(tmp_path: Path) -> None:
    assert notices(tmp_path, 'global\n localpeer me\n.notice "$HAPROXY_LOCALPEER"\n') == ["'me'."]


def written(directory: Path, text: str) -> str:
    path = directory / "a.cfg"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_load_leaves_the_processs_environment_alone(tmp_path: Path) -> None:
    mine = {"A": "1"}
    config.load([written(tmp_path, "global\n setenv A 2\n setenv B 3\n resetenv\n")], environment=mine)
    assert mine == {"A": "1"}


def test_haproxys_own_variables(tmp_path: Path) -> None:
    path = written(
        tmp_path, '.notice "$HAPROXY_LOCALPEER $HAPROXY_STARTUP_VERSION ${HAPROXY_MWORKER-none} $HAPROXY_CFGFILES"\n'
    )
    outcome = config.load([path, path], environment={}, local_peer="me", is_master=True)
    assert [finding.text for finding in outcome.findings] == [f"'me {VERSION} 1 {path};{path}'."] * 2
    outcome = config.load([path], environment={}, local_peer="me")
    assert outcome.findings[0].text == f"'me {VERSION} none {path}'."


def test_localpeer_yields_to_the_command_line(tmp_path: Path) -> None:
    path = written(tmp_path, 'global\n localpeer x\n.notice "$HAPROXY_LOCALPEER"\n')
    outcome = config.load([path], local_peer="me")
    assert told(outcome, config.NOTICE) == ["NOTICE 3: 'me'."]
    assert "-L" in told(outcome, config.WARNING)[0]


def test_the_place_is_known(tmp_path: Path) -> None:
    text = (
        '.notice "<${.SECTION}>"\nglobal\n.notice "$.SECTION $.LINE"\ndefaults\n.notice "$.SECTION"\ndefaults d\n'
        '.notice "$.SECTION"\nlisten "x${.LINE}" from d\n mode http\n.notice "$.SECTION ${.FILE}"\n'
    )
    path = written(tmp_path, text)
    outcome = config.load([path], environment={})
    said = [finding.text for finding in outcome.findings if finding.level == config.NOTICE]
    assert said == ["'<>'.", "'global 3'.", "'defaults'.", "'d'.", f"'x8 {path}'."]
