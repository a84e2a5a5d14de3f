"""What plugins import in the engine, which runs in the model's own worker process.

An engine is everything that touches the weights. Subclass `Engine`, or one of its adapters: `BatchEngine`
for work that is done in batches over all requests (embeddings, rerank, classification), `JobEngine` for
long jobs that run one at a time (images). The names in `__all__` are stable.
"""

from ovms_core.engines.base import DONE, Done, Engine, Gain
from ovms_core.engines.batch_queue import BatchLimits, Shapes
from ovms_core.engines.batching import BatchEngine
from ovms_core.engines.jobs import JobEngine, Progress
from ovms_core.errors import LoadError, RequestError
from ovms_core.messages import EngineInfo, Event, ModelSpec, Request

__all__ = [
    "DONE",
    "BatchEngine",
    "BatchLimits",
    "Done",
    "Engine",
    "EngineInfo",
    "Event",
    "Gain",
    "JobEngine",
    "LoadError",
    "ModelSpec",
    "Progress",
    "Request",
    "RequestError",
    "Shapes",
]
