"""Reading weights in the format of safetensors (https://huggingface.co/docs/safetensors)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovms_core.engine import LoadError

Floats = NDArray[np.float32]

_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_LARGEST_HEADER = 100_000_000
"""The format's own limit."""


def read_weights(file: Path, shown: str) -> dict[str, Floats]:
    """The tensors of floating point numbers in `file`, in single precision, by their names.

    Raises `LoadError`, naming the file as `shown`, when it is not there or is not of this format.
    """
    try:
        data = file.read_bytes()
        size = int.from_bytes(data[:8], "little")
        if len(data) < 8 or size > min(_LARGEST_HEADER, len(data) - 8):
            raise ValueError("its header is cut off")
        header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
        header.pop("__metadata__", None)
        return {name: _tensor(entry, body) for name, entry in header.items() if entry["dtype"] in _KINDS}
    except OSError as error:
        raise LoadError(f"'{shown}' of the model cannot be read: {error.strerror}. Fetch the model anew.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LoadError(f"'{shown}' of the model is no safetensors file: {error}. Fetch the model anew.") from error


def _tensor(entry: dict[str, Any], body: bytes) -> Floats:
    start, end = entry["data_offsets"]
    numbers = np.frombuffer(body[start:end], _KINDS[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == "BF16":  # the upper half of single precision
        numbers = (numbers.astype("<u4") << 16).view("<f4")
    result: Floats = numbers.astype(np.float32)
    return result
