"""What importing a plugin brings along, seen from a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

HEAVY: Final = frozenset(
    {"PIL", "numpy", "openvino", "openvino_genai", "optimum", "scipy", "tokenizers", "torch", "transformers"}
)
"""What `hooks.py` must not import: every subcommand of ``ovms`` pays for it."""

ENGINES: Final = frozenset({"openvino", "openvino_genai", "optimum", "torch", "transformers"})
"""What the server process must never import: it belongs in the engine's own."""

_IMPORT = "import importlib, json, sys\nplugin = importlib.import_module({!r})\n"
_REGISTER = """
from ovms_core.app import create_app
from ovms_core.plugin_loading.loader import name_of
from ovms_core.settings import Settings
create_app(Settings.model_validate({{"plugins": {{name_of(plugin): {!r}}} if {!r} else {{}}}}), plugins=[plugin])
"""
_PRINT = "print(json.dumps(sorted({name.partition('.')[0] for name in list(sys.modules)})))"


def imported_with(module: str, *, registered: bool = False, section: Mapping[str, Any] | None = None) -> set[str]:
    """The top-level modules that importing `module` imports; `registered`, also what a server with it does.

    `section` has the plugin's own settings. Raises `ImportError` with the interpreter's last line when that fails.
    """
    program = _IMPORT.format(module) + (_REGISTER.format(section, bool(section)) if registered else "") + _PRINT
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise ImportError(finished.stderr.strip().rpartition("\n")[2])
    return set(json.loads(finished.stdout.splitlines()[-1]))
