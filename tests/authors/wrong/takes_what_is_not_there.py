"""It imports a name that ovms_core.plugin does not have, as through an alias."""

import ovms_core.plugin as ovms

SHOUTING = ovms.Shouting
