"""Its step never ends."""

import time

from wrong.engine_kit import Right, hooks_of


class Wrong(Right):
    def step(self):
        # as a lock would that nobody releases
        time.sleep(3600)


ovms_register_tasks, ovms_register_endpoints = hooks_of(__name__)
