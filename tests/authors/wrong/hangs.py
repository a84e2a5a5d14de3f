"""It hangs when it is imported."""

import threading

from ovms_core.plugin import hookimpl


def wait_for_ever():
    threading.Event().wait()


wait_for_ever()


@hookimpl
def ovms_observe():
    return None
