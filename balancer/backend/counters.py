"""Integers that the hot path raises and everybody else only reads.

One `Counters` serves a frontend, a backend or a server; slots that have no meaning for one of them stay 0 and are left out
by the table of columns (`observe.columns`). Current values (`*_cur`) go up and down, `*_max` are their peaks, the rest only
grows until `clear`. A rate is HAProxy's sliding one: this second's events plus the part of the last second's that is
still inside the window.
"""


class RateMeter:
    """Events per second over a sliding window of one second. Times are `loop.time()` seconds."""

    def __init__(self) -> None:
        self.second: int = 0
        self.current: int = 0
        self.previous: int = 0
        self.rate_max: int = 0

    def tick(self, now: float) -> None:
        """Counts one event at `now`."""
        second = int(now)
        if second != self.second:
            self.previous = self.current if second == self.second + 1 else 0
            self.current = 0
            self.second = second
        self.current += 1
        if self.current > self.rate_max:
            self.rate_max = self.current

    def rate(self, now: float) -> int:
        """Events in the second before `now`."""
        second = int(now)
        if second == self.second:
            current, previous = self.current, self.previous
        elif second == self.second + 1:
            current, previous = 0, self.current
        else:
            return 0
        return current + int(previous * (1.0 - (now - second)))


class Average:
    """HAProxy's sliding mean of a time over about the last 1024 requests, in milliseconds."""

    def __init__(self) -> None:
        self.total: int = 0
        self.count: int = 0

    def add(self, value_ms: int) -> None:
        """Adds one sample; old ones fade once there are 1024."""
        if self.count < 1024:
            self.count += 1
            self.total += value_ms
        else:
            self.total += value_ms - (self.total + 1023) // 1024

    def mean_ms(self) -> int:
        """The mean, rounded up as HAProxy does."""
        return (self.total + self.count - 1) // self.count if self.count else 0


class Counters:
    """What one frontend, backend or server has counted since the start or the last `clear`."""

    def __init__(self) -> None:
        # Sessions: connections for a frontend, requests for a backend and a server.
        self.sessions_cur: int = 0
        self.sessions_max: int = 0
        self.sessions_total: int = 0
        self.session_rate: RateMeter = RateMeter()
        self.connections_total: int = 0  # frontend: accepted; server: attempts that were made
        self.connection_rate: RateMeter = RateMeter()
        self.requests_total: int = 0
        self.request_rate: RateMeter = RateMeter()
        self.intercepted: int = 0  # answered by ourselves: the exporter, the statistics
        self.queue_cur: int = 0
        self.queue_max: int = 0
        self.bytes_in: int = 0
        self.bytes_out: int = 0
        self.requests_denied: int = 0
        self.responses_denied: int = 0
        self.request_errors: int = 0
        self.connect_errors: int = 0
        self.response_errors: int = 0
        self.retries: int = 0
        self.redispatches: int = 0
        self.client_aborts: int = 0
        self.server_aborts: int = 0
        self.internal_errors: int = 0
        self.selected: int = 0  # chosen by the balance algorithm: lbtot
        self.connects: int = 0  # server connections opened
        self.reuses: int = 0  # requests on a kept server connection
        self.responses_1xx: int = 0
        self.responses_2xx: int = 0
        self.responses_3xx: int = 0
        self.responses_4xx: int = 0
        self.responses_5xx: int = 0
        self.responses_other: int = 0
        self.queue_time: Average = Average()
        self.connect_time: Average = Average()
        self.response_time: Average = Average()
        self.total_time: Average = Average()
        self.queue_time_max_ms: int = 0
        self.connect_time_max_ms: int = 0
        self.response_time_max_ms: int = 0
        self.total_time_max_ms: int = 0

    def session_begins(self, now: float) -> None:
        """One more session; keeps peak, total and rate."""
        self.sessions_cur += 1
        if self.sessions_cur > self.sessions_max:
            self.sessions_max = self.sessions_cur
        self.sessions_total += 1
        self.session_rate.tick(now)

    def session_ends(self) -> None:
        """One session less."""
        self.sessions_cur -= 1

    def queue_grows(self) -> None:
        """One more request waits here."""
        self.queue_cur += 1
        if self.queue_cur > self.queue_max:
            self.queue_max = self.queue_cur

    def response(self, status: int) -> None:
        """Counts one final answer in its class."""
        if 200 <= status < 300:
            self.responses_2xx += 1
        elif 300 <= status < 400:
            self.responses_3xx += 1
        elif 400 <= status < 500:
            self.responses_4xx += 1
        elif 500 <= status < 600:
            self.responses_5xx += 1
        elif 100 <= status < 200:
            self.responses_1xx += 1
        else:
            self.responses_other += 1

    def times(self, queue_ms: int, connect_ms: int, response_ms: int, total_ms: int) -> None:
        """Adds one finished request's timers; -1 means that the phase was not reached."""
        if queue_ms >= 0:
            self.queue_time.add(queue_ms)
            self.queue_time_max_ms = max(self.queue_time_max_ms, queue_ms)
        if connect_ms >= 0:
            self.connect_time.add(connect_ms)
            self.connect_time_max_ms = max(self.connect_time_max_ms, connect_ms)
        if response_ms >= 0:
            self.response_time.add(response_ms)
            self.response_time_max_ms = max(self.response_time_max_ms, response_ms)
        if total_ms >= 0:
            self.total_time.add(total_ms)
            self.total_time_max_ms = max(self.total_time_max_ms, total_ms)

    def clear_peaks(self) -> None:
        """`clear counters`: peaks start again from the present value."""
        self.sessions_max = self.sessions_cur
        self.queue_max = self.queue_cur
        self.session_rate.rate_max = 0
        self.connection_rate.rate_max = 0
        self.request_rate.rate_max = 0
        self.queue_time_max_ms = 0
        self.connect_time_max_ms = 0
        self.response_time_max_ms = 0
        self.total_time_max_ms = 0

    def clear_sums(self) -> None:
        """`clear counters all`: every sum begins again; present values stay."""
        self.sessions_max = 0
        self.sessions_total = 0
        self.connections_total = 0
        self.requests_total = 0
        self.intercepted = 0
        self.queue_max = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.requests_denied = 0
        self.responses_denied = 0
        self.request_errors = 0
        self.connect_errors = 0
        self.response_errors = 0
        self.retries = 0
        self.redispatches = 0
        self.client_aborts = 0
        self.server_aborts = 0
        self.internal_errors = 0
        self.selected = 0
        self.connects = 0
        self.reuses = 0
        self.responses_1xx = 0
        self.responses_2xx = 0
        self.responses_3xx = 0
        self.responses_4xx = 0
        self.responses_5xx = 0
        self.responses_other = 0
        self.queue_time_max_ms = 0
        self.connect_time_max_ms = 0
        self.response_time_max_ms = 0
        self.total_time_max_ms = 0
        self.queue_time = Average()
        self.connect_time = Average()
        self.response_time = Average()
        self.total_time = Average()
