"""Its add raises what is no RequestError."""

from wrong.engine_kit import Right, hooks_of


class Wrong(Right):
    def add(self, id, request):
        super().add(id, request)
        raise KeyError("/srv/secret")


ovms_register_tasks, ovms_register_endpoints = hooks_of(__name__)
