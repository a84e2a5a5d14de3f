"""``--starter``: the small models that make a first command work."""

from __future__ import annotations

from collections.abc import Iterator

from ovms_core.configuration import ConfigurationError, check_names, default_name
from ovms_core.models.source import Offer
from ovms_core.plugin_loading.offerings import Offerings
from ovms_core.settings import ModelSettings, Settings

_SCHEME = "starter"


def with_starter_models(settings: Settings, offerings: Offerings) -> Settings:
    """The settings with the starter models whose task an installed plugin has.

    One that is configured already stays as it is. Raises `ConfigurationError` when there is nothing to add.
    """
    source = offerings.sources.get(_SCHEME)
    if source is None:
        raise ConfigurationError("--starter needs the catalogue of small models: run 'pip install ovms-starter'.")
    offers = list(source.offers())
    usable = [offer for offer in offers if offer.task in offerings.tasks]
    if not usable:
        raise ConfigurationError(
            "--starter: no installed plugin serves a starter model's task "
            f"({', '.join(offer.task for offer in offers)}): run 'pip install ovms-llm'."
        )
    extended = settings.model_copy(update={"models": [*settings.models, *_missing(settings, usable)]})
    check_names(extended)
    return extended


def _missing(settings: Settings, offers: list[Offer]) -> Iterator[ModelSettings]:
    present = {name for model in settings.models for name in (model.name or default_name(model.source), model.source)}
    for offer in offers:
        if offer.name not in present and offer.reference not in present:
            yield ModelSettings(name=offer.name, source=offer.reference, device=settings.device)
