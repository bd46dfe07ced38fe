"""What the API answers, as types: they make its OpenAPI document. Numbers mean what the Python API says they mean."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class Failure(BaseModel):
    """Every answer that isn't a success."""

    error: str = Field(description="One line: what was expected, what came, what to do next.")


class HitAnswer(BaseModel):
    """One document found."""

    id: str
    row: int = Field(description="Its place in the order of the map.")
    score: float
    cosine: float
    confidence: float | None = Field(description="Probability that it is relevant; null where nobody calibrated it.")
    title: str
    snippet: str


class AskedSense(BaseModel):
    """What became of a `word~hint` of a query."""

    word: str
    hint: str
    number: int | None = Field(description="Of the sense that was chosen; null: none was.")
    words: list[str] = Field(description="What stands near the word in that sense.")
    note: str = Field(description="Why none was chosen.")


class SearchAnswer(BaseModel):
    """Hits, the best first."""

    query: str
    mode: str
    relevant: bool = Field(description="False: nothing relevant was found, the hits are only the nearest.")
    hits: list[HitAnswer]
    senses: list[AskedSense]
    took_ms: float
    python: str = Field(description="The line of Python that gives the same.")


class DocumentAnswer(BaseModel):
    """One document, whole."""

    id: str
    row: int
    title: str
    text: str
    label: str | None
    metadata: dict[str, Any]
    duplicate_ids: list[str]
    topic: int | None = Field(default=None, description="Null: it belongs nowhere, or topics weren't asked for yet.")
    topic_name: str | None = None
    probability: float | None = Field(default=None, description="That it is in `topic`.")
    margin: float | None = Field(default=None, description="How much that is above the next topic's.")
    trust: float | None = None
    python: str = ""


class Listed(BaseModel):
    """A document in a list."""

    id: str
    row: int
    title: str
    snippet: str
    topic: int | None = None


class DocumentsAnswer(BaseModel):
    """A page of documents."""

    total: int
    offset: int
    documents: list[Listed]
    python: str


class SentencePair(BaseModel):
    """The two sentences of two documents that are nearest to each other."""

    own: str
    other: str
    cosine: float


class NeighbourAnswer(BaseModel):
    """A document near another, and why."""

    id: str
    row: int
    cosine: float
    title: str
    snippet: str
    shared_words: list[str] = Field(description="Words that stand in both, the rarest first.")
    sentences: SentencePair | None = None


class NeighboursAnswer(BaseModel):
    """The nearest others of a document, the nearest first."""

    id: str
    neighbours: list[NeighbourAnswer]
    python: str


class TopicAnswer(BaseModel):
    """One topic."""

    id: int
    parent: int | None
    depth: Literal["broad", "shown", "fine"]
    name: str
    size: int
    words: list[str]
    typical: list[str]
    pinned: bool
    named_by: str


class TopicsAnswer(BaseModel):
    """All topics, broad ones first."""

    documents: int
    nowhere: int
    topics: list[TopicAnswer]
    python: str


class PlaceAnswer(BaseModel):
    """Where a text lands."""

    topic: int | None = Field(description="Null: it belongs nowhere.")
    nearest_topic: int | None = Field(description="The likeliest, though it may be far.")
    topic_name: str | None = Field(description="Of the nearest one.")
    probability: float | None = Field(description="Of the nearest one, were it somewhere.")
    x: float | None
    y: float | None
    trust: float | None
    neighbours: list[HitAnswer]
    python: str


class Landing(BaseModel):
    """Where one document of a file lands."""

    title: str = Field(description="Its title, or how its text begins.")
    topic: int | None
    topic_name: str | None
    probability: float | None
    x: float | None
    y: float | None


class LandingsAnswer(BaseModel):
    """Where the documents of a file land."""

    documents: int = Field(description="In the file.")
    landings: list[Landing] = Field(description="Of the first of them.")
    python: str


class Share(BaseModel):
    """Something that is commoner in a selection than elsewhere."""

    value: str
    selected: float = Field(description="Share of the selected documents that have it.")
    elsewhere: float = Field(description="Share of the others.")


class TopicShare(BaseModel):
    """How many of a selection are in a topic."""

    topic: int | None
    name: str
    documents: int
    share: float
    of_topic: float = Field(description="How much of the topic is selected.")


class SelectionAnswer(BaseModel):
    """What some documents are about, and what sets them apart from the others."""

    documents: int
    topics: list[TopicShare]
    words: list[Share]
    columns: dict[str, list[Share]]
    listed: list[Listed]
    python: str


class AddedAnswer(BaseModel):
    """What adding did."""

    added: int
    updated: int
    unchanged: int
    ignored_columns: list[str]
    documents: int


class SpaceAnswer(BaseModel):
    """What is served."""

    name: str
    documents: int
    dim: int
    version: int
    writable: bool
    encoder: str
    metadata: list[str]
    labelled: bool
    calibrated: bool
    card: bool
    curves: bool
    dates: list[str] = Field(description="Columns that tell when.")
    tolman: str
    description: dict[str, Any]


class HealthAnswer(BaseModel):
    """That the server lives, and the space is there."""

    status: Literal["ok"]
    documents: int
    version: int
