"""Search quality against how much there is to learn from: our default, TSDAE and SimCSE, doc2vec, LSA.

    python benchmarks/data_efficiency.py --data DATA [--sets newsgroups20,reuters] [--documents 1000,3000,10000,30000]
                                         [--minutes 2]

Everyone learns from the same documents, drawn at random, and from nothing else: no pretrained weights. Everyone has the
same minutes of CPU time at most, on one thread; ours ends after the minute that `learn` has by default. Measured is
nDCG@10 of the set's questions over its ranked documents (dense), which need not be among those that were learned from.

TSDAE and SimCSE are the losses of sentence-transformers on a BERT of MiniLM's shape (6 layers of 384) with random
weights and MiniLM's tokenizer, 8 and 64 sentences a batch, learning rate 3e-5 and 5e-5, as in its examples. doc2vec is
gensim's, 256 dimensions, as many epochs as there is time for, up to 40. LSA is scikit-learn's: tf-idf, 256 dimensions.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import Cell, write_result
from sets import SETS, RetrievalSet

from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.corpus.passages import sentences
from tolman.cost import cpu_seconds
from tolman.making import Maker
from tolman.metrics import ndcg
from tolman.plan import Plan
from tolman.progress import Silent

DIM = 256
Vectors = np.ndarray
Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Ground:
    """A set, and the documents of it that are learned from."""

    set: RetrievalSet
    rows: np.ndarray

    @property
    def texts(self) -> list[str]:
        return [content(self.set, row) for row in self.rows]

    def quality(self, queries: Vectors, documents: Vectors) -> float:
        """Mean nDCG@10 by cosine."""
        scores_QN = unit(queries) @ unit(documents).T
        place = {int(row): column for column, row in enumerate(self.set.pool)}
        found = []
        for scores_N, relevant in zip(scores_QN, self.set.relevant, strict=True):
            best = np.argsort(-scores_N, kind="stable")[:10].tolist()
            found.append(ndcg(best, {place[row]: grade for row, grade in relevant.items() if row in place}))
        return float(np.mean(found))


def content(chosen: RetrievalSet, row: int) -> str:
    return f"{chosen.titles[row]}\n{chosen.texts[row]}" if chosen.titles[row] else chosen.texts[row]


def unit(vectors_ND: Vectors) -> Vectors:
    return vectors_ND / np.maximum(np.linalg.norm(vectors_ND, axis=1, keepdims=True), 1e-9)


def ours(ground: Ground, seconds: float) -> tuple[Encode, Encode]:
    import tempfile

    chosen = ground.set
    documents = [Document(id=chosen.ids[i], title=chosen.titles[i], text=chosen.texts[i]) for i in ground.rows]
    with tempfile.TemporaryDirectory() as folder:
        maker = Maker(
            Corpus.from_documents(documents),
            Plan.parse("scratch", None, None),
            None,
            seconds=min(60.0, seconds),
            seed=0,
            workshop=Path(folder),
            progress=Silent(),
        )
        encoder = maker.make().encoder
    return lambda texts: encoder.encode(texts, "query"), lambda texts: encoder.encode(texts, "document")


def lsa(ground: Ground, seconds: float) -> tuple[Encode, Encode]:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=2), TruncatedSVD(DIM, random_state=0))
    model.fit(ground.texts)
    return model.transform, model.transform


def doc2vec(ground: Ground, seconds: float) -> tuple[Encode, Encode]:
    from gensim.models.doc2vec import Doc2Vec, TaggedDocument
    from gensim.utils import simple_preprocess

    tagged = [TaggedDocument(simple_preprocess(text), [row]) for row, text in enumerate(ground.texts)]
    model = Doc2Vec(vector_size=DIM, min_count=2, workers=1, seed=0, epochs=40)
    model.build_vocab(tagged)
    ended, rate = time.process_time() + seconds, 0.025
    for epoch in range(40):
        began = time.process_time()
        model.train(tagged, total_examples=len(tagged), epochs=1, start_alpha=rate * (1 - epoch / 40), end_alpha=1e-4)
        if 2 * time.process_time() - began > ended:
            break

    def encode(texts: Sequence[str]) -> Vectors:
        return np.stack([model.infer_vector(simple_preprocess(text), epochs=20) for text in texts])

    return encode, encode


def sentence_transformer(loss_name: str) -> Callable[[Ground, float], tuple[Encode, Encode]]:
    def learned(ground: Ground, seconds: float) -> tuple[Encode, Encode]:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            model = untrained(Path(folder))
            _train(model, loss_name, ground, seconds, Path(folder))
        model.eval()
        encode: Encode = lambda texts: model.encode(list(texts), batch_size=64, show_progress_bar=False)  # noqa: E731
        return encode, encode

    return learned


def untrained(folder: Path) -> Any:
    """A sentence transformer of MiniLM's shape, saved in `folder` too."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    from tolman.models.pretrained import resolve_base

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(resolve_base("minilm"))
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=512,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    words = Transformer(str(folder), max_seq_length=128)
    return SentenceTransformer(modules=[words, Pooling(384, "mean")], device="cpu")


