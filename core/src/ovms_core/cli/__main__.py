"""``python -m ovms_core.cli`` is ``ovms``."""

from ovms_core.cli import main

main()
