"""``ovms models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ovms_core.cli.options import DEFAULT_URL, ApiKey, AsJson, ConfigFile, ModelRepository, Url

if TYPE_CHECKING:
    from ovms_core.settings import Settings

_QUICKLY = 2.0  # seconds that a server, which need not be there, has to answer


def models(
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    config: ConfigFile = None,
    model_repository: ModelRepository = None,
    as_json: AsJson = False,
) -> None:
    """List models: being served, in the model repository, and available."""
    from ovms_core.cli.output import print_json
    from ovms_core.configuration import read_settings

    overrides = {"model_repository": str(model_repository) if model_repository else None}
    settings = read_settings(config, overrides=overrides)
    served, problem = _served(url, api_key)
    document = {"url": url, "served": served, "problem": problem, **_local(settings)}
    if as_json:
        print_json(document)
    else:
        _print(document)


def _served(url: str, api_key: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """What the server at `url` serves, or why that is not known."""
    from ovms_core.cli.client import Client, ServerError

    try:
        document = Client(url, api_key).get("/models", timeout=_QUICKLY)
        return list(document["data"]), None
    except ServerError as error:
        return [], str(error)
    except (KeyError, TypeError):
        return [], f"{url} answers with something else than a list of models."


def _local(settings: Settings) -> dict[str, Any]:
    from ovms_core.cli.fetching import open_repository
    from ovms_core.cli.installed import gather_quietly

    repository = open_repository(settings)
    _, offerings = gather_quietly(settings)
    offers = [offer for source in offerings.sources.values() for offer in source.offers()]
    return {
        "repository": str(repository.root),
        "stored": [
            {"source": str(stored.reference), "path": str(stored.path), "size": stored.size}
            for stored in repository.list()
        ],
        "offers": [
            {"name": offer.name, "source": offer.reference, "task": offer.task, "description": offer.description}
            for offer in offers
        ],
    }


def _print(document: dict[str, Any]) -> None:
    from ovms_core.cli.output import open_console, print_table, shown_size

    console = open_console()
    served = [
        (model.get("id"), model.get("task"), model.get("device"), model.get("state"), model.get("error"))
        for model in document["served"]
    ]
    print_table(console, f"Served at {document['url']}", ("name", "task", "device", "state", "reason"), served)
    details = [(model.get("id"), _shown(model["details"])) for model in document["served"] if model.get("details")]
    print_table(console, "What their engines say", ("name", "details"), details)
    stored = [(model["source"], shown_size(model["size"]), model["path"]) for model in document["stored"]]
    print_table(console, f"In the repository {document['repository']}", ("source", "size", "path"), stored)
    offers = [(offer["source"], offer["task"], offer["description"]) for offer in document["offers"]]
    print_table(console, "On offer (ovms pull SOURCE, ovms serve SOURCE)", ("source", "task", "description"), offers)
    if not stored:
        console.print(f"The repository {document['repository']} is empty.", soft_wrap=True)
    if document["problem"]:
        console.print(document["problem"], soft_wrap=True)


def _shown(value: Any) -> str:
    """`value` as people write it: ``block_size 32, end_tokens <|im_end|> 2``."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    return ", ".join(map(_shown, value)) if isinstance(value, list) else str(value)
