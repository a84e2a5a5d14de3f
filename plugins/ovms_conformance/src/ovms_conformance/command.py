"""``ovms conformance``."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated

import typer

from ovms_core.command import (
    BROKEN,
    AddressError,
    ApiKey,
    AsJson,
    RemoteServer,
    ServerError,
    open_console,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ovms_conformance.examination import Result
    from ovms_conformance.feature import Target


def conformance(
    url: Annotated[str, typer.Argument(metavar="URL", help="The server's URL; /v1 is added if it has no path.")],
    chat_model: Annotated[str, typer.Option(help="The model for chat.")] = "",
    embed_model: Annotated[str, typer.Option(help="The model for embeddings.")] = "",
    rerank_model: Annotated[str, typer.Option(help="The model for rerank.")] = "",
    image_model: Annotated[str, typer.Option(help="The model for images.")] = "",
    api_key: ApiKey = None,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page in Markdown.")] = False,
) -> None:
    """Find out which features of OpenAI's API a server supports.

    Features whose model is not named are skipped. This sends many requests: do not run it against a server in use.
    """
    from ovms_conformance.examination import examine
    from ovms_conformance.feature import Target
    from ovms_conformance.features import GROUPS
    from ovms_conformance.report import as_document, as_markdown

    target = Target(_reached(url, api_key), chat_model, embed_model, rerank_model, image_model)
    results = examine(target, GROUPS)
    if as_json:
        print_json(as_document(results, url))
    elif markdown:
        typer.echo(as_markdown(list(results), _command(target)), nl=False)
    else:
        _print_tables(results)


def _reached(url: str, api_key: str | None) -> RemoteServer:
    """The server at `url`. Raises `ServerError` when nothing answers there."""
    try:
        server = RemoteServer.at(url, api_key)
        status = server.send("GET", "/models").status
    except AddressError as error:
        raise ServerError(str(error)) from None
    except BROKEN as error:
        raise ServerError(f"No server answers at {url} ({error or type(error).__name__}).") from None
    if status == 401:
        raise ServerError(f"{url} wants another API key: give it with --api-key or OVMS_API_KEY.")
    return server


def _command(target: Target) -> str:
    """What examines this server again; `URL` stands for where it is."""
    names = ("chat_model", "embed_model", "rerank_model", "image_model")
    given = [f"--{name.replace('_', '-')} {getattr(target, name)}" for name in names if getattr(target, name)]
    return " ".join(["ovms conformance URL", *given, "--markdown"])


def _print_tables(results: Iterable[Result]) -> None:
    """A table for each group as soon as it has been examined, and the sum of all."""
    from ovms_conformance.report import as_rows, summary

    console = open_console()
    every: list[Result] = []
    for name, group in groupby(results, key=attrgetter("group")):
        found = list(group)
        print_table(console, name, ("feature", "has it", "note"), as_rows(found))
        every += found
    console.print(summary(every))
