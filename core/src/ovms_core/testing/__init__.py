"""What a plugin author imports in tests; install it with ``pip install 'ovms-core[testing]'``.

`__all__` is the promise: these names keep working. Each is imported when it is first asked for, since
pytest imports this package at every start.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ovms_core.client.frames import Frame, read_frames
    from ovms_core.testing.client import app_with, serving
    from ovms_core.testing.contract import EndpointContract, Subject
    from ovms_core.testing.fake_engine import FakeEngine
    from ovms_core.testing.in_process import connected
    from ovms_core.testing.recorder import HookCall, HookRecorder, RecordedCall
    from ovms_core.testing.scripted import scripted_model, scripted_plugin
    from ovms_core.testing.scripted_engine import Probe, Probed, Script, ScriptedEngine, Word
    from ovms_core.testing.worker import model_without_files, served

_HOMES = {
    "client.frames": ("Frame", "read_frames"),
    "testing.scripted_engine": ("Probe", "Probed", "Script", "ScriptedEngine", "Word"),
    "testing.client": ("app_with", "serving"),
    "testing.contract": ("EndpointContract", "Subject"),
    "testing.fake_engine": ("FakeEngine",),
    "testing.in_process": ("connected",),
    "testing.recorder": ("HookCall", "HookRecorder", "RecordedCall"),
    "testing.scripted": ("scripted_model", "scripted_plugin"),
    "testing.worker": ("model_without_files", "served"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"ovms_core.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


__all__ = [
    "EndpointContract",
    "FakeEngine",
    "Frame",
    "HookCall",
    "HookRecorder",
    "Probe",
    "Probed",
    "RecordedCall",
    "Script",
    "ScriptedEngine",
    "Subject",
    "Word",
    "app_with",
    "connected",
    "model_without_files",
    "read_frames",
    "scripted_model",
    "scripted_plugin",
    "served",
    "serving",
]
