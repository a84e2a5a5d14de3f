"""It imports a package that is not installed."""

import no_such_package

from ovms_core.plugin import hookimpl


@hookimpl
def ovms_register_endpoints():
    return no_such_package.endpoints
