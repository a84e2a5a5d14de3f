"""It returns the class of its observer."""

from ovms_core.plugin import Observer, hookimpl


class Watch(Observer):
    pass


@hookimpl
def ovms_observe():
    return Watch
