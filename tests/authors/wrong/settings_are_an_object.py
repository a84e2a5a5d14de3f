"""Its settings are an object, not a class."""

from pydantic import BaseModel

from ovms_core.plugin import hookimpl


class WrongSettings(BaseModel):
    limit: int = 3


@hookimpl
def ovms_settings():
    return WrongSettings()
