"""Imitation: a student's vectors of questions and documents learn to lie as a teacher's do.

Two losses, alike in weight. Regression: each vector points where the teacher's points (Reimers and Gurevych 2020,
arXiv:2004.09813, by cosine instead of squared distance). Relation: of all documents of a batch, the student finds each
question as near as the teacher does, and the other way round (Kullback-Leibler divergence of the two softmaxes, as in
relational distillation, Park et al. 2019, arXiv:1904.05068).

Legend for shapes:
    B  pairs of a batch
    D  dimensions
    N  documents     Q  questions
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tolman.models.encoder import Floats
from tolman.objectives.contrastive import ContrastiveModel
from tolman.tokenization import TokenSequences


@dataclass(frozen=True)
class Imitation:
    """What a teacher says of questions and of the documents that they were taken from.

    Attributes:
        questions, documents: as the student reads them.
        origins_Q: the document of each question.
        question_vectors_QD, document_vectors_ND: the teacher's, unit length.
        batch: pairs.
        temperature: of both softmaxes over cosines.
    """

    questions: TokenSequences
    documents: TokenSequences
    origins_Q: NDArray[np.int64]
    question_vectors_QD: Floats
    document_vectors_ND: Floats
    batch: int
    temperature: float = 0.08

    name = "imitation"

    @property
    def possible(self) -> bool:
        """Whether there is anything to imitate."""
        return len(self.questions) > 1

    @property
    def prefixes(self) -> tuple[int, ...]:
        """Dimensions at which vectors are compared."""
        return (self.document_vectors_ND.shape[1],)

    def loss(self, model: ContrastiveModel, generator: np.random.Generator) -> Tensor:
        """Both losses, mean over the batch."""
        rows = generator.choice(len(self.questions), min(self.batch, len(self.questions)), replace=False)
        origins = self.origins_Q[rows]
        questions_BD, documents_BD = model(
            [(self.questions.only(rows), "query"), (self.documents.only(origins), "document")]
        )
        taught_BD = torch.from_numpy(self.question_vectors_QD[rows]).to(questions_BD.device)
        known_BD = torch.from_numpy(self.document_vectors_ND[origins]).to(questions_BD.device)
        pointing = (questions_BD * taught_BD).sum(1).mean() + (documents_BD * known_BD).sum(1).mean()
        student_BB, teacher_BB = questions_BD @ documents_BD.T, taught_BD @ known_BD.T
        relation = self._divergence(student_BB, teacher_BB) + self._divergence(student_BB.T, teacher_BB.T)
        return 2 - pointing + relation / 2

    def _divergence(self, student_BB: Tensor, teacher_BB: Tensor) -> Tensor:
        guessed_BB = functional.log_softmax(student_BB / self.temperature, dim=1)
        return functional.kl_div(
            guessed_BB, functional.softmax(teacher_BB / self.temperature, dim=1), reduction="batchmean"
        )
