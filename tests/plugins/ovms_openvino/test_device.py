"""Which device a model runs on."""

from __future__ import annotations

import pytest

from ovms_core.errors import LoadError
from ovms_openvino.device import choose_device, pick_device

DESKTOP = {"CPU": "", "GPU.0": "integrated", "GPU.1": "discrete", "NPU": ""}
LAPTOP = {"CPU": "", "GPU": "integrated", "NPU": ""}


@pytest.mark.parametrize(
    ("requested", "kinds", "chosen"),
    [
        ("AUTO", DESKTOP, "GPU.1"),
        ("AUTO", LAPTOP, "GPU"),
        ("AUTO", {"CPU": "", "NPU": ""}, "CPU"),
        ("auto", DESKTOP, "GPU.1"),
        ("", DESKTOP, "GPU.1"),
        ("CPU", DESKTOP, "CPU"),
        ("gpu.0", DESKTOP, "GPU.0"),
        ("GPU", DESKTOP, "GPU"),
        ("GPU.0", LAPTOP, "GPU.0"),
        ("NPU", LAPTOP, "NPU"),
        ("HETERO:GPU.1,CPU", DESKTOP, "HETERO:GPU.1,CPU"),
        ("AUTO:GPU,CPU", LAPTOP, "AUTO:GPU,CPU"),
    ],
)
def test_a_device_is_chosen(requested: str, kinds: dict[str, str], chosen: str) -> None:
    assert pick_device(requested, kinds) == chosen


@pytest.mark.parametrize("requested", ["TPU", "GPU.7", "HETERO:GPU.7,CPU", "CPU.1"])
def test_a_device_that_is_not_there_is_an_error_that_names_those_that_are(requested: str) -> None:
    with pytest.raises(LoadError, match=r"Available: CPU, GPU\.0, GPU\.1, NPU\."):
        pick_device(requested, DESKTOP)


def test_this_machine_has_a_device() -> None:
    assert choose_device("CPU") == "CPU"
    assert choose_device("AUTO").startswith(("CPU", "GPU"))
