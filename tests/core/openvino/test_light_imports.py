"""What the server process imports of the OpenVINO support stays light."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
import ovms_core.engine, ovms_core.openvino.files, ovms_core.openvino.limits, ovms_core.openvino.options
import ovms_core.openvino.resources, ovms_core.openvino.cpus
import ovms_core.openvino.documents, ovms_core.openvino.derived, ovms_core.openvino.conversion, ovms_core.openvino.gguf
heavy = {"openvino", "numpy", "tokenizers", "transformers"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""


def test_options_and_files_import_nothing_heavy() -> None:
    subprocess.run([sys.executable, "-c", CHECK], check=True)
