"""It waits without awaiting."""

import time

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/blocks_the_loop"
    body = Body

    async def execute(self, call):
        time.sleep(1)
        yield "at last"


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
