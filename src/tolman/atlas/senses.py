"""/api/senses and /api/words: what a word means in this space, and what is near it."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.python_line import opening
from tolman.errors import QueryError
from tolman.senses.word_senses import WordSenses
from tolman.words import Words

LONGEST_WORD = 100
_NEAR, _EXAMPLES, _WORDS = 12, 4, 8


class ContextAnswer(BaseModel):
    """A typical place of a word."""

    id: str
    text: str
    start: int
    end: int


class SenseAnswer(BaseModel):
    """One sense, the most frequent first."""

    number: int
    share: float
    confidence: float
    words: list[str]
    contexts: list[ContextAnswer]


class NearAnswer(BaseModel):
    """A word near another."""

    word: str
    cosine: float
    documents: int


class SensesAnswer(BaseModel):
    """The senses of a word."""

    word: str
    occurrences: int
    senses: list[SenseAnswer]
    near: list[NearAnswer]
    python: str


def sense_routes(live: LiveSpace) -> APIRouter:
    """Words."""
    routes = APIRouter(tags=["words"])

    @routes.get("/api/senses/{word}")
    async def senses(word: str) -> SensesAnswer:
        """The senses of a word found from where it stands, with typical contexts; and the words near it."""
        snapshot = await live.now()
        name = word[:LONGEST_WORD].encode("utf-8", "replace").decode()
        found = await live.in_slow(lambda: snapshot.space.senses(name))
        words = await snapshot.words()
        near = await live.in_slow(lambda: _near(words, name, _NEAR))
        return _answer(snapshot, found, near)

    @routes.get("/api/words/{text:path}")
    async def words(text: str, k: Annotated[int, Query(ge=1, le=100)] = _NEAR) -> list[NearAnswer]:
        """The words and phrases near a word or phrase."""
        snapshot = await live.now()
        name = text[:LONGEST_WORD].encode("utf-8", "replace").decode()
        known = await snapshot.words()
        return await live.in_slow(lambda: [_near_answer(each) for each in known.near(name, k)])

    return routes


def _near(words: Words, word: str, k: int) -> list[NearAnswer]:
    try:
        return [_near_answer(each) for each in words.near(word, k)]
    except QueryError:  # too rare to be among the words of the space, and yet in its documents
        return []


def _near_answer(near: object) -> NearAnswer:
    return NearAnswer(word=near.text, cosine=round(near.score, 4), documents=near.documents)  # type: ignore[attr-defined]


def _answer(snapshot: Snapshot, found: WordSenses, near: list[NearAnswer]) -> SensesAnswer:
    senses = [
        SenseAnswer(
            number=sense.number,
            share=round(sense.share, 4),
            confidence=round(sense.confidence, 4),
            words=list(sense.words[:_WORDS]),
            contexts=[
                ContextAnswer(id=example.document, text=example.text, start=example.start, end=example.end)
                for example in sense.examples[:_EXAMPLES]
            ],
        )
        for sense in found.senses
    ]
    return SensesAnswer(
        word=found.word,
        occurrences=len(found.occurrences),
        senses=senses,
        near=near,
        python=f"{opening(snapshot)}.senses({found.word!r})",
    )
