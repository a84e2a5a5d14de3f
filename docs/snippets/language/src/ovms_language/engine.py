"""The engine. This module is imported in the worker process only."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ovms_core.engine import BatchEngine, BatchLimits, EngineInfo, LoadError, ModelSpec, Shapes
from ovms_language.messages import Identified, Identify
from ovms_language.task import LanguageOptions


class LanguageEngine(BatchEngine[Identify, str, str]):
    """Counts the words that each language is known by."""

    def __init__(self, model: ModelSpec) -> None:
        super().__init__(BatchLimits(Shapes.up_to(4096), max_batch_tokens=16384))
        self._fallback = LanguageOptions.model_validate(model.options).fallback
        try:
            words = json.loads((Path(model.path) / "languages.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise LoadError(f"languages.json cannot be read: {error}. It maps a language to its words.") from error
        self._words = {language: set(known) for language, known in words.items()}

    def info(self) -> EngineInfo:
        return EngineInfo(slots=64, device="CPU", details={"languages": sorted(self._words)})

    def split(self, request: Identify) -> Iterable[str]:
        return request.texts

    def cost(self, item: str) -> int:
        return len(item.split())

    def run(self, items: Sequence[str]) -> Sequence[str]:
        return [self._language_of(set(item.lower().split())) for item in items]

    def join(self, request: Identify, results: Sequence[str]) -> Identified:
        return Identified(list(results))

    def _language_of(self, words: set[str]) -> str:
        best = max(self._words, key=lambda language: len(words & self._words[language]))
        return best if words & self._words[best] else self._fallback
