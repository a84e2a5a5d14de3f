"""Its interceptor sets a header that is no text."""

from ovms_core.plugin import hookimpl


async def intercept(call, proceed):
    if getattr(call.body, "text", "") == "number":
        call.headers["x-count"] = 3
    async for event in proceed(call):
        yield event


@hookimpl(nests="anywhere")
def ovms_wrap_execution():
    return intercept
