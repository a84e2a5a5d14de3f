"""Which of the server's environment variables its workers get.

A worker runs native code on what strangers send. The server's variables hold API keys, the hub's token and
whatever else the operator's platform puts there, so a worker gets what is known to be of use to an engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

_SYSTEM = "PATH HOME USER LOGNAME LANG LANGUAGE LC_* TZ TMPDIR TMP TEMP XDG_* LD_* DYLD_* GLIBC_* MALLOC_* *SAN_OPTIONS"
_PYTHON = "PYTHON* VIRTUAL_ENV CONDA_* HF_* TRANSFORMERS_* TOKENIZERS_* TORCH_*"
_THREADS = "OMP_* GOMP_* KMP_* MKL_* TBB_* OPENBLAS_*"
_OPENVINO = "OV_* OPENVINO_* OpenVINO_* DISABLE_OPENVINO_* ONEDNN_* DNNL_* XGRAMMAR_*"
_DEVICES = (
    "ZE_* ZES_* ZET_* ZEL_* NEO_* NEOReadDebugKeys IGC_* OCL_* OPENCL_* CL_* cl_* NPU_* IE_* INTEL_* ONEAPI_* SYCL_* "
    "LIBVA_* CUDA_*"
)

HANDED_ON: Final = tuple(" ".join((_SYSTEM, _PYTHON, _THREADS, _OPENVINO, _DEVICES)).split())
"""Names, and patterns of names, of variables that every worker gets."""

_CREDENTIAL = re.compile("TOKEN(?!IZER)|KEY(?!BOARD)|SECRET|PASSW|CREDENTIAL|AUTH|(?:^|_)PAT(?:_|$)")
_ADDRESS_WITH_PASSWORD = re.compile("://[^/]*:[^/]*@")


def worker_environment(server: Mapping[str, str], more: Sequence[str] = ()) -> dict[str, str]:
    """What a worker gets of the variables of `server`: those that are known, and those that `more` names.

    `more` holds names, or patterns such as ``DRIVER_*``. What looks like a credential passes only if it is named.
    """
    return {name: value for name, value in server.items() if _is_known(name, value) or _is_among(more, name)}


def _is_known(name: str, value: str) -> bool:
    private = _CREDENTIAL.search(name) or _ADDRESS_WITH_PASSWORD.search(value)
    return _is_among(HANDED_ON, name) and not private


def _is_among(patterns: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
