"""What went wrong at the hub, in words that say what to do."""

from __future__ import annotations

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ovms_core.plugin import SourceError
from ovms_sources.hub.token import known_token

_TOKEN = "set HF_TOKEN to a token of an account that may read it (https://huggingface.co/settings/tokens)"  # noqa: S105

_MISSING = f"there is no such model, or it is private. Check the spelling; if it is private, {_TOKEN}."


def explain(error: Exception, repository: str, revision: str | None) -> SourceError:
    """The `SourceError` for an error of huggingface_hub or of the network under it."""
    return SourceError(f"hf:{repository}: {_reason(error, repository, revision)}", transient=_is_transient(error))


def _is_transient(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        status: int = error.response.status_code
        return status == 429 or status >= 500
    return not isinstance(error, OfflineModeIsEnabled)


def _reason(error: Exception, repository: str, revision: str | None) -> str:
    match error:
        case GatedRepoError():
            return f"the model is gated: accept its licence at https://huggingface.co/{repository}, then {_TOKEN}."
        case RepositoryNotFoundError():
            return _MISSING
        case RevisionNotFoundError():
            return f"it has no revision '{revision}': see https://huggingface.co/{repository}/commits for those it has."
        case OfflineModeIsEnabled():
            return offline_reason(repository)
        case HfHubHTTPError():
            return _status(error.response.status_code)
    return (
        f"the hub cannot be reached ({type(error).__name__}: {error}). What was downloaded is kept: check the network, "
        "the proxy (HTTPS_PROXY) and HF_ENDPOINT, then pull again."
    )


def offline_reason(repository: str) -> str:
    """Why a model that is not here cannot be had now."""
    return (
        "the model is not complete on this machine and the server is offline: "
        f"run 'ovms pull hf:{repository}' while online (HF_HUB_OFFLINE must not be set)."
    )


def _status(status: int) -> str:
    if status == 401 and not known_token():
        return _MISSING
    if status == 401:
        return f"the hub does not accept the token: {_TOKEN}, or unset HF_TOKEN for a public model."
    if status == 403:
        return f"the token may not read this model: {_TOKEN}."
    if status == 429:
        return "the hub asks to slow down (429): wait some minutes, or set HF_TOKEN to get a higher limit."
    return f"the hub answered {status}. What was downloaded is kept: pull again later."
