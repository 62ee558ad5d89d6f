"""A head as rules see it: field by field, to be read and changed. Made only where a rule asks.

Names are found without regard to case and forwarded as they came; a field that a rule adds is in lower case, as HAProxy's.
What frames the message, or belongs to one connection only, can be read but not changed. Whoever has changed a view writes it
out and reads the result with the same parser as every message, so that nothing a rule writes can be taken for something else.
"""

from typing import Final

from multidict import CIMultiDict

PROTECTED: Final = frozenset(["content-length", "transfer-encoding", "connection", "upgrade", "keep-alive", "proxy-connection"])


class View:
    """The fields of one head; texts are latin-1, octet for octet."""

    def __init__(self, lines: bytes) -> None:
        self.fields: CIMultiDict[str] = CIMultiDict()
        self.is_changed: bool = False
        for line in lines.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon:
                self.fields.add(name.decode("latin-1"), value.strip(b" \t").decode("latin-1"))

    def lines(self) -> bytes:
        """The fields as lines of a head."""
        parts = [f"{name}: {value}\r\n" for name, value in self.fields.items()]
        return "".join(parts).encode("latin-1")

    def names(self) -> list[str]:
        """The names as they came, one for each line."""
        return list(self.fields.keys())

    def values(self, name: str) -> list[bytes]:
        """The values of all lines of that name."""
        return [value.encode("latin-1") for value in self.fields.getall(name, [])]

    def elements(self, name: str) -> list[bytes]:
        """The elements of all lines of that name, parted by commas outside quotes."""
        found: list[bytes] = []
        for value in self.values(name):
            found.extend(split_elements(value))
        return found

    def add(self, name: str, value: bytes) -> None:
        """One more line, behind all others."""
        self.fields.add(name.lower(), value.decode("latin-1"))
        self.is_changed = True

    def remove(self, name: str) -> None:
        """All lines of that name."""
        if name.lower() not in PROTECTED and name in self.fields:
            self.fields.popall(name)
            self.is_changed = True

    def replace_all(self, name: str, values: list[bytes]) -> None:
        """The values of the lines of that name, as many as there are, each in its place."""
        count = 0
        changed: CIMultiDict[str] = CIMultiDict()
        for own, value in self.fields.items():
            if own.lower() == name.lower():
                changed.add(own, values[count].decode("latin-1"))
                count += 1
            else:
                changed.add(own, value)
        self.fields = changed
        self.is_changed = True


def split_elements(value: bytes, is_bare: bool = True) -> list[bytes]:
    """The elements of one value, without the blanks around them if `is_bare`; a comma within quotes parts nothing."""
    found = _elements_with_blanks(value)
    return [part.strip(b" \t") for part in found] if is_bare else found


def _elements_with_blanks(value: bytes) -> list[bytes]:
    if b'"' not in value:
        return value.split(b",")
    found: list[bytes] = []
    begin = 0
    is_quoted = False
    is_escaped = False
    for at, octet in enumerate(value):
        if is_escaped:
            is_escaped = False
        elif is_quoted and octet == 92:
            is_escaped = True
        elif octet == 34:
            is_quoted = not is_quoted
        elif octet == 44 and not is_quoted:
            found.append(value[begin:at])
            begin = at + 1
    found.append(value[begin:])
    return found


def cookies_of(values: list[bytes], name: bytes) -> list[bytes]:
    """The values of a cookie in Cookie fields; of all cookies where the name is empty."""
    found: list[bytes] = []
    for value in values:
        for part in value.split(b";"):
            own, sign, content = part.strip(b" \t").partition(b"=")
            if sign and (not name or own.strip(b" \t") == name):
                found.append(content.strip(b" \t"))
    return found


def set_cookies_of(values: list[bytes], name: bytes) -> list[bytes]:
    """The values of a cookie in Set-Cookie fields."""
    found: list[bytes] = []
    for value in values:
        own, sign, content = value.partition(b";")[0].partition(b"=")
        if sign and (not name or own.strip(b" \t") == name):
            found.append(content.strip(b" \t"))
    return found
