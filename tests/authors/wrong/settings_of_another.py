"""It asks for settings that no plugin declares."""

from pydantic import BaseModel

from ovms_core.plugin import hookimpl


class WrongSettings(BaseModel):
    limit: int = 3


@hookimpl
def ovms_register_endpoints(settings):
    return [settings.plugin(WrongSettings).limit]
