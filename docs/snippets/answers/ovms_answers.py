"""An endpoint over three models: it finds documents, ranks them, and answers from the best."""

from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from heapq import nlargest
from typing import Annotated

from prometheus_client import Counter
from pydantic import BaseModel, Field

from ovms_core.plugin import Body, Call, Endpoint, Event, Int, Model, Settings, hookimpl, off_loop
from ovms_embeddings.messages import Embed
from ovms_llm.messages import Chat, Delta, Generate, Sampling
from ovms_rerank.messages import Score

DOCUMENTS_READ = Counter("answers_documents_read", "Documents that answers were made from", registry=None)


class AnswersSettings(BaseModel):
    documents: list[str] = Field(min_length=1, description="The texts that answers are made from.")
    candidates: int = Field(default=20, ge=1, description="How many documents are ranked for a question.")
    max_tokens: int = Field(default=200, ge=1, description="Tokens that an answer may have.")


class AnswerBody(Body):
    question: str
    best: Annotated[Int, Field(ge=1, le=10)] = 3
    embedder: str | None = None
    reranker: str | None = None
    stream: bool = False


class Sources(Event, tag="sources"):
    documents: list[str]


class Said(Event, tag="said"):
    text: str


class Answer(Endpoint[AnswerBody]):
    """Answer a question from the best documents."""

    path = "/answer"
    method = "GET"
    body = AnswerBody
    task = "text_generation"
    streams = True

    def __init__(self, settings: AnswersSettings) -> None:
        self._settings = settings
        self._vectors: dict[str, list[Sequence[float]]] = {}

    async def execute(self, call: Call[AnswerBody]) -> AsyncIterator[Sources | Said]:
        documents = await self._best(call)
        DOCUMENTS_READ.inc(len(documents))
        yield Sources(documents)
        system = "Answer from these documents only:\n\n" + "\n\n".join(documents)
        messages = [{"role": "system", "content": system}, {"role": "user", "content": call.body.question}]
        request = Generate(prompt=Chat(messages), sampling=Sampling(max_tokens=self._settings.max_tokens))
        async with aclosing(call.require_model().submit(request)) as events:
            async for event in events:
                if isinstance(event, Delta):
                    yield Said(event.text)

    async def _best(self, call: Call[AnswerBody]) -> list[str]:
        """The documents that fit the question best: the nearest ones, ranked."""
        embedder = call.models.resolve(call.body.embedder, "embeddings", param="embedder")
        reranker = call.models.resolve(call.body.reranker, "rerank", param="reranker")
        question = call.body.question
        (vector,) = await embedded(embedder, [question])
        if embedder.name not in self._vectors:
            self._vectors[embedder.name] = await embedded(embedder, self._settings.documents)
        near = await off_loop(nearest, vector, self._vectors[embedder.name], self._settings.candidates)
        documents = [self._settings.documents[index] for index in near]
        (scored,) = await reranker.collect(Score(queries=[question], documents=documents))
        ranked = nlargest(call.body.best, zip(scored.log_odds, documents, strict=True))
        return [document for _, document in ranked]

    def to_json(self, call: Call[AnswerBody], events: Sequence[Sources | Said]) -> object:
        documents = [each for event in events if isinstance(event, Sources) for each in event.documents]
        answer = "".join(event.text for event in events if isinstance(event, Said))
        return {"answer": answer, "documents": documents}


async def embedded(model: Model, texts: list[str]) -> list[Sequence[float]]:
    (event,) = await model.collect(Embed(inputs=[*texts], normalize=True))
    return [array("f", vector) for vector in event.vectors]


def nearest(vector: Sequence[float], others: list[Sequence[float]], count: int) -> list[int]:
    def likeness(index: int) -> float:
        return sum(a * b for a, b in zip(vector, others[index], strict=True))

    return nlargest(count, range(len(others)), key=likeness)


@hookimpl
def ovms_settings() -> type[AnswersSettings]:
    return AnswersSettings


@hookimpl
def ovms_register_endpoints(settings: Settings) -> list[Answer]:
    return [Answer(settings.plugin(AnswersSettings))]


@hookimpl
def ovms_register_metrics(settings: Settings) -> list[Counter]:
    return [DOCUMENTS_READ]
