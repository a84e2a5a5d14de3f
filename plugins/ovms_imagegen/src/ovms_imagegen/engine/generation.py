"""The engine of image generation: one picture at a time, on GenAI's pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from ovms_core.engine import EngineInfo, JobEngine, LoadError, ModelSpec, Progress
from ovms_imagegen import pictures
from ovms_imagegen.adapters import Adapters
from ovms_imagegen.engine.family import family_of
from ovms_imagegen.engine.model_folder import limits_of, options_of
from ovms_imagegen.engine.parts import SCHEDULER, read_parts
from ovms_imagegen.engine.pipelines import Decode, Drawing, Watch, load_pipelines, scheduler_of
from ovms_imagegen.engine.prepared import prepared_folder
from ovms_imagegen.engine.prompts import PromptGauge
from ovms_imagegen.messages import Draw, Drawn, Preview, Size, Stepped
from ovms_imagegen.pictures import Pixels
from ovms_imagegen.recipe import Recipe
from ovms_imagegen.store import PictureStore
from ovms_openvino.cpus import thread_limit
from ovms_openvino.device import choose_device
from ovms_openvino.failure import reason


class ImageGeneration(JobEngine):
    """Draws a request's pictures one after the other, so that each can be made again alone from its seed."""

    def __init__(self, model: ModelSpec) -> None:
        self._name = model.name
        source = Path(model.path)
        self._options = options_of(source, model.options)
        self._parts = read_parts(source, self._options.scheduler)
        self._folder = prepared_folder(source, self._parts, Path(model.work_dir), self._options.scheduler)
        self._device = choose_device(model.device)
        self._adapters = Adapters(self._options.lora, source)
        self._pipelines = load_pipelines(self._folder, self._device, self._properties(Path(model.work_dir)))
        family = family_of(self._parts)
        self._gauge = PromptGauge(self._folder, family.encoders)
        self._store = self._open_store()
        self._limits = limits_of(self._options, self._pipelines, family, self._adapters.names)
        self._scheduler = self._choose_scheduler()
        self._require_drawing()
        super().__init__(model)

    def info(self) -> EngineInfo:
        details = {"pipeline": self._parts.index.pipeline, "scheduler": self._scheduler, **self._limits.details()}
        # Two: the next job is here when one ends. More would only wait here instead of in the server's queue.
        return EngineInfo(slots=2, device=self._device, details=details)

    def add(self, id: int, request: Draw) -> None:
        self._limits.check(request)
        self._gauge.check(request, truncate=bool(self._options.truncate_prompts))
        super().add(id, request)

    def run(self, request: Draw, progress: Progress) -> None:
        prompt_tokens = self._gauge.count(request)
        recipe = self._recipe(self._limits.filled(request))
        for index in range(request.first, request.n):
            drawing = self._draw(recipe, index, progress)
            if drawing is None:
                return
            progress(partial(self._drawn, recipe, index, drawing, prompt_tokens))

    def _drawn(self, recipe: Recipe, index: int, drawing: Drawing, prompt_tokens: int) -> Drawn:
        data = self._file(recipe, index, drawing)
        drawn = Drawn(index, recipe.seed(index), recipe.size, drawing.steps, prompt_tokens)
        if recipe.request.keep and self._store is not None:
            drawn.kept_as = self._store.keep(data, recipe.request.output_format)
        else:
            drawn.data = data
        return drawn

    def _recipe(self, request: Draw) -> Recipe:
        """Decode what was uploaded and settle what the request left open."""
        limits = self._limits
        image, mask = pictures.open_pair(request.image, request.mask, limits.max_upload_pixels)
        own = limits.shaped_like(image.size) if image else limits.default_size
        size = limits.drawn(request.size) if request.size else own
        return Recipe(
            request=request,
            model=self._name,
            scheduler=self._scheduler,
            size=size,
            alphas=self._adapters.alphas(request.model, request.lora_alphas),
            image=image and pictures.fit(image, size),
            mask=mask and pictures.fit(mask, size),
        )

    def _draw(self, recipe: Recipe, index: int, progress: Progress) -> Drawing | None:
        inputs = [pictures.to_pixels(image) for image in (recipe.image, recipe.mask) if image is not None]
        settings = recipe.settings(index)
        if self._adapters.names:
            settings["adapters"] = self._mixture(recipe.alphas)
        watch = _watch(recipe.request, index, progress)
        return self._pipelines.draw(recipe.request.prompt, inputs, settings, watch)

    def _mixture(self, alphas: Mapping[str, float]) -> Any:
        if self._adapters.only_strengths_change(alphas):
            self._try_out(self._smallest())
        return self._adapters.mixture(alphas)

    def _file(self, recipe: Recipe, index: int, drawing: Drawing) -> bytes:
        request = recipe.request
        image = pictures.from_pixels(drawing.pixels)
        if recipe.image is not None and recipe.mask is not None:  # the VAE changes what was not to be drawn, too
            image = Image.composite(image, recipe.image, recipe.mask)
        with_prompt = request.embed_prompt and self._options.embed_prompt is not False
        description = recipe.description(index, with_prompt=with_prompt)
        return pictures.encode(image, request.output_format, request.output_compression, description)

    def _properties(self, work_dir: Path) -> dict[str, Any]:
        cache = Path(self._options.cache_dir) if self._options.cache_dir else work_dir / "compiled"
        properties = thread_limit(self._device) | {"CACHE_DIR": str(cache)} | self._options.plugin_config
        adapters = self._adapters.all()
        if adapters is None:
            return properties
        # In bf16, the CPU's own choice, an adapter that is applied a second time gives black pictures.
        exact = {"INFERENCE_PRECISION_HINT": "f32"} if self._device == "CPU" else {}
        return exact | properties | {"adapters": adapters}

    def _choose_scheduler(self) -> str:
        """Give every pipeline the scheduler of the options, if one is set; returns the name of the one in use."""
        name = self._options.scheduler
        if name is None:
            return self._parts.scheduler.name
        try:
            self._pipelines.use_scheduler(scheduler_of(self._folder / SCHEDULER, name))
        except RuntimeError as error:
            raise LoadError(f"options.scheduler: the model cannot use {name}: {reason(error)}.") from error
        return name

    def _require_drawing(self) -> None:
        """Begin a picture, so that a model that cannot draw is told of now and not by its first request."""
        try:
            self._try_out(self._smallest() if self._device == "CPU" else self._limits.default_size)
        except RuntimeError as error:
            try:
                self._try_out(self._limits.default_size)  # it may be made for this size only
            except RuntimeError:
                raise self._unable(error) from error

    def _unable(self, error: RuntimeError) -> LoadError:
        if self._options.scheduler is not None:
            return LoadError(f"options.scheduler: the model cannot use {self._scheduler}: {reason(error)}.")
        where = f"{', '.join(self._parts.names)}: mend them, or export the model anew."
        if "/schedulers/" in str(error):
            where = f"{SCHEDULER}: mend it, or set options.scheduler to another."
        return LoadError(f"the model is loaded, but cannot draw: {reason(error)}. This follows from {where}")

    def _smallest(self) -> Size:
        side = 8 * self._limits.multiple
        return side, side

    def _try_out(self, size: Size) -> None:
        settings: dict[str, Any] = {"adapters": self._adapters.mixture({})} if self._adapters.names else {}
        settings["guidance_scale"] = self._limits.default_guidance_scale
        self._pipelines.try_out(size, num_inference_steps=self._limits.default_steps, **settings)

    def _open_store(self) -> PictureStore | None:
        if self._options.url_folder is None:
            return None
        folder = Path(self._options.url_folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LoadError(f"options.url_folder cannot be made: {error.strerror}.") from error
        return PictureStore(folder, self._options.url_ttl or 3600)


def preview_steps(total: int, count: int) -> list[int]:
    """The steps after which `count` previews are due, spread evenly; fewer where there are fewer steps."""
    return sorted({round(total * (number + 1) / (count + 1)) for number in range(count)} - {0, total})


def _watch(request: Draw, index: int, progress: Progress) -> Watch:
    """Reports each step of picture `index`, with a preview where one is due."""

    seen = request.previewed if index == request.first else 0

    def tell(step: int, total: int, decode: Decode | None) -> bool:
        return progress(Stepped(index, step, total) if request.report_steps else None)

    def watch(step: int, total: int, decode: Decode | None) -> bool:
        due = dict(zip(preview_steps(total, request.partial_images), range(3), strict=False))
        number = due.get(step, -1)
        if decode is not None and number >= seen and not progress():
            progress(partial(_preview, request, (index, number, step, total), decode()))
        return tell(step, total, decode)

    return watch if request.partial_images else tell


def _preview(request: Draw, place: tuple[int, int, int, int], pixels: Pixels) -> Preview:
    image = pictures.from_pixels(pixels)
    data = pictures.encode(image, request.output_format, request.output_compression)
    return Preview(*place, image.size, data)
