"""What a plugin author imports in a subcommand of ``ovms``. `__all__` is the promise: these names keep working.

The options are those that the server's own subcommands have, so that every subcommand names the server and its
key alike. `ServerError` ends a subcommand with its message and exit status 2, without a traceback.
"""

from ovms_core.cli.client import Client, ServerError
from ovms_core.cli.options import DEFAULT_URL, ApiKey, AsJson, Url
from ovms_core.client.frames import Frame

__all__ = ["DEFAULT_URL", "ApiKey", "AsJson", "Client", "Frame", "ServerError", "Url"]
