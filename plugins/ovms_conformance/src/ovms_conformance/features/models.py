"""The list of models."""

from __future__ import annotations

from urllib.parse import quote

from ovms_conformance.feature import Group, Target, expect, expect_fully, skip

models = Group("Models")


@models.feature
def list_models(target: Target) -> None:
    """`GET /models` lists the models that it serves, each with `id`, `object`, `created` and `owned_by`."""
    document = target.server.get("/models")
    expect(document["object"] == "list", "object is not 'list'")
    for model in document["data"]:
        expect_fully({"id", "object", "created", "owned_by"} <= set(model), f"{model['id']} lacks required members")
    listed = {model["id"] for model in document["data"]}
    unlisted = _named(target) - listed
    expect_fully(not unlisted, f"not listed: {', '.join(sorted(unlisted))}")


@models.feature
def show_a_model(target: Target) -> None:
    """`GET /models/{id}` shows one model."""
    name = min(_named(target), default="")
    if not name:
        skip("no model is given")
    expect(target.server.get(f"/models/{quote(name, safe='')}")["id"] == name, "it shows another model")


@models.feature
def unknown_model_is_not_shown(target: Target) -> None:
    """`GET /models/{id}` answers 404 for a model that is not there."""
    status = target.server.send("GET", "/models/no-such-model").status
    expect(status == 404, f"{status} instead of 404")


def _named(target: Target) -> set[str]:
    names = (target.chat_model, target.embed_model, target.rerank_model, target.image_model)
    return {name for name in names if name}
