"""The endpoints: generations, edits and variations."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, ClassVar, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ovms_core.engine import RequestError
from ovms_core.plugin import APIError, Call, Endpoint, off_loop, read_json, sse, validate_body
from ovms_imagegen.http import responses
from ovms_imagegen.http.bodies import EditBody, GenerationBody, ImageBody, OverBody, VariationBody, file_of
from ovms_imagegen.http.files import KeptFiles
from ovms_imagegen.http.forms import form_document, is_form, read_form, require_form_or_json
from ovms_imagegen.limits import MAX_SEED, Limits
from ovms_imagegen.messages import Draw, Drawn, Preview, Stepped, Upload
from ovms_imagegen.sizes import parse_size, size_text

I = TypeVar("I", bound=ImageBody)  # noqa: E741 - as the core's B
O = TypeVar("O", bound=OverBody)  # noqa: E741

VARIATION_STRENGTH = 0.7
"""Keeps a picture's composition and changes its details."""

_FILES_URL = "imagegen.files_url"


class ImageEndpoint(Endpoint[I]):
    """What the three have in common; `event` is how its stream's events begin."""

    task = "image_generation"
    response = responses.ImagesAnswer
    streams = True
    event: ClassVar[str] = "image_generation"

    async def parse(self, request: Request) -> Call[I]:
        call = self.call(request, *await self.read(request))
        call.context[_FILES_URL] = self._files_url(request)
        return call

    async def read(self, request: Request) -> tuple[I, list[str]]:
        """The body, and the names of its fields that have no effect."""
        return await read_json(request, self.body)

    async def execute(self, call: Call[I]) -> AsyncIterator[Any]:
        model = call.require_model()
        assert model.info is not None
        limits = Limits.of(model.info)
        request = self.draw(call, limits)
        await call.off_loop(_check, request, limits)
        call.warnings.extend(_changes(request, limits))
        async with aclosing(model.submit(request)) as events:
            async for event in events:
                yield event

    def draw(self, call: Call[I], limits: Limits) -> Draw:
        """The request for the engine; the seed is chosen here, so that a request that must run again gives the same."""
        body = call.body
        seed = body.rng_seed if body.seed is None else body.seed
        request = Draw(
            model=body.model or call.require_model().name,
            prompt=body.prompt,
            seed=secrets.randbelow(MAX_SEED + 2 - body.n) if seed is None else seed,
            n=body.n,
            size=None if body.size == "auto" else parse_size(body.size),
            steps=body.num_inference_steps,
            keep=_wants_urls(body, limits),
            report_steps=body.stream,
        )
        for name in _SAME_NAME:
            setattr(request, name, getattr(body, name))
        self.complete(request, body, limits)
        return request

    def complete(self, request: Draw, body: I, limits: Limits) -> None:
        """Put into `request` what only this endpoint has."""

    def texts(self, call: Call[I]) -> Iterator[str]:
        body = call.body
        yield from filter(None, (body.prompt, body.negative_prompt, body.prompt_2, body.prompt_3))

    def to_json(self, call: Call[I], events: Sequence[Any]) -> Any:
        drawn = [event for event in events if isinstance(event, Drawn)]
        return responses.document(call.created, call.body.output_format, call.context[_FILES_URL], drawn)

    async def unary(self, call: Call[I], events: AsyncIterator[Any]) -> Response:
        drawn = [event async for event in events]
        content = await off_loop(lambda: msgspec.json.encode(self.to_json(call, drawn)))
        return Response(content, media_type="application/json")

    async def stream(self, call: Call[I], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        async for event in events:
            if isinstance(event, Stepped):
                yield sse.comment(responses.progress(event))
            elif isinstance(event, Preview | Drawn):
                yield await off_loop(self._frame, call, event)

    def _frame(self, call: Call[I], event: Preview | Drawn) -> bytes:
        about = (self.event, call.created, call.body.output_format)
        if isinstance(event, Preview):
            return sse.event(f"{self.event}.partial_image", responses.partial_image(*about, event))
        return sse.event(f"{self.event}.completed", responses.completed(*about, call.context[_FILES_URL], event))

    def _files_url(self, request: Request) -> str:
        """Where kept pictures are served: beside this endpoint, as the client reaches it."""
        base = str(request.url.replace(query="", fragment="")).removesuffix("/").removesuffix(self.path)
        return base + KeptFiles.path.partition("/{")[0]


_SAME_NAME = (
    "prompt_2",
    "prompt_3",
    "negative_prompt",
    "guidance_scale",
    "strength",
    "max_sequence_length",
    "lora_alphas",
    "output_format",
    "output_compression",
    "partial_images",
    "embed_prompt",
)


class Generations(ImageEndpoint[GenerationBody]):
    """Text to image."""

    path = "/images/generations"
    body = GenerationBody


class OverPicture(ImageEndpoint[O]):
    """What starts from a picture: its body is a form, or JSON with the picture in a data URL."""

    event = "image_edit"
    accepts = ("application/json", "multipart/form-data")

    async def read(self, request: Request) -> tuple[O, list[str]]:
        if is_form(request):
            fields = await read_form(request)
            return await off_loop(lambda: validate_body(form_document(fields), self.body))
        require_form_or_json(request)
        return await super().read(request)

    def complete(self, request: Draw, body: O, limits: Limits) -> None:
        request.image = Upload(*body.picture())


class Edits(OverPicture[EditBody]):
    """Image to image, and with a mask inpainting."""

    path = "/images/edits"
    body = EditBody

    def complete(self, request: Draw, body: EditBody, limits: Limits) -> None:
        super().complete(request, body, limits)
        request.mask = None if body.mask is None else Upload(file_of(body.mask), "mask")


class Variations(OverPicture[VariationBody]):
    """Image to image, without a prompt unless one is given."""

    path = "/images/variations"
    body = VariationBody

    def complete(self, request: Draw, body: VariationBody, limits: Limits) -> None:
        super().complete(request, body, limits)
        if body.strength is None and "strength" not in limits.unused:
            request.strength = VARIATION_STRENGTH


def _check(request: Draw, limits: Limits) -> None:
    """Refuse at once what the engine would refuse after a wait in the queue. Raises `APIError`."""
    try:
        limits.check(request)
    except RequestError as error:
        raise APIError(error.status, error.message, param=error.param, code=error.code) from None


def _wants_urls(body: ImageBody, limits: Limits) -> bool:
    """Whether the answer has URLs; a stream carries its pictures, whatever the operator has set."""
    return body.response_format == "url" or (body.response_format is None and limits.prefers_urls and not body.stream)


def _changes(request: Draw, limits: Limits) -> Iterator[str]:
    """Sentences about what will be drawn otherwise than it was asked for."""
    if request.size is not None and (drawn := limits.drawn(request.size)) != request.size:
        asked = size_text(request.size)
        yield f"The model cannot draw {asked}: the picture is {size_text(drawn)}, the nearest size that it can."
