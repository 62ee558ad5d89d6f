"""Tells which balancer the tests would run: the installed one, compiled or pure, or the source in the checkout."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import balancer
from balancer.form import form

CHECKOUT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = "source"
FORMS: Final[tuple[str, ...]] = ("compiled", "pure", SOURCE)


class SubjectError(Exception):
    """The tests would run against something other than what was asked for."""


def is_source() -> bool:
    """Whether the imported package is the one in the checkout."""
    return Path(balancer.__file__).resolve().parent == CHECKOUT / "balancer"


def found_form() -> str:
    """The form that an import gives here: compiled, pure or source."""
    return SOURCE if is_source() else form()


def describe_subject(environ: Mapping[str, str]) -> str:
    """One line on what is under test; SubjectError when it is not what `environ` asks for."""
    expected = environ.get("BALANCER_FORM", "")
    found = found_form()
    where = Path(balancer.__file__).parent
    if expected and expected not in FORMS:
        raise SubjectError(f"BALANCER_FORM expects {', '.join(FORMS)} (got {expected!r})")
    if expected and expected != found:
        raise SubjectError(f"BALANCER_FORM={expected}, but the {found} form is imported, from {where}")
    if found == SOURCE and expected != SOURCE and not _is_named_by_pythonpath(environ):
        raise SubjectError(
            f"the uncompiled source in {where} would be tested; install it and run 'python -P -m pytest' there (make test), "
            "or ask for it: BALANCER_FORM=source PYTHONPATH=CHECKOUT"
        )
    return f"{found}, {where}" + (" (not what is deployed)" if found == SOURCE else "")


def _is_named_by_pythonpath(environ: Mapping[str, str]) -> bool:
    paths = environ.get("PYTHONPATH", "").split(os.pathsep)
    return any(path and Path(path).resolve() == CHECKOUT for path in paths)
