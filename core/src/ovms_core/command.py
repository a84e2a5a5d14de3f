"""What a plugin author imports in a subcommand of ``ovms``. `__all__` is the promise: these names keep working.

The options are those that the server's own subcommands have, so that every subcommand names the server and its
key alike. `Client` asks this server and tells what goes wrong in a sentence; `RemoteServer` is plain HTTP to any
server. `print_table` and `print_json` print what the server's own subcommands print: tables for people, JSON for
programs. `ServerError` ends a subcommand with its message and exit status 2, without a traceback.
"""

from ovms_core.cli.client import Client, ServerError
from ovms_core.cli.options import DEFAULT_URL, ApiKey, AsJson, Url
from ovms_core.cli.output import open_console, print_json, print_table
from ovms_core.client.frames import Frame
from ovms_core.client.http import BROKEN, AddressError, Answer, RefusedError, RemoteServer, Stream

__all__ = [
    "BROKEN",
    "DEFAULT_URL",
    "AddressError",
    "Answer",
    "ApiKey",
    "AsJson",
    "Client",
    "Frame",
    "RefusedError",
    "RemoteServer",
    "ServerError",
    "Stream",
    "Url",
    "open_console",
    "print_json",
    "print_table",
]
