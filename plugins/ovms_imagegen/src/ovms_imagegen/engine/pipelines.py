"""GenAI's image pipelines over one set of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino_genai as genai

from ovms_core.engine import LoadError, RequestError
from ovms_imagegen.engine.parts import SCHEDULER
from ovms_imagegen.messages import Size
from ovms_imagegen.pictures import Pixels
from ovms_openvino.failure import reason

Decode = Callable[[], Pixels]

Watch = Callable[[int, int, Decode | None], bool]
"""Called after each step with its number, their total, and what decodes the picture so far; True stops the run."""

_PARAMS = {
    "Negative prompt": "negative_prompt",
    "Prompt 2": "prompt_2",
    "Prompt 3": "prompt_3",
    "max_sequence_length": "max_sequence_length",
    "trength": "strength",
    "uidance": "guidance_scale",
    "num_inference_steps": "num_inference_steps",
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture, and how many denoising steps it took: fewer than asked for where the strength is below 1."""

    pixels: Pixels
    steps: int


@dataclass(frozen=True, slots=True)
class Pipelines:
    """Those that the model has; they share their weights and their buffers, so run one at a time."""

    generation: Any
    image_to_image: Any
    inpainting: Any

    @property
    def any(self) -> Any:
        """One of them."""
        return self.generation or self.image_to_image or self.inpainting

    def use_scheduler(self, scheduler: Callable[[], Any]) -> None:
        """Give every pipeline a `scheduler` of its own. Some go wrong only once they run: see `try_out`."""
        for pipe in filter(None, (self.generation, self.image_to_image, self.inpainting)):
            pipe.set_scheduler(scheduler())

    def try_out(self, size: Size, **settings: Any) -> None:
        """Begin a picture of `size`. Raises GenAI's `RuntimeError`.

        The guidance must be as it will be: Stable Diffusion 3 stays on the side of 1 on which it begins.
        """
        width, height = size
        black = np.zeros((1, height, width, 3), dtype=np.uint8)
        inputs = [] if self.generation is not None else [black, black]
        own = {"strength": 1.0, "width": width, "height": height}
        self._run("", inputs, own | settings, lambda step, total, decode: True)

    def draw(self, prompt: str, inputs: Sequence[Pixels], settings: Mapping[str, Any], watch: Watch) -> Drawing | None:
        """The picture; `None` when `watch` stopped it. Raises `RequestError` for what GenAI refuses.

        `inputs` is empty, or a picture to start from, or such a picture and a mask.
        """
        try:
            return self._run(prompt, inputs, settings, watch)
        except RuntimeError as error:
            raise _refusal(error) or RuntimeError(f"GenAI cannot draw: {reason(error)}.") from error

    def _run(self, prompt: str, inputs: Sequence[Pixels], settings: Mapping[str, Any], watch: Watch) -> Drawing | None:
        pipe = (self.generation, self.image_to_image, self.inpainting)[len(inputs)]
        watcher = _Watcher(pipe, watch)
        result = pipe.generate(prompt, *map(ov.Tensor, inputs), callback=watcher, **settings)
        # GenAI calls back on a thread of its own, and forgets the steps which that has not got to at the end.
        watcher.catch_up(len(pipe.get_performance_metrics().raw_metrics.iteration_durations))
        if watcher.error is not None:
            raise watcher.error
        return None if watcher.stopped else Drawing(result.data.copy(), watcher.steps)


class _Watcher:
    """GenAI's callback. An exception that left it would abort the process, so it keeps it and stops the run."""

    def __init__(self, pipe: Any, watch: Watch) -> None:
        self._pipe = pipe
        self._watch = watch
        self.stopped = False
        self.steps = 0
        self.error: BaseException | None = None

    def __call__(self, step: int, total: int, latent: ov.Tensor) -> bool:
        return self._tell(step + 1, total, lambda: self._pipe.decode(latent).data.copy())

    def catch_up(self, total: int) -> None:
        """Tell of the steps up to `total` that GenAI has done without telling."""
        while self.steps < total and not self.stopped and self.error is None:
            self._tell(self.steps + 1, total, None)

    def _tell(self, step: int, total: int, decode: Decode | None) -> bool:
        self.steps = step
        try:
            self.stopped = self._watch(step, total, decode)
        except BaseException as error:
            self.error = error
        return self.stopped or self.error is not None


def load_pipelines(folder: Path, device: str, properties: Mapping[str, Any]) -> Pipelines:
    """Load the most capable pipeline that the model has, and derive the others from it. Raises `LoadError`."""
    kinds: list[Any] = [genai.Text2ImagePipeline]
    if (folder / "vae_encoder" / "openvino_model.xml").is_file():
        kinds = [genai.InpaintingPipeline, genai.Image2ImagePipeline, genai.Text2ImagePipeline]
    loaded: Any = None
    refused = ""
    for kind in kinds:
        try:
            loaded = kind(folder, device, **properties)
            break
        except RuntimeError as error:
            refused = reason(error)
            if "nsupported" not in refused:
                break
    if loaded is None:
        raise LoadError(f"GenAI cannot load the model for {device}: {refused}. Check it, 'device' and plugin_config.")
    return _derive(loaded, folder / SCHEDULER)


def _derive(loaded: Any, scheduler: Path) -> Pipelines:
    inpainting = loaded if isinstance(loaded, genai.InpaintingPipeline) else None
    image_to_image = loaded if isinstance(loaded, genai.Image2ImagePipeline) else None
    if inpainting is not None:
        image_to_image = _as(genai.Image2ImagePipeline, inpainting, scheduler)
    if isinstance(loaded, genai.Text2ImagePipeline):
        return Pipelines(loaded, None, None)
    return Pipelines(_as(genai.Text2ImagePipeline, loaded, scheduler), image_to_image, inpainting)


def _as(kind: Any, pipe: Any, scheduler: Path) -> Any:
    """`pipe` as another kind; `None` when the model cannot do it (one made for inpainting only)."""
    try:
        derived = kind(pipe)
    except RuntimeError:
        return None
    # GenAI 2026.4 derives Stable Diffusion 3 and FLUX without a scheduler, and their first step ends the process.
    derived.set_scheduler(genai.Scheduler.from_config(scheduler))
    return derived


def scheduler_of(file: Path, name: str) -> Callable[[], Any]:
    """Makes schedulers of the type `name`, configured by `file`."""
    return lambda: genai.Scheduler.from_config(file, getattr(genai.Scheduler.Type, name))


def _refusal(error: RuntimeError) -> RequestError | None:
    """The request's fault, if `error` comes from GenAI's own checks of its arguments."""
    text = str(error)
    if "Check '" not in text or "image_generation/" not in text:
        return None
    message = f"{reason(error)}."
    return RequestError(message, param=next((name for hint, name in _PARAMS.items() if hint in message), None))
