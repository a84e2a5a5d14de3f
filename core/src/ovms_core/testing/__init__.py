"""What a plugin author imports in tests."""

from ovms_core.scripted import Probe, Probed, Script, ScriptedEngine, Word
from ovms_core.testing.client import app_with, serving
from ovms_core.testing.scripted import plugin as scripted_plugin
from ovms_core.testing.scripted import scripted_model

__all__ = [
    "Probe",
    "Probed",
    "Script",
    "ScriptedEngine",
    "Word",
    "app_with",
    "scripted_model",
    "scripted_plugin",
    "serving",
]
