"""A plugin with settings of its own."""

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ovms_core.plugin import Route, Settings, hookimpl


class NotesSettings(BaseModel):
    limit: int = Field(default=10, ge=1, description="Notes that are kept.")


@hookimpl
def ovms_settings() -> type[NotesSettings]:
    return NotesSettings


@hookimpl
def ovms_register_routes(settings: Settings) -> list[Route]:
    limit = settings.plugin(NotesSettings).limit

    async def show(request: Request) -> Response:
        """How many notes are kept."""
        return JSONResponse({"limit": limit})

    return [Route("GET", "/notes/limit", show)]
