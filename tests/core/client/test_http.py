"""Where a server is, as its client was told."""

from __future__ import annotations

import pytest

from ovms_core.client.http import AddressError, RemoteServer


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://host.example/v3/", "https://host.example"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://user:password@host.example:9", "http://host.example:9"),
    ],
)
def test_an_address_is_shown_without_what_is_private(given: str, shown: str) -> None:
    assert RemoteServer.at(given).url == shown


def test_what_is_no_address_is_refused_with_an_example() -> None:
    with pytest.raises(AddressError, match="write it like http://127"):
        RemoteServer.at("ftp://host.example")
