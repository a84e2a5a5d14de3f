"""Its middleware forgets to return the application."""

from ovms_core.plugin import hookimpl


def middleware(app):
    app.ready = True


@hookimpl
def ovms_wrap_app():
    return middleware
