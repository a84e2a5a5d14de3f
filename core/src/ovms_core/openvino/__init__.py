"""What engines on OpenVINO share: device choice, finding and compiling a model, tokenising, running encoders.

<<<<<<< HEAD
The extra ``ovms-core[openvino]``. `options`, `files`, `limits`, `positions`, `documents`, `derived`, `conversion` and
`reasons` are light and may be imported in the server process; the other modules import `openvino`, `numpy` or
=======
The extra ``ovms-core[openvino]``. `options`, `files`, `limits`, `positions`, `documents`, `derived`, `gguf` and
`conversion` are light and may be imported in the server process; the other modules import `openvino`, `numpy` or
>>>>>>> main
`tokenizers` and belong in worker processes.
"""
