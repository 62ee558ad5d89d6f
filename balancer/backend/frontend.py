"""One frontend: who is connected, and what it has counted."""

from balancer import model
from balancer.backend.counters import Counters


class Frontend:
    """The living side of a `frontend` section or of the clients' half of a `listen`."""

    def __init__(self, config: model.Frontend, maxconn: int) -> None:
        self.config = config
        self.name: str = config.name
        self.number: int = config.number
        self.maxconn = maxconn
        self.counters = Counters()
        self.is_stopped: bool = config.disabled

    def __repr__(self) -> str:
        return f"<Frontend {self.name} {self.status_text()} {self.counters.sessions_cur}/{self.maxconn}>"

    def status_text(self) -> str:
        """OPEN, also at its maxconn as HAProxy 2.6 has it, or STOP when stopped."""
        return "STOP" if self.is_stopped else "OPEN"
