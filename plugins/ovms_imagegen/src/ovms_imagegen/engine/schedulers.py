"""What GenAI's schedulers read in ``scheduler_config.json``, and the values that they take (2026.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from ovms_core.engine import LoadError

Steps = Annotated[int, Meta(ge=1, le=10_000)]
"""GenAI's work grows with its square: a hundred thousand take minutes."""

Offset = Annotated[int, Meta(ge=0, le=1000)]
Beta = Annotated[float, Meta(gt=0, lt=1)]
Amount = Annotated[float, Meta(ge=0, le=1e6)]


class Scheduler(Struct, kw_only=True):
    """What all of them have."""

    name: str = msgspec.field(name="_class_name")
    num_train_timesteps: Steps | None = None


class Diffusing(Scheduler, kw_only=True):
    """What those have that take noise away by a schedule of betas."""

    beta_start: Beta | None = None
    beta_end: Beta | None = None
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2", ""] | None = None
    trained_betas: list[Beta] | None = None
    steps_offset: Offset | None = None
    prediction_type: Literal["epsilon", "sample", "v_prediction", ""] | None = None
    timestep_spacing: Literal["linspace", "trailing", "leading", ""] | None = None
    rescale_betas_zero_snr: bool | None = None


class Ddim(Diffusing, kw_only=True):
    """``DDIMScheduler``."""

    clip_sample: bool | None = None
    set_alpha_to_one: bool | None = None
    thresholding: bool | None = None
    dynamic_thresholding_ratio: Amount | None = None
    clip_sample_range: Amount | None = None
    sample_max_value: Amount | None = None


class Lcm(Ddim, kw_only=True):
    """``LCMScheduler``. With another prediction GenAI reads beyond its memory."""

    prediction_type: Literal["epsilon", ""] | None = None
    original_inference_steps: Steps | None = None
    timestep_scaling: Amount | None = None


class Pndm(Diffusing, kw_only=True):
    """``PNDMScheduler``."""

    set_alpha_to_one: bool | None = None
    skip_prk_steps: bool | None = None


class Euler(Diffusing, kw_only=True):
    """``EulerDiscreteScheduler``."""

    final_sigmas_type: Literal["zero", "sigma_min", ""] | None = None
    interpolation_type: Literal["linear", "log_linear", ""] | None = None
    sigma_max: Amount | None = None
    sigma_min: Amount | None = None
    timestep_type: Literal["discrete", "continuous", ""] | None = None
    use_karras_sigmas: bool | None = None
    use_exponential_sigmas: bool | None = None
    use_beta_sigmas: bool | None = None


class FlowMatching(Scheduler, kw_only=True):
    """``FlowMatchEulerDiscreteScheduler``."""

    shift: Amount | None = None
    use_dynamic_shifting: bool | None = None
    base_shift: Amount | None = None
    max_shift: Amount | None = None
    base_image_seq_len: Steps | None = None
    max_image_seq_len: Steps | None = None
    shift_terminal: Amount | None = None
    time_shift_type: str | None = None


_KINDS: Final[dict[str, tuple[str, type[Scheduler]]]] = {
    "DDIM": ("DDIMScheduler", Ddim),
    "EULER_ANCESTRAL_DISCRETE": ("EulerAncestralDiscreteScheduler", Diffusing),
    "EULER_DISCRETE": ("EulerDiscreteScheduler", Euler),
    "FLOW_MATCH_EULER_DISCRETE": ("FlowMatchEulerDiscreteScheduler", FlowMatching),
    "LCM": ("LCMScheduler", Lcm),
    "PNDM": ("PNDMScheduler", Pndm),
}
"""By the name that ``options.scheduler`` has for it: the class in the model's file, and what it reads there."""


def scheduler_class(document: Mapping[str, Any], chosen: str | None) -> str | None:
    """The class that GenAI is to begin with: the model's own, or where GenAI has none such the `chosen` one."""
    named = document.get("_class_name")
    known = [name for name, _ in _KINDS.values()]
    return str(named) if named in known or chosen is None else _KINDS[chosen][0]


def scheduler_kinds(document: Mapping[str, Any], chosen: str | None, file: str) -> list[type[Scheduler]]:
    """What GenAI reads in `document`, as the model's own scheduler and then as the chosen one.

    Raises `LoadError`, naming the `file`, when it has no such scheduler.
    """
    named = scheduler_class(document, chosen)
    kinds = [kind for name, kind in _KINDS.values() if name == named]
    if not kinds:
        raise LoadError(
            f"'{file}' of the model: its '_class_name' is {str(named)[:40]!a}, a scheduler that GenAI does not have. "
            f"Set options.scheduler to one that it has: {', '.join(_KINDS)}."
        )
    return [*kinds, _KINDS[chosen][1]] if chosen else kinds
