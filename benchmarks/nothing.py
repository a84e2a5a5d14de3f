"""What the core costs: an endpoint that does nothing, against bare Starlette doing the same.

Both read a JSON body and answer with a JSON object, under uvicorn with the same settings. Ours has API
keys, limits and request ids on.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

from benchmarks.http import request, requests_per_second
from benchmarks.servers import free_port, started

_KEY = "benchmark-key"
_CONNECTIONS = 16


def bare_app() -> Any:
    """Starlette with one route."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def nothing(request: Request) -> JSONResponse:
        await request.json()
        return JSONResponse({"nothing": True})

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({})

    return Starlette(routes=[Route("/v1/nothing", nothing, methods=["POST"]), Route("/health", health)])


def our_app() -> Any:
    """The core with one endpoint."""
    from benchmarks import nothing_endpoint
    from ovms_core.testing import app_with

    return app_with(nothing_endpoint, api_keys={"bench": _KEY})


def serve(which: str, port: int) -> None:
    """Serve one of the two on `port`."""
    import uvicorn

    from ovms_core.serve import configure, listen

    if which == "bare":
        same: dict[str, Any] = {
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "proxy_headers": False,
            "ws": "none",
        }
        uvicorn.run(bare_app(), port=port, **same)
        return
    with listen("127.0.0.1", port) as listener:
        uvicorn.Server(configure(our_app())).run([listener])


def main(rounds: int = 7, seconds: float = 2.0) -> None:
    """Measure both in turn and print the ratio."""
    raw = request("/v1/nothing", {"model": None}, headers=[f"Authorization: Bearer {_KEY}"])
    bare, ours = free_port(), free_port()
    with (
        started("-m", "benchmarks.nothing", "bare", str(bare), ready="/health", port=bare),
        started("-m", "benchmarks.nothing", "ours", str(ours), ready="/health", port=ours),
    ):
        pairs = []
        for number in range(rounds + 1):
            pair = [requests_per_second(p, raw, connections=_CONNECTIONS, seconds=seconds) for p in (bare, ours)]
            if number:  # the first round warms up
                pairs.append(pair)
    ratios = sorted(mine / theirs for theirs, mine in pairs)
    print("An endpoint that does nothing, against bare Starlette (requests/s, medians)")
    print(f"  bare {statistics.median(p[0] for p in pairs):7.0f}   ours {statistics.median(p[1] for p in pairs):7.0f}")
    print(f"  ratio {statistics.median(ratios):.3f}   ({ratios[0]:.3f} to {ratios[-1]:.3f})")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        serve(sys.argv[1], int(sys.argv[2]))
    else:
        main()
