"""Its hook raises."""

from ovms_core.plugin import hookimpl


def share(whole, parts):
    return whole / parts


@hookimpl
def ovms_register_endpoints():
    return [share(1, 0)]
