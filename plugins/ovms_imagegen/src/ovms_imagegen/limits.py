"""What a request may ask of an image model. The server asks early, the engine again."""

from __future__ import annotations

from typing import Any

import msgspec

from ovms_core.engine import EngineInfo, RequestError
from ovms_imagegen.messages import Draw, Size, Upload
from ovms_imagegen.probe import NotAPictureError, probe
from ovms_imagegen.sizes import distance, size_text

MAX_SEED = 2**32 - 1
"""GenAI's generator takes the seed modulo 2**32."""


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a request of one kind that does not say it."""

    steps: int
    guidance_scale: float
    strength: float


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes are in pixels and multiples of `multiple`; `sizes`, when given, are the only ones allowed.

    With `any_size` a request for another gets the nearest of them.
    `defaults` has a key for each of ``generations``, ``edits`` and ``masks`` that the model can do;
    `default_steps` and `default_guidance_scale` are those of the first. For the rest see `Family`.
    """

    default_size: Size
    multiple: int
    max_size: Size
    sizes: list[Size] | None
    any_size: bool
    max_images: int
    default_steps: int
    max_steps: int
    default_guidance_scale: float
    defaults: dict[str, Defaults]
    max_upload_bytes: int
    max_upload_pixels: int
    generations: bool
    edits: bool
    masks: bool
    urls: bool
    prefers_urls: bool
    loras: list[str]
    unused: list[str]
    prompt_tokens: int
    keeps_guidance: bool
    rounds_up: bool

    def details(self) -> dict[str, Any]:
        """As shown in ``GET /v3/models``."""
        return {"limits": msgspec.to_builtins(self)}

    @classmethod
    def of(cls, info: EngineInfo) -> Limits:
        """The limits that an engine told of itself."""
        return msgspec.convert(info.details["limits"], cls)

    def check(self, request: Draw) -> None:
        """Raise `RequestError`, which says what is allowed, when `request` asks for more."""
        self._check_kind(request)
        self._check_unused(request)
        self._check_size(request.size)
        _at_most(request.n, self.max_images, "n", "pictures")
        _at_most(request.steps or 0, self.max_steps, "num_inference_steps", "denoising steps")
        if request.seed + request.n - 1 > MAX_SEED:
            raise RequestError(f"The last picture's seed would be over {MAX_SEED}: use a smaller one.", param="seed")
        self._check_guidance(request)
        self._check_strength(request)
        for upload in filter(None, (request.image, request.mask)):
            self._check_upload(upload)
        if unknown := sorted(set(request.lora_alphas) - set(self.loras)):
            raise RequestError(f"LoRA '{unknown[0]}' is not loaded. {_listed(self.loras)}", param="lora_alphas")
        if request.keep and not self.urls:
            message = "This server keeps no pictures: response_format must be 'b64_json' (url_folder is not set)."
            raise RequestError(message, param="response_format")

    def filled(self, request: Draw) -> Draw:
        """`request` with the defaults of its kind, and without what the model does not use."""
        own = self.defaults[_kind(request)]
        filled = {
            "steps": request.steps or own.steps,
            "guidance_scale": own.guidance_scale if request.guidance_scale is None else request.guidance_scale,
            "strength": None if request.image is None else self._strength(request),
            "negative_prompt": request.negative_prompt if self._guides(request) else None,
        }
        unused = {name: None for name in self.unused if name != "guidance_scale"}
        return msgspec.structs.replace(request, **(filled | unused))

    def allows(self, size: Size) -> bool:
        """Whether pictures of `size` can be drawn."""
        if self.sizes is not None:
            return size in self.sizes
        sides = zip(size, self.max_size, strict=True)
        return all(side % self.multiple == 0 and 0 < side <= largest for side, largest in sides)

    def drawn(self, size: Size) -> Size:
        """The size that a picture has when `size` is asked for: `size` itself where it can be drawn."""
        return size if self.allows(size) else self._nearest(*size)

    def shaped_like(self, picture: Size) -> Size:
        """The allowed size of about the shape of `picture`, with about as many pixels as the default size."""
        width, height = picture
        scale = (self.default_size[0] * self.default_size[1] / (width * height)) ** 0.5
        return self._nearest(width * scale, height * scale)

    def _nearest(self, width: float, height: float) -> Size:
        """Among `sizes` the nearest; else it is scaled down until it fits, and its sides are rounded."""
        if self.sizes is not None:
            return min(self.sizes, key=lambda allowed: distance(allowed, width, height))
        scale = min(1.0, self.max_size[0] / width, self.max_size[1] / height)
        return self._rounded(width * scale, self.max_size[0]), self._rounded(height * scale, self.max_size[1])

    def _rounded(self, side: float, largest: int) -> int:
        whole = max(1, round(side / self.multiple))
        return min(whole, largest // self.multiple) * self.multiple

    def _check_kind(self, request: Draw) -> None:
        if request.image is None and not self.generations:
            raise RequestError("This model only draws over a picture: use /images/edits with a mask.", param="model")
        if request.mask is not None and not self.masks:
            raise RequestError("This model cannot use a mask: leave 'mask' out.", param="mask")
        if request.image is not None and request.mask is None and not self.edits:
            wanted = "needs a mask too" if self.masks else "cannot start from a picture: it has no VAE encoder"
            raise RequestError(f"This model {wanted}.", param="mask" if self.masks else "model")

    def _check_size(self, size: Size | None) -> None:
        if size is None or self.allows(size) or (self.any_size and min(size) > 0):
            return
        if self.sizes is not None:
            allowed = ", ".join(map(size_text, self.sizes))
        else:
            allowed = f"sides that are multiples of {self.multiple}, up to {size_text(self.max_size)}"
        message = (
            f"The model cannot draw {size_text(size)}. Allowed: {allowed}; its own: {size_text(self.default_size)}. "
            "With the model's option 'unsupported_size: nearest' it draws the nearest of them."
        )
        raise RequestError(message, param="size", code="invalid_size")

    def _check_unused(self, request: Draw) -> None:
        for name in self.unused:
            value = getattr(request, name)
            if value and not self._means_nothing(name, value):
                reads_all = name == "max_sequence_length"
                why = f"always reads {self.prompt_tokens} tokens" if reads_all else "does not use it"
                raise RequestError(f"Leave '{name}' out: this model {why}.", param=name, code="unsupported_parameter")

    def _means_nothing(self, name: str, value: Any) -> bool:
        """Whether an unused field has the value that some clients give it all the same."""
        same = {"strength": 1, "max_sequence_length": self.prompt_tokens}
        return value == same.get(name) or (name == "guidance_scale" and value <= 1)

    def _check_guidance(self, request: Draw) -> None:
        guided = self.defaults[_kind(request)].guidance_scale > 1
        if self.keeps_guidance and self._guides(request) != guided:
            side = "over 1" if guided else "at most 1"
            raise RequestError(f"With this model 'guidance_scale' must be {side}.", param="guidance_scale")
        if request.negative_prompt and not self._guides(request):
            param = "negative_prompt" if request.guidance_scale is None else "guidance_scale"
            raise RequestError("A guidance scale of at most 1 ignores negative prompts: raise it.", param=param)

    def _guides(self, request: Draw) -> bool:
        own = self.defaults[_kind(request)].guidance_scale
        return (own if request.guidance_scale is None else request.guidance_scale) > 1

    def _strength(self, request: Draw) -> float:
        return self.defaults[_kind(request)].strength if request.strength is None else request.strength

    def _check_strength(self, request: Draw) -> None:
        if request.image is None:
            if request.strength not in (None, 1):
                raise RequestError("Only edits have a strength: without a picture it is 1.", param="strength")
            return
        steps = request.steps or self.defaults[_kind(request)].steps
        strength = self._strength(request)
        if strength == 0 or (int(steps * strength) < 1 and not self.rounds_up):
            message = f"Strength {strength:.4g} of {steps} steps leaves none to do: use at least {1 / steps:.3g}."
            raise RequestError(message, param="strength")

    def _check_upload(self, upload: Upload) -> None:
        if len(upload.data) > self.max_upload_bytes:
            message = f"'{upload.field}' has {len(upload.data)} bytes; at most {self.max_upload_bytes} are allowed."
            raise RequestError(message, param=upload.field, code="image_too_large")
        try:
            header = probe(upload.data)
        except NotAPictureError as error:
            raise _bad_upload(upload, str(error)) from None
        if header.animated:
            raise _bad_upload(upload, "has several frames; send a single one")
        if not (header.width and header.height):
            raise _bad_upload(upload, "has no pixels")
        if header.width * header.height > self.max_upload_pixels:
            message = f"has {header.width}x{header.height} pixels; at most {self.max_upload_pixels} are allowed"
            raise _bad_upload(upload, message, code="image_too_large")


def _kind(request: Draw) -> str:
    if request.image is None:
        return "generations"
    return "edits" if request.mask is None else "masks"


def _bad_upload(upload: Upload, problem: str, code: str = "invalid_image") -> RequestError:
    return RequestError(f"'{upload.field}' {problem}.", param=upload.field, code=code)


def _at_most(value: int, largest: int, param: str, what: str) -> None:
    if value > largest:
        raise RequestError(f"{value} {what} are too many: at most {largest} are allowed.", param=param)


def _listed(names: list[str]) -> str:
    return f"Loaded: {', '.join(names)}." if names else "This model has none."
