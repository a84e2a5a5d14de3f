"""What engines on OpenVINO share: device choice, finding and compiling a model, tokenising, running encoders.

A library for plugins, without hooks of its own. `options`, `files`, `limits`, `cpus`, `positions`, `derived` and
`conversion` are light and may be imported in the server process; the other modules import `openvino`, `numpy` or
`tokenizers` and belong in worker processes.
"""

__version__ = "0.1.0"
