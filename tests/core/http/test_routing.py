"""Finding the route of a request."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cost import cost

from ovms_core.errors import APIError
from ovms_core.http.routing import MountedRoute, RouteConflictError, RouteTable


async def app(*asgi: Any) -> None:
    raise NotImplementedError


def table(*routes: tuple[str, str]) -> RouteTable:
    return RouteTable(
        MountedRoute(method, path, app, owner=f"owner{index}") for index, (method, path) in enumerate(routes)
    )


def test_a_route_is_found_by_method_and_path() -> None:
    routes = table(("GET", "/a"), ("POST", "/a"))
    assert routes.find("POST", "/a")[0].owner == "owner1"


def test_a_trailing_slash_does_not_matter() -> None:
    assert table(("GET", "/a")).find("GET", "/a/")[0].path == "/a"


def test_a_parameter_may_hold_slashes() -> None:
    route, parameters = table(("GET", "/models/{id:path}")).find("GET", "/models/org/name")
    assert (route.path, parameters) == ("/models/{id:path}", {"id": "org/name"})


@pytest.mark.parametrize("path", ["//v1//a", "/v1/a//", "///v1/a", "/v1////a"])
def test_several_slashes_count_as_one(path: str) -> None:
    assert table(("GET", "/v1/a")).find("GET", path)[0].path == "/v1/a"
    with pytest.raises(APIError) as failure:
        table(("GET", "/v1/a")).find("POST", path)
    assert failure.value.status == 405


@pytest.mark.parametrize(
    ("path", "id"),
    [
        ("//v1//models//org/name", "org/name"),
        ("/v1/models/http://host/name", "http://host/name"),
        ("//v1/models//http://host/name", "http://host/name"),
        ("/v1/models/a//b", "a//b"),
    ],
)
def test_slashes_in_a_parameter_stay_what_they_are(path: str, id: str) -> None:
    routes = table(("GET", "/v1/models"), ("GET", "/v1/models/{id:path}"))
    route, parameters = routes.find("GET", path)
    assert parameters == {"id": id}
    assert route.at(path, parameters) == f"/v1/models/{id}"
    assert routes.find("GET", "/v1//models//")[1] == {}


def test_a_parameter_has_its_type() -> None:
    routes = table(("GET", "/files/{number:int}/{name}"))
    assert routes.find("GET", "/files//7/x.y")[1] == {"number": 7, "name": "x.y"}
    for path in ("/files/7/x/y", "/files/x/7"):
        with pytest.raises(APIError, match="There is no"):
            routes.find("GET", path)


def test_head_is_answered_where_get_is() -> None:
    assert table(("GET", "/a")).find("HEAD", "/a")[0].method == "GET"


@pytest.mark.parametrize(
    ("there", "allowed"), [("GET", "GET, HEAD"), ("POST", "POST"), ("POST GET", "GET, HEAD, POST")]
)
def test_what_a_405_allows_is_all_that_is_answered(there: str, allowed: str) -> None:
    with pytest.raises(APIError) as failure:
        table(*((method, "/a") for method in there.split())).find("DELETE", "/a")
    assert failure.value.headers["allow"] == allowed


def test_two_claims_of_one_route_name_both_owners() -> None:
    with pytest.raises(RouteConflictError, match=r"claim GET /a: 'owner0' and 'owner1'.*plugins\.block"):
        table(("GET", "/a"), ("GET", "/a"))


def test_an_unknown_path_is_a_404_with_the_nearest_route() -> None:
    with pytest.raises(APIError, match=r"Did you mean /chat/completions\?") as failure:
        table(("POST", "/chat/completions")).find("POST", "/chat/completion")
    assert failure.value.status == 404


def test_an_endless_path_is_not_echoed() -> None:
    for path in ("/" + "x" * 100_000, "/models/" + "x" * 100_000):
        with pytest.raises(APIError) as failure:
            table(("GET", "/models/{id:path}")).find("POST", path)
        assert len(failure.value.message) < 500


def test_an_endless_path_costs_little() -> None:
    """It comes before the API key, so from anybody."""
    routes = table(*(("GET", f"/v3/some/route/{number}") for number in range(100)), ("GET", "/v3/{a}/b/{id:path}"))

    def refused() -> None:
        for path in ("/" + "some/route" * 6_000, "/v3/" + "/" * 60_000 + "c", "/v3/a" + "/" * 60_000 + "c"):
            with pytest.raises(APIError):
                routes.find("GET", path)

    assert cost(refused) < 0.05
