"""What engines on OpenVINO share: device choice, finding and compiling a model, tokenising, running encoders.

The extra ``ovms-core[openvino]``. `options`, `files`, `limits`, `cpus`, `resources`, `positions`, `documents`,
`derived`, `gguf` and `conversion` are light and may be imported in the server process; the other modules import
`openvino`, `numpy` or `tokenizers` and belong in worker processes.
"""
