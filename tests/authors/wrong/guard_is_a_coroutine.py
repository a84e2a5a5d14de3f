"""It guards requests, with an interceptor that yields nothing."""

from ovms_core.plugin import hookimpl


async def guard(call, proceed):
    return proceed(call)


@hookimpl(nests="outside")
def ovms_wrap_execution():
    return guard
