"""Its step raises, with a path of the machine in the text."""

from wrong.engine_kit import Right, hooks_of


class Wrong(Right):
    def step(self):
        # and the plain traceback is for the log
        raise RuntimeError("no weights in /srv/secret")


ovms_register_tasks, ovms_register_endpoints = hooks_of(__name__)
