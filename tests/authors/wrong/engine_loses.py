"""It forgets a request without an end."""

from wrong.engine_kit import Right, hooks_of


class Wrong(Right):
    def in_flight(self):
        return self.waiting.keys()

    def step(self):
        self.waiting.clear()
        return []


ovms_register_tasks, ovms_register_endpoints = hooks_of(__name__)
