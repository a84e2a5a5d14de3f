"""What those need who run a server."""

from __future__ import annotations

from ovms_conformance.feature import Group, Target, expect, expect_fully

operation = Group("Operation")

_ORIGIN = "https://app.example"


@operation.feature
def health(target: Target) -> None:
    """`GET /health` answers 200."""
    status = target.server.root.send("GET", "/health").status
    expect(status == 200, f"{status} instead of 200")


@operation.feature
def readiness(target: Target) -> None:
    """`GET /v2/health/ready`, of the Open Inference Protocol, answers 200 when every model can be used."""
    status = target.server.root.send("GET", "/v2/health/ready").status
    expect(status == 200, f"{status} instead of 200")


@operation.feature
def metrics(target: Target) -> None:
    """`GET /metrics` answers in the format of Prometheus."""
    answer = target.server.root.send("GET", "/metrics")
    expect(answer.status == 200, f"{answer.status} instead of 200")
    expect(b"# TYPE " in answer.content, "it is another format")


@operation.feature
def version(target: Target) -> None:
    """`GET /version` answers 200."""
    status = target.server.root.send("GET", "/version").status
    expect(status == 200, f"{status} instead of 200")


@operation.feature
def openapi(target: Target) -> None:
    """`GET /openapi.json` describes the interface."""
    expect(target.server.root.get("/openapi.json")["paths"], "it describes no path")


@operation.feature
def request_id(target: Target) -> None:
    """Every answer has `x-request-id`, the client's own if it sent one."""
    given = target.server.send("GET", "/models").headers.get("x-request-id")
    expect(given, "there is none")
    echoed = target.server.send("GET", "/models", headers={"x-request-id": "mine-42"}).headers.get("x-request-id")
    expect_fully(echoed == "mine-42", "the client's own is not sent back")


@operation.feature
def cross_origin_requests(target: Target) -> None:
    """A browser's preflight (CORS) is answered; many servers do so only when an origin is configured."""
    preflight = {
        "origin": _ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    headers = target.server.stranger.send("OPTIONS", "/chat/completions", headers=preflight).headers
    expect(headers.get("access-control-allow-origin") in {"*", _ORIGIN}, "the origin is not allowed")
    allowed = headers.get("access-control-allow-headers", "").lower()
    expect_fully(allowed == "*" or "authorization" in allowed, "the header Authorization is not allowed")
