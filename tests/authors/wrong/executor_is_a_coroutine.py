"""Its executor returns its event."""

from ovms_core.plugin import hookimpl


async def answer(call):
    return "a"


@hookimpl
def ovms_executor():
    return answer
