"""All features, in groups."""

from typing import Final

from ovms_conformance.feature import Group
from ovms_conformance.features.embeddings import embeddings
from ovms_conformance.features.errors import errors
from ovms_conformance.features.images import images
from ovms_conformance.features.load import load
from ovms_conformance.features.models import models
from ovms_conformance.features.operation import operation
from ovms_conformance.features.rerank import rerank
from ovms_conformance.features.text.chat import chat
from ovms_conformance.features.text.completions import completions
from ovms_conformance.features.text.reasoning import reasoning
from ovms_conformance.features.text.responses import responses
from ovms_conformance.features.text.sampling import sampling
from ovms_conformance.features.text.shaping import shaping
from ovms_conformance.features.text.streams import streams
from ovms_conformance.features.text.tokens import tokens
from ovms_conformance.features.text.tools import tools

GROUPS: Final[tuple[Group, ...]] = (
    models,
    chat,
    streams,
    sampling,
    shaping,
    tools,
    reasoning,
    responses,
    completions,
    tokens,
    embeddings,
    rerank,
    images,
    errors,
    load,
    operation,
)
"""Every group, in the order of the report."""
