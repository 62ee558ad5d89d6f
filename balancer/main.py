"""The program: reads the command line and the configuration, says what is wrong with them, and starts the process.

Exit statuses are HAProxy's: 0 fine, 1 for a refused command line, a configuration with errors and a start that failed, 2 from
`-c` alone for a valid configuration with nothing to listen on and from `-cc` for what is no condition; a process that was
ended by SIGTERM or SIGINT dies of it.
Whatever the files have to say, they say all of it in one run, before anything is opened.
"""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NoReturn, TextIO

import balancer
from balancer import assembly, process
from balancer.arguments import ArgumentError, Arguments, expand_paths, parse, usage
from balancer.config.conditions import ConditionError
from balancer.config.features import feature_list
from balancer.config.findings import ALERT, DIAG, NOTICE, WARNING, Refusal, closing_lines, printable
from balancer.config.loader import holds, load
from balancer.form import form
from balancer.messages import Messages

OK: Final = 0
FAILED: Final = 1
NO_LISTENER: Final = 2
NO_CONDITION: Final = 2

LIBRARIES: Final[tuple[str, ...]] = ("uvloop", "aiohttp", "multidict", "prometheus-client")


def entry() -> NoReturn:
    """The console script. Started as root it runs isolated: no path or setting of the user's environment is followed."""
    if os.geteuid() == 0 and not sys.flags.isolated:
        os.execv(sys.executable, [sys.executable, "-I", *sys.argv])
    sys.exit(main(sys.argv[1:], sys.stdout, sys.stderr))


def main(words: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Runs the program with the words after its name; returns the exit status."""
    try:
        arguments = parse(words)
    except ArgumentError as error:
        return _refuse(str(error), err)
    if arguments.version:
        out.write(version_text() if arguments.version == "-v" else version_text() + build_text())
        return OK
    messages = Messages(err, arguments.is_quiet(False))
    if arguments.condition is not None:
        return _evaluate(arguments.condition, arguments, messages)
    if arguments.directory:
        try:
            os.chdir(arguments.directory)
        except OSError as error:
            messages.alert(f"Could not change to directory {arguments.directory} : {error.strerror}")
            return FAILED
    paths = expand_paths(arguments.paths)
    if not paths:
        return _refuse("no configuration file is named (-f)", err)
    return _load_and_run(paths, arguments, messages, out)


def version_text() -> str:
    """What `-v` prints."""
    system = platform.uname()
    return (
        f"balancer version {balancer.__version__} - reads haproxy.cfg, behaves as HAProxy 2.6\n"
        f"Running on: {system.system} {system.release} {system.version} {system.machine}\n"
    )


def build_text() -> str:
    """What `-vv` prints beyond `-v`."""
    libraries = ", ".join(f"{name} {_library_version(name)}" for name in LIBRARIES)
    return (
        f"Form: {form()}\n"
        f"Feature list : {feature_list()}\n"
        f"Python: {platform.python_version()} at {sys.executable}\n"
        f"Libraries: {libraries}\n"
        f"Running as: {_rights_text()}\n"
        "Default settings :\n  bufsize = 16384, maxrewrite = 1024\n"
    )


def _rights_text() -> str:
    mode = "isolated" if sys.flags.isolated else "not isolated"
    user = os.geteuid()
    if user == 0:
        return f"uid 0, {mode}: chroot, user, group, uid and gid must succeed"
    return f"uid {user}, {mode}: chroot, user, group, uid and gid are tried; what only root may do is passed over and said"


def _library_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _refuse(reason: str, err: TextIO) -> int:
    messages = Messages(err, is_quiet=False)
    messages.alert(f"{reason}.")
    messages.line(usage("balancer"))
    return FAILED


def _evaluate(condition: str, arguments: Arguments, messages: Messages) -> int:
    """`-cc`: the status says whether the condition holds; only a mistake in it is told."""
    try:
        return OK if holds(condition, local_peer=arguments.local_peer) else FAILED
    except ConditionError as error:
        messages.alert(f"config : Failed to evaluate condition: {printable(str(error))}")
    except Refusal as refusal:
        messages.alert(f"config : Syntax Error in condition: {printable(str(refusal))}")
    return NO_CONDITION


def _load_and_run(paths: list[str], arguments: Arguments, messages: Messages, out: TextIO) -> int:
    outcome = load(paths, local_peer=arguments.local_peer, is_master=arguments.master != "")
    loaded = outcome.model
    if loaded is not None:
        messages.is_quiet = arguments.is_quiet(loaded.process.quiet)
        arguments = replace(arguments, zero_warning=arguments.zero_warning or loaded.process.zero_warning)
    tell = {ALERT: messages.alert, WARNING: messages.warning, NOTICE: messages.notice, DIAG: messages.diag}
    for finding in outcome.findings:
        if finding.level != DIAG or arguments.diagnoses:
            tell[finding.level](str(finding))
    for line in closing_lines(outcome.findings):
        messages.alert(line)
    for text in arguments.passed_over:
        messages.warning(f"command line : {text}.")
    if loaded is None or any(finding.level == ALERT for finding in outcome.findings):
        return FAILED
    if arguments.zero_warning and messages.warning_count:
        messages.alert("config : Some warnings were found and 'zero-warning' is set. Aborting.")
        return FAILED
    if arguments.check:
        return _tell_verdict(outcome.has_listener, messages, out)
    if not outcome.has_listener:
        messages.alert("[balancer.main()] No enabled listener found (check for 'bind' directives) ! Exiting.")
        return FAILED
    messages.notice(f"balancer version is {balancer.__version__}, {form()} form.")
    return process.run(loaded, arguments, messages, assembly.assemble)


def _tell_verdict(has_listener: bool, messages: Messages, out: TextIO) -> int:
    """The outcome of `-c` in HAProxy's words, on standard output."""
    lines = ["Warnings were found."] if messages.warning_count else []
    if has_listener:
        lines.append("Configuration file is valid")
    else:
        lines.append("Configuration file has no error but will not start (no listener) => exit(2).")
    if not messages.is_quiet:
        out.write("\n".join(lines) + "\n")
        out.flush()
    return OK if has_listener else NO_LISTENER
