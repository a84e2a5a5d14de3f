"""The files of models: which there are, and what is in the small ones. `__all__` is the promise.

Imports nothing heavy: plugins may use it in the server process and in engines.
"""

from ovms_core.model_files.documents import checked, read_document, read_text
from ovms_core.model_files.folder import ModelFiles
from ovms_core.model_files.gguf import GGUF_SUFFIX, GgufModel, first_shard, gguf_models, is_gguf

__all__ = [
    "GGUF_SUFFIX",
    "GgufModel",
    "ModelFiles",
    "checked",
    "first_shard",
    "gguf_models",
    "is_gguf",
    "read_document",
    "read_text",
]
