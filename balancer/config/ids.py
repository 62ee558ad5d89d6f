"""Users and groups of the system, as numbers: after a chroot nobody can look their names up."""

import grp
import pwd
from typing import Final

from balancer.config.findings import Refusal

ID_MAX: Final = 2**32 - 2


def user_id(name: str) -> int:
    """The uid of a user. Refuses a name that the system does not know."""
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError, UnicodeError) as error:
        raise Refusal(f"cannot find user id for '{name}'") from error


def group_id(name: str) -> int:
    """The gid of a group. Refuses a name that the system does not know."""
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError, UnicodeError) as error:
        raise Refusal(f"cannot find group id for '{name}'") from error
