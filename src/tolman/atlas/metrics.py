"""What the server counts, for Prometheus: requests, their time, memory, documents."""

import os
import time
from collections import defaultdict

from tolman.atlas.security import App, Message, Receive, Scope, Send

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Counts since the server was started."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], int] = defaultdict(int)
        self._seconds: dict[str, list[float]] = defaultdict(lambda: [0.0] * (len(BUCKETS) + 2))

    def count(self, route: str, status: int, seconds: float) -> None:
        """One answer."""
        self._answers[route, status] += 1
        kept = self._seconds[route]
        for place, bound in enumerate(BUCKETS):
            kept[place] += seconds <= bound
        kept[-2] += 1
        kept[-1] += seconds

    def text(self, documents: int, version: int) -> str:
        """In the format that Prometheus reads."""
        lines = [
            "# HELP tolman_requests_total Requests answered, by route and status.",
            "# TYPE tolman_requests_total counter",
            *(
                f'tolman_requests_total{{route="{route}",status="{status}"}} {count}'
                for (route, status), count in sorted(self._answers.items())
            ),
            "# HELP tolman_request_seconds Time from a request to the end of its answer.",
            "# TYPE tolman_request_seconds histogram",
        ]
        for route, kept in sorted(self._seconds.items()):
            bounds = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")
            lines += [
                f'tolman_request_seconds_bucket{{route="{route}",le="{bound}"}} {value:g}'
                for bound, value in zip(bounds, kept[:-1], strict=True)
            ]
            lines.append(f'tolman_request_seconds_sum{{route="{route}"}} {kept[-1]:.6f}')
            lines.append(f'tolman_request_seconds_count{{route="{route}"}} {kept[-2]:g}')
        for name, what, value in (
            ("tolman_documents", "Documents in the space.", documents),
            ("tolman_version", "Version of the space.", version),
            ("tolman_resident_bytes", "Memory of the server.", resident_bytes()),
        ):
            lines += [f"# HELP {name} {what}", f"# TYPE {name} gauge", f"{name} {value}"]
        return "\n".join(lines) + "\n"


class Counting:
    """The middleware that counts."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count what comes back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._metrics.count(_route(scope), status, time.perf_counter() - began)


def _route(scope: Scope) -> str:
    """The pattern that answered, so that ids don't become names of counters."""
    route = scope.get("route")
    return str(getattr(route, "path", "other"))


def resident_bytes() -> int:
    """Memory of this process that is in use; 0 where the system doesn't tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
