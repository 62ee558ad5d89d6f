"""The keywords of `global` that change the variables which later lines may ask for."""

from typing import Final

from balancer.config.drafts import GlobalDraft
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, works
from balancer.config.statement import Statement

SET_WORDS: Final = 2


def _set(draft: GlobalDraft, statement: Statement) -> None:
    if len(statement.arguments) < SET_WORDS or statement.arguments[1] == "":
        raise Refusal(f"'{statement.keyword}' expects a name and a value.")
    name, value, *others = statement.arguments
    if others:
        statement.warn(f"'{statement.keyword}' : '{' '.join(others)}' behind the value has no effect, as in HAProxy")
    if statement.keyword == "presetenv" and name in draft.environment.variables:
        return
    try:
        draft.environment.set(name, value)
    except ValueError as error:
        raise _impossible(statement, name) from error


def _unset(draft: GlobalDraft, statement: Statement) -> None:
    if statement.arguments[:1] in ((), ("",)):
        raise Refusal(f"'{statement.keyword}' expects at least one variable name.")
    for name in statement.arguments:
        try:
            draft.environment.unset(name)
        except ValueError as error:
            raise _impossible(statement, name) from error


def _reset(draft: GlobalDraft, statement: Statement) -> None:
    draft.environment.keep_only(statement.arguments)


def _local_peer(draft: GlobalDraft, statement: Statement) -> None:
    if not statement.arguments:
        raise Refusal(f"'{statement.keyword}' expects a name as an argument.")
    statement.no_more(1)
    if draft.environment.has_local_peer:
        statement.warn("'localpeer' ignored since it is already set by using the '-L' command line argument.")
        return
    draft.environment.set("HAPROXY_LOCALPEER", statement.arguments[0])


def _impossible(statement: Statement, name: str) -> Refusal:
    return Refusal(f"'{statement.keyword}' failed on variable '{name}' : Invalid argument.")


ENVIRONMENT_ROWS: Final[tuple[Keyword[GlobalDraft], ...]] = (
    works("setenv", "G", "gives a variable a value for the lines that follow", _set),
    works("presetenv", "G", "the same unless there is a variable of that name", _set),
    works("unsetenv", "G", "removes variables for the lines that follow", _unset),
    works("resetenv", "G", "removes all variables but those that are named", _reset),
    works("localpeer", "G", "the value of `HAPROXY_LOCALPEER`, unless `-L` gives it; there are no peers", _local_peer),
)
