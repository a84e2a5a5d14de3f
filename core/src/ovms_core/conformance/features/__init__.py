"""All features, in groups."""

from typing import Final

from ovms_core.conformance.feature import Group
from ovms_core.conformance.features.chat import chat
from ovms_core.conformance.features.completions import completions
from ovms_core.conformance.features.embeddings import embeddings
from ovms_core.conformance.features.errors import errors
from ovms_core.conformance.features.images import images
from ovms_core.conformance.features.load import load
from ovms_core.conformance.features.models import models
from ovms_core.conformance.features.operation import operation
from ovms_core.conformance.features.reasoning import reasoning
from ovms_core.conformance.features.rerank import rerank
from ovms_core.conformance.features.responses import responses
from ovms_core.conformance.features.sampling import sampling
from ovms_core.conformance.features.shaping import shaping
from ovms_core.conformance.features.streams import streams
from ovms_core.conformance.features.tokens import tokens
from ovms_core.conformance.features.tools import tools

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
