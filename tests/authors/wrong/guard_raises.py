"""It guards requests, and its hook raises."""

from ovms_core.plugin import hookimpl


@hookimpl(nests="outside")
def ovms_wrap_execution():
    raise ValueError("no policy")
