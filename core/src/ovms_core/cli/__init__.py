"""The command ``ovms``. Importing it loads nothing heavy: every command imports what it needs when it runs."""

from ovms_core.cli.app import create_cli, main

__all__ = ["create_cli", "main"]
