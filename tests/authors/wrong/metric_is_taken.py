"""Its metric has a name that the server uses."""

from prometheus_client import Counter

from ovms_core.plugin import hookimpl


@hookimpl
def ovms_register_metrics():
    return [Counter("ovms_task_restarts", "Restarts", registry=None)]
