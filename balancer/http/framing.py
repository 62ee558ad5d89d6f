"""Where a body ends, and its octets written afresh.

A `Body` takes what arrives and gives what is to be sent on; it never buffers more than an unfinished chunk line or trailer
section. Chunk sizes, extensions, the CRLF behind the data and trailers are parsed strictly (RFC 9112 7.1) and not relayed:
what leaves is one new chunk for each piece that came. Only whole chunks that came octet for octet as they would be written
pass as they are: a stream of events is made of these. Octets behind the end of the body are never touched: `feed` says how far
it read.
"""

from typing import Final

from mypy_extensions import i64

from balancer.http.octets import CLASS, FIELD, HEX, TCHAR

NO_BODY: Final = 0
LENGTH: Final = 1
CHUNKED: Final = 2
UNTIL_CLOSE: Final = 3

# Limits on what frames a chunked body: 15 hex digits stay below 2**63; the rest bounds what may come without any data.
SIZE_DIGITS_MAX: Final = 15
EXTENSION_OCTETS_MAX: Final = 4096
EXTENSION_LINE_MAX: Final = 1024
TRAILER_OCTETS_MAX: Final = 8192
# Sizes of more digits than this are read the long way: no read brings such a chunk whole.
WHOLE_DIGITS_MAX: Final = 7

# Where the chunked parser stands.
_SIZE: Final = 0
_EXTENSION: Final = 1
_SIZE_LF: Final = 2
_DATA: Final = 3
_DATA_CR: Final = 4
_DATA_LF: Final = 5
_TRAILER: Final = 6

# Trailer fields that would change framing, routing or identity if they were believed (RFC 9110 6.5.1).
FORBIDDEN_TRAILERS: Final = frozenset(
    [
        b"transfer-encoding",
        b"content-length",
        b"host",
        b"cookie",
        b"set-cookie",
        b"connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"upgrade",
        b"authorization",
        b"content-encoding",
        b"content-type",
        b"content-range",
        b"expect",
        b"cache-control",
        b"proxy-connection",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-server",
    ]
)