def _train(model: Any, name: str, ground: Ground, seconds: float, folder: Path) -> None:
    from sentence_transformers.sentence_transformer import losses

    if name == "TSDAE":
        loss, rate, batch = losses.DenoisingAutoEncoderLoss(model, decoder_name_or_path=str(folder)), 3e-5, 8
    else:
        loss, rate, batch = losses.MultipleNegativesRankingLoss(model), 5e-5, 64
    pieces = [text[slice(*span)] for text in ground.texts for span in sentences(text)]
    pieces = [piece for piece in pieces if len(piece.split()) >= 4]
    generator, optimizer = np.random.default_rng(0), torch.optim.AdamW(loss.parameters(), lr=rate)
    ended = time.process_time() + seconds
    model.train()
    while time.process_time() < ended:
        drawn = [pieces[i] for i in generator.choice(len(pieces), batch, replace=False)]
        pairs = (thinned(drawn, generator), drawn) if name == "TSDAE" else (drawn, drawn)
        features = [dict(model.preprocess(texts)) for texts in pairs]
        optimizer.zero_grad()
        loss(features, torch.zeros(batch)).backward()
        optimizer.step()


def thinned(texts: Sequence[str], generator: np.random.Generator) -> list[str]:
    """Six words in ten left out, as TSDAE does."""
    parted = [text.split() for text in texts]
    kept = [[word for word in words if generator.random() > 0.6] for words in parted]
    return [" ".join(words or parted[row][:1]) for row, words in enumerate(kept)]


METHODS: dict[str, Callable[[Ground, float], tuple[Encode, Encode]]] = {
    "tolman": ours,
    "LSA": lsa,
    "doc2vec": doc2vec,
    "TSDAE": sentence_transformer("TSDAE"),
    "SimCSE": sentence_transformer("SimCSE"),
}


def rows_of(options: argparse.Namespace) -> Iterator[dict[str, Cell]]:
    for name in options.sets.split(","):
        chosen = SETS[name](options.data)
        order = np.random.default_rng(0).permutation(len(chosen.ids))
        for count in dict.fromkeys(min(int(number), len(order)) for number in options.documents.split(",")):
            ground = Ground(chosen, order[:count])
            documents = [content(chosen, row) for row in chosen.pool]
            row: dict[str, Cell] = {"set": name, "documents": count}
            for method in options.methods.split(","):
                began = cpu_seconds()
                as_query, as_document = METHODS[method](ground, options.minutes * 60)
                minutes = (cpu_seconds() - began) / 60
                row[method] = ground.quality(as_query(chosen.queries), as_document(documents))
                row[f"{method} min"] = minutes
            print(row, flush=True)
            yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default="newsgroups20,reuters")
    parser.add_argument("--documents", default="1000,3000,10000,30000")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--name", default="data_efficiency")
    options = parser.parse_args()
    notes = f"{options.minutes:g} CPU minutes at most to learn, {torch.get_num_threads()} threads; nDCG@10, dense."
    write_result(options.name, list(rows_of(options)), notes)


if __name__ == "__main__":
    main()
