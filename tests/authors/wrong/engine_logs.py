"""It is as it should be, and logs."""

import logging

from wrong.engine_kit import Right, hooks_of


class Wrong(Right):
    def step(self):
        logging.getLogger("shout").warning("the weights are old")
        return super().step()


ovms_register_tasks, ovms_register_endpoints = hooks_of(__name__)
