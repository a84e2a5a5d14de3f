"""Tests of the tutorial's second plugin."""

from typing import ClassVar

import ovms_similarity

from ovms_core.plugin import ModelSettings
from ovms_core.testing import EndpointConformance, Subject
from ovms_embeddings import hooks as embeddings
from ovms_starter import hooks as starter


class TestSimilarityConformance(EndpointConformance):
    plugin = ovms_similarity
    needs = (embeddings, starter)
    models = (ModelSettings(source="starter:minilm"),)
    valid_body: ClassVar = {"text": "A cat sleeps.", "others": ["A kitten naps.", "Taxes are due."]}

    async def test_a_kitten_is_more_like_a_cat_than_taxes_are(self, conformance: Subject) -> None:
        kitten, taxes = (await self.ask(conformance)).json()["similarities"]
        assert taxes < kitten <= 1
