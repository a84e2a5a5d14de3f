"""Which size is drawn when the one that is asked for cannot be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ovms_imagegen.limits import Limits
from ovms_imagegen.messages import Size
from ovms_imagegen.sizes import parse_size, size_text

PORTRAITS: list[Size] = [(1024, 1024), (768, 1344), (1344, 768), (512, 512)]


def limits(**changes: Any) -> Limits:
    """Those of a model that draws 512x512, and up to 1024x768, if `changes` do not say otherwise."""
    known = {field.name: None for field in msgspec.structs.fields(Limits)}
    own = {"default_size": (512, 512), "max_size": (1024, 768), "multiple": 16}
    return Limits(**{**known, **own, **changes})


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [
        ("512x512", "512x512"),
        ("500x260", "496x256"),
        ("1x1", "16x16"),
        ("1024x1024", "768x768"),
        ("1792x1024", "1024x592"),
        ("1024x1792", "432x768"),
        ("99999x7", "1024x16"),
    ],
)
def test_a_size_is_scaled_down_until_it_fits_and_its_sides_are_rounded(asked: str, drawn: str) -> None:
    assert size_text(limits().drawn(parse_size(asked))) == drawn


def test_sides_are_no_longer_than_the_largest_even_when_that_is_no_multiple() -> None:
    assert limits(max_size=(500, 500)).drawn((1024, 1024)) == (496, 496)


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [
        ("1024x1024", "1024x1024"),
        ("256x256", "512x512"),
        ("4000x4000", "1024x1024"),
        ("1024x1792", "768x1344"),
        ("1536x1024", "1344x768"),
        ("520x510", "512x512"),
        ("16x16", "512x512"),
        ("90000x90000", "1024x1024"),
    ],
)
def test_among_given_sizes_the_shape_counts_first_and_then_the_pixels(asked: str, drawn: str) -> None:
    assert size_text(limits(sizes=PORTRAITS).drawn(parse_size(asked))) == drawn


@pytest.mark.parametrize(
    ("picture", "sizes", "drawn"),
    [
        ((2000, 1000), None, (720, 368)),
        ((4000, 400), None, (1024, 96)),
        ((3000, 3000), PORTRAITS, (512, 512)),
        ((300, 500), PORTRAITS, (768, 1344)),
    ],
)
def test_a_picture_without_a_size_keeps_its_shape_and_gets_the_models_pixels(
    picture: Size, sizes: list[Size] | None, drawn: Size
) -> None:
    assert limits(sizes=sizes).shaped_like(picture) == drawn
