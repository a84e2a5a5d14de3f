"""What ``ovms doctor`` looks at. Every probe returns findings; none changes anything."""

from ovms_core.cli.probes.examination import examine
from ovms_core.cli.probes.finding import Verdict

__all__ = ["Verdict", "examine"]
