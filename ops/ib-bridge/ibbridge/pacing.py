"""How fast TWS may be asked: messages a second, and new bar requests in ten minutes."""

from __future__ import annotations

from collections import deque

MESSAGES_PER_SECOND = 40
SLOW_SECONDS = 60.0
BARS_PER_WINDOW = 60
BARS_WINDOW = 600.0
SAME_BARS_PAUSE = 15.0
SAME_CONTRACT_BARS = 5
SAME_CONTRACT_WINDOW = 2.0


class MessagePacer:
    """At most `rate` messages in any window of one second (TWS' own limit is 50, the library's throttle 45)."""

    def __init__(self, rate: int = MESSAGES_PER_SECOND) -> None:
        self.rate = rate
        self._sent: deque[float] = deque()
        self._quiet_until = float("-inf")
        self._slow_until = float("-inf")

    def effective_rate(self, now: float) -> int:
        return self.rate // 2 if now < self._slow_until else self.rate

    def take(self, now: float) -> bool:
        """Whether one message may go now; it counts as sent then."""
        if now < self._quiet_until:
            return False
        while self._sent and self._sent[0] <= now - 1.0:
            self._sent.popleft()
        if len(self._sent) >= self.effective_rate(now):
            return False
        self._sent.append(now)
        return True

    def breach(self, now: float) -> None:
        """TWS said 100: nothing for a second, then half the rate for a minute."""
        self._quiet_until = now + 1.0
        self._slow_until = now + SLOW_SECONDS


class BarPacer:
    """IB's rules for requests of small bars: 60 in ten minutes, none twice in 15 s, fewer than 6 a contract in 2 s."""

    def __init__(self, quota: int = BARS_PER_WINDOW) -> None:
        self.quota = quota
        self._sent: deque[tuple[float, str, str]] = deque()

    def used(self, now: float) -> int:
        while self._sent and self._sent[0][0] <= now - BARS_WINDOW:
            self._sent.popleft()
        return len(self._sent)

    def wait(self, now: float, key: str, what: str, again: bool = False) -> float:
        """Seconds until this request is allowed; 0 where it is.

        `again`: TWS itself told to repeat it, so that it may be the same one within 15 s.
        """
        wait = 0.0
        if self.used(now) >= self.quota:
            wait = self._sent[-self.quota][0] + BARS_WINDOW - now
        same_contract = [at for at, other, _ in self._sent if other == key and at > now - SAME_CONTRACT_WINDOW]
        if len(same_contract) >= SAME_CONTRACT_BARS:
            wait = max(wait, same_contract[-SAME_CONTRACT_BARS] + SAME_CONTRACT_WINDOW - now)
        for at, other, kind in reversed(self._sent):
            if again or at <= now - SAME_BARS_PAUSE:
                break
            if other == key and kind == what:
                wait = max(wait, at + SAME_BARS_PAUSE - now)
                break
        return wait

    def sent(self, now: float, key: str, what: str) -> None:
        self._sent.append((now, key, what))


class EventRate:
    """Lets `limit` events a second through and counts the rest."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.suppressed = 0
        self._sent: deque[float] = deque()

    def take(self, now: float) -> bool:
        while self._sent and self._sent[0] <= now - 1.0:
            self._sent.popleft()
        if len(self._sent) >= self.limit:
            self.suppressed += 1
            return False
        self._sent.append(now)
        return True
