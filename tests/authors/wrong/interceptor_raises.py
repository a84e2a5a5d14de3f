"""Its interceptor, around the endpoints of all others, expects more of a call than there is."""

from ovms_core.plugin import hookimpl


async def intercept(call, proceed):
    if getattr(call.body, "text", "") == "trip":
        call.warnings.append(call.context["tenant"])
    async for event in proceed(call):
        yield event


@hookimpl(nests="anywhere")
def ovms_wrap_execution(endpoint):
    return intercept
