"""It is no Python: a colon is missing."""

from ovms_core.plugin import hookimpl


@hookimpl
def ovms_register_endpoints():
    names = []
    for name in names
        print(name)
    return names
