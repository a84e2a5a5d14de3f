"""All that settles what a picture will be: a request with every default filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from ovms_imagegen.messages import Draw, Size
from ovms_imagegen.sizes import size_text

_AS_GIVEN: Final = (
    "negative_prompt",
    "prompt_2",
    "prompt_3",
    "guidance_scale",
    "strength",
    "max_sequence_length",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The same recipe and picture number give the same pixels.

    `request` has its defaults filled in. `image` and `mask` have the size `size`; `alphas` says how strongly
    each LoRA adapter acts.
    """

    request: Draw
    model: str
    scheduler: str
    size: Size
    alphas: dict[str, float]
    image: Image.Image | None = None
    mask: Image.Image | None = None

    def seed(self, index: int) -> int:
        """The seed of picture `index`."""
        return self.request.seed + index

    def settings(self, index: int) -> dict[str, Any]:
        """Picture `index` as GenAI's generation parameters."""
        given = {name: value for name in _AS_GIVEN if (value := getattr(self.request, name)) is not None}
        own = {"rng_seed": self.seed(index), "num_inference_steps": self.request.steps}
        return given | own | {"width": self.size[0], "height": self.size[1]}

    def description(self, index: int, *, with_prompt: bool) -> str:
        """Picture `index` in the notation that Stable Diffusion tools read: the prompt, then a line of facts.

        https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/Features#png-info
        """
        lines = [f"{name}: {value}" for name, value in self._facts(index).items() if value is not None]
        return "\n".join([*(self._prompts() if with_prompt else []), ", ".join(lines)])

    def _prompts(self) -> list[str]:
        negative = self.request.negative_prompt
        return [self.request.prompt, *([f"Negative prompt: {negative}"] if negative else [])]

    def _facts(self, index: int) -> dict[str, Any]:
        return {
            "Steps": self.request.steps,
            "Sampler": self.scheduler,
            "CFG scale": f"{self.request.guidance_scale:g}",
            "Seed": self.seed(index),
            "Size": size_text(self.size),
            "Model": self.model,
            "Denoising strength": self.request.strength,
            "Lora": " ".join(f"{alias}:{alpha:g}" for alias, alpha in self.alphas.items()) or None,
        }
