"""Tests of the tutorial's second plugin."""

from typing import ClassVar

import ovms_similarity

from ovms_core.plugin import ModelSettings
from ovms_core.testing import EndpointContract, Subject
from ovms_embeddings import hooks as embeddings
from ovms_starter import hooks as starter


class TestSimilarityContract(EndpointContract):
    plugin = ovms_similarity
    needs = (embeddings, starter)
    models = (ModelSettings(source="starter:minilm"),)
    valid_body: ClassVar = {"text": "A cat sleeps.", "others": ["A kitten naps.", "Taxes are due."]}

    async def test_a_kitten_is_more_like_a_cat_than_taxes_are(self, subject: Subject) -> None:
        kitten, taxes = (await self.ask(subject)).json()["similarities"]
        assert taxes < kitten <= 1
