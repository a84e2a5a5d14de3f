"""What `call.headers` may hold."""

from __future__ import annotations


def require_text(name: object, value: object) -> None:
    """Raise `TypeError` unless both are texts, as the name and the value of a header are."""
    if not isinstance(name, str):
        raise TypeError(f"call.headers has the name {name!r}, which is not a text.")
    if not isinstance(value, str):
        raise TypeError(f"call.headers[{name!r}] is {value!r}, not a text: write str(...) around it.")
