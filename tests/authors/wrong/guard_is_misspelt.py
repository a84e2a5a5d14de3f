"""It means to guard requests, with a hook that does not exist."""

from ovms_core.plugin import hookimpl


@hookimpl(nests="outside")
def ovms_wrap_executon():
    return None