class Body:
    """One message body on its way through.

    `is_done` when the end was seen, `is_bad` when the framing is broken (nothing more is to be read). `data_octets` counts
    the payload, `trailer_octets` the names and values behind it. `out` collects what is to be sent on since the caller last
    took it.
    """

    def __init__(self, kind: int, length: int, writes_chunks: bool) -> None:
        self.kind = kind
        self.writes_chunks = writes_chunks
        self.left: i64 = length if kind == LENGTH else 0
        self.is_done: bool = kind == NO_BODY or (kind == LENGTH and length == 0)
        self.is_bad: bool = False
        self.data_octets: int = 0
        self.trailer_octets: int = 0
        self.out: list[bytes] = []
        self.state: i64 = _SIZE
        self.digits: i64 = 0
        self.extension_octets: i64 = 0
        self.line_octets: i64 = 0
        self.trailer: bytes = b""
        self.trailer_read: int = 0  # its lines up to here were found to be good

    def feed(self, data: bytes, start: int) -> int:
        """Takes data[start:] and returns how far it belonged to this body: nothing once it is done."""
        if self.is_done:
            return start
        length = len(data)
        if self.kind == LENGTH:
            available = length - start
            if available >= self.left:
                available = int(self.left)
                self.is_done = True
            self.left -= available
            if available:
                self.data_octets += available
                self.out.append(data if start == 0 and available == length else data[start : start + available])
            return start + available
        if self.kind == CHUNKED:
            return self._feed_chunks(data, start)
        if self.kind == UNTIL_CLOSE:
            if start < length:
                self._emit(data if start == 0 else data[start:])
            return length
        return start

    def end_of_stream(self) -> bool:
        """The sender closed: True if that is a proper end, False if the body is cut short."""
        if self.kind == UNTIL_CLOSE and not self.is_done:
            self.is_done = True
            if self.writes_chunks:
                self.out.append(b"0\r\n\r\n")
        return self.is_done

    def logged_octets(self) -> int:
        """What HAProxy counts of it: neither sizes nor line ends, but one for the last chunk."""
        return self.data_octets + self.trailer_octets + (1 if self.kind == CHUNKED and self.is_done else 0)

    def _emit(self, data: bytes) -> None:
        self.data_octets += len(data)
        if self.writes_chunks:
            self.out.append(b"%x\r\n" % len(data))
            self.out.append(data)
            self.out.append(b"\r\n")
        else:
            self.out.append(data)

    def _bad(self, at: i64) -> int:
        self.is_bad = True
        return int(at)

    def _feed_chunks(self, data: bytes, start: int) -> int:
        length: i64 = len(data)
        i: i64 = start
        if self.writes_chunks and self.state == _SIZE and self.digits == 0:
            i = self._whole_chunks(data, i)
            if i > start:
                self.out.append(data if start == 0 and i == length else data[start:i])
        pieces: list[bytes] = []
        while i < length:
            state = self.state
            if state == _DATA:
                stop: i64 = i + self.left
                if stop > length:
                    stop = length
                pieces.append(data[i:stop])
                self.left -= stop - i
                i = stop
                if self.left == 0:
                    self.state = _DATA_CR
                continue
            octet: i64 = data[i]
            if state == _SIZE:
                if CLASS[octet] & HEX:
                    self.digits += 1
                    if self.digits > SIZE_DIGITS_MAX:
                        return self._bad(i)
                    self.left = self.left * 16 + (octet - 48 if octet <= 57 else (octet & 95) - 55)
                elif self.digits == 0:
                    return self._bad(i)
                elif octet == 13:
                    self.state = _SIZE_LF
                elif octet == 59 or octet == 32 or octet == 9:
                    # BWS is allowed before an extension only (RFC 9112 7.1.1); what follows is checked as it comes.
                    self.state = _EXTENSION
                    self.line_octets = 1 if octet == 59 else 0
                else:
                    return self._bad(i)
            elif state == _EXTENSION:
                if octet == 13:
                    if self.line_octets == 0:
                        return self._bad(i)
                    self.state = _SIZE_LF
                elif self.line_octets == 0 and octet != 59:
                    if octet != 32 and octet != 9:
                        return self._bad(i)
                    self.extension_octets += 1
                elif not CLASS[octet] & FIELD:
                    return self._bad(i)
                else:
                    self.line_octets += 1
                    self.extension_octets += 1
                if self.line_octets > EXTENSION_LINE_MAX or self.extension_octets > EXTENSION_OCTETS_MAX:
                    return self._bad(i)
            elif state == _SIZE_LF:
                if octet != 10:
                    return self._bad(i)
                self.digits = 0
                self.line_octets = 0
                # Data earn what extensions spend, so that a long body may have one in each chunk.
                self.extension_octets = max(0, self.extension_octets - self.left)
                self.state = _DATA if self.left else _TRAILER
            elif state == _DATA_CR:
                if octet != 13:
                    return self._bad(i)
                self.state = _DATA_LF
            elif state == _DATA_LF:
                if octet != 10:
                    return self._bad(i)
                self.state = _SIZE
            else:
                if pieces:
                    self._flush(pieces)
                    pieces = []
                return self._feed_trailer(data, int(i))
            i += 1
        if pieces:
            self._flush(pieces)
        return int(i)

    def _whole_chunks(self, data: bytes, start: i64) -> i64:
        """How far data[start:] are whole chunks with data, without extensions, their sizes in lower case and without zeros."""
        length: i64 = len(data)
        begin = start
        payload: i64 = 0
        while begin < length and data[begin] != 48:
            i: i64 = begin
            size: i64 = 0
            while i < length and i - begin < WHOLE_DIGITS_MAX:
                octet: i64 = data[i]
                if 48 <= octet <= 57:
                    size = size * 16 + octet - 48
                elif 97 <= octet <= 102:
                    size = size * 16 + octet - 87
                else:
                    break
                i += 1
            stop: i64 = i + 2 + size
            if i == begin or stop + 1 >= length or data[i : i + 2] != b"\r\n" or data[stop : stop + 2] != b"\r\n":
                break
            payload += size
            begin = stop + 2
        self.data_octets += int(payload)
        self.extension_octets = max(0, self.extension_octets - payload)
        return begin

    def _flush(self, pieces: list[bytes]) -> None:
        self._emit(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _feed_trailer(self, data: bytes, start: int) -> int:
        """Trailer lines up to the empty one; bounded as a whole, so that joining them again is bounded, too."""
        held = len(self.trailer)
        text = self.trailer + data[start : start + TRAILER_OCTETS_MAX + 4 - held]
        if text.startswith(b"\r\n"):
            end = 2
        else:
            found = text.find(b"\r\n\r\n", max(0, held - 3))
            if found < 0:
                self.trailer = text
                if len(text) > TRAILER_OCTETS_MAX or not self._may_be_trailer(text):
                    self.is_bad = True
                return min(len(data), start + len(text) - held)
            end = found + 4
        if end > 2 and not _are_trailers(text[: end - 2]):
            return self._bad(start)
        if self.writes_chunks:
            self.out.append(b"0\r\n" + text[:end])
        if end > 2:
            self.trailer_octets = _counted(text[: end - 4])
        self.trailer = b""
        self.is_done = True
        return start + end - held

    def _may_be_trailer(self, text: bytes) -> bool:
        """Refuses at once what no more octets can mend; reads each line once, in however many pieces it comes."""
        begin = self.trailer_read
        end = text.rfind(b"\n") + 1
        if end <= begin:
            return True
        self.trailer_read = end
        return _are_trailers(text[begin:end])


def _counted(lines: bytes) -> int:
    """The octets of the names and values of good lines."""
    fields = [line.partition(b":") for line in lines.split(b"\r\n")]
    return sum([len(name) + len(value.strip(b" \t")) for name, _, value in fields])


def _are_trailers(lines: bytes) -> bool:
    """Whether these CRLF-ended lines are well-formed fields that a trailer may carry."""
    for line in lines.split(b"\r\n")[:-1]:
        colon = line.find(b":")
        # With `_` in place of `-` a server behind may take it for the same name (see fields.py).
        if colon < 1 or line[:colon].lower().replace(b"_", b"-") in FORBIDDEN_TRAILERS:
            return False
        for octet in line[:colon]:
            if not CLASS[octet] & TCHAR:
                return False
        for octet in line[colon + 1 :]:
            if not CLASS[octet] & FIELD:
                return False
    return lines.endswith(b"\r\n")
