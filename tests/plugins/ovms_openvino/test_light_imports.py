"""What the server process imports of the OpenVINO support stays light."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
import ovms_core.engine, ovms_openvino.files, ovms_openvino.limits, ovms_openvino.options
import ovms_core.model_files, ovms_core.resources, ovms_openvino.cpus, ovms_openvino.derived, ovms_openvino.conversion
heavy = {"openvino", "numpy", "tokenizers", "transformers"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""


def test_options_and_files_import_nothing_heavy() -> None:
    subprocess.run([sys.executable, "-c", CHECK], check=True)
