"""``GET /models`` and ``GET /models/{id}`` (https://platform.openai.com/docs/api-reference/models)."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ovms_core.application import Server
from ovms_core.models.model import Model, State


def describe(model: Model, name: str, created: int) -> dict[str, Any]:
    """`model` as the API shows it under `name`, one of its names."""
    info = model.info
    document: dict[str, Any] = {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "ovms",
        "task": model.task.name if model.task else None,
        "state": model.state.value,
        "device": info.device if info else model.settings.device,
    }
    if name != model.name:
        document["alias_of" if name in model.aliases else "variant_of"] = model.name
    if info is not None:
        document |= _about(info)
    if model.detail:
        document["detail"] = model.detail
    if model.state is State.FAILED:
        document["error"] = model.public_problem
    return document


def _about(info: Any) -> dict[str, Any]:
    known = {
        "max_model_len": info.max_model_len,
        "dimensions": info.dimensions,
        "precision": info.precision,
        "degraded": info.degraded,
        "details": info.details or None,
    }
    return {name: value for name, value in known.items() if value is not None}


async def list_models(request: Request) -> Response:
    """The served models, under all their names."""
    server: Server = request.app.server
    data = [describe(model, name, server.created) for model in server.models for name in model.names]
    return _json({"object": "list", "data": data})


async def show_model(request: Request) -> Response:
    """One served model. Its id may hold slashes."""
    name = request.path_params["id"]
    server: Server = request.app.server
    return _json(describe(server.models.find(name), name, server.created))


def _json(document: Any) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")
