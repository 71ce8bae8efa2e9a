"""The tokenizer and its static token vectors, derived from the e5 encoder."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from moderation.text.fold import CLASS_HAN, CLASS_KANA, CLASS_LATIN, CLASS_LETTER

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.text import FoldTable
    from moderation.training.e5 import EncoderFile

__all__ = ["Vocabulary", "build_vocabulary", "sentencepiece_model", "static_vectors"]

_UNKNOWN: Final = 0
_BEGIN, _END = 0, 2
_WORD_MARK: Final = "▁"
_SMOOTHING: Final = 1e-3
"""a in the weight a / (a + p) of Arora et al. 2017, A simple but tough-to-beat baseline."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces kept from the encoder's tokenizer; id 0 is the unknown piece.

    Attributes:
        pieces: the pieces, index = token id.
        scores: float32, unigram log-probabilities.
        encoder_ids: int64, the id each piece has in the encoder.
    """

    pieces: list[str]
    scores: NDArray[np.float32]
    encoder_ids: NDArray[np.int64]


def build_vocabulary(file: EncoderFile, table: FoldTable) -> Vocabulary:
    """Keep the pieces that folded Chinese and English text can contain.

    A piece that folding would change can never occur, and one in another script is not needed.
    """
    pieces, ids = ["<unk>"], [3]
    for index, piece in enumerate(file.pieces[4:], 4):
        body = piece.replace(_WORD_MARK, " ")
        if body.strip(" ") and (table.fold_text(body) != body or not _wanted(body, table)):
            continue
        pieces.append(piece)
        ids.append(index)
    kept = np.array(ids, np.int64)
    return Vocabulary(pieces, file.scores[kept], kept)


def _wanted(body: str, table: FoldTable) -> bool:
    classes = {int(table.classes[ord(c)]) for c in body}
    if any(c & (CLASS_LETTER | CLASS_KANA) for c in classes):
        return False
    if any(c & (CLASS_LATIN | CLASS_HAN) for c in classes):
        return all(ord(c) < 0x80 or table.classes[ord(c)] & CLASS_HAN for c in body) or any(
            table.classes[ord(c)] & CLASS_HAN for c in body
        )
    return all(unicodedata.category(c)[0] in "PSNZ" for c in body)


def sentencepiece_model(vocabulary: Vocabulary) -> bytes:
    """Return the vocabulary as a stock sentencepiece unigram model."""
    from sentencepiece import sentencepiece_model_pb2 as schema

    model: Any = schema.ModelProto()  # type: ignore[attr-defined]
    for index, (piece, score) in enumerate(
        zip(vocabulary.pieces, vocabulary.scores.tolist(), strict=True)
    ):
        entry = model.pieces.add()
        entry.piece, entry.score = piece, score
        entry.type = 2 if index == _UNKNOWN else 1
    trainer = model.trainer_spec
    trainer.model_type = 1
    trainer.vocab_size = len(vocabulary.pieces)
    trainer.unk_id, trainer.bos_id, trainer.eos_id, trainer.pad_id = _UNKNOWN, -1, -1, -1
    normalizer = model.normalizer_spec
    normalizer.name = "identity"
    normalizer.add_dummy_prefix = True
    normalizer.remove_extra_whitespaces = True
    normalizer.escape_whitespaces = True
    return bytes(model.SerializeToString(deterministic=True))


def piece_weights(tokenizer: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the log-probability of every piece of a written tokenizer, and its weight.

    The weight is that of a rare word, a / (a + p) with p the probability; the unknown piece
    weighs 0.
    """
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    scores = np.array([model.get_score(i) for i in range(model.vocab_size())])
    weight = _SMOOTHING / (_SMOOTHING + np.exp(scores))
    weight[_UNKNOWN] = 0.0
    return scores.astype(np.float32), weight


def principal_components(rows: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Return rows projected on their first principal components."""
    centred = rows - rows.mean(0)
    _, vectors = np.linalg.eigh(np.cov(centred.T))
    return np.asarray(centred @ vectors[:, ::-1][:, :dimensions], np.float32)


def static_vectors(
    file: EncoderFile, vocabulary: Vocabulary, dimensions: int, *, batch: int = 512
) -> NDArray[np.float32]:
    """Encode every piece alone and reduce by principal components, rare pieces weighing more.

    Returns:
        float32, shape (pieces, dimensions); row 0, the unknown piece, is zero.
    """
    from moderation.training.e5 import load_encoder

    encoder = load_encoder(file)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(vocabulary.encoder_ids), batch):
            piece = torch.from_numpy(vocabulary.encoder_ids[start : start + batch])
            begin, end = torch.full_like(piece, _BEGIN), torch.full_like(piece, _END)
            ids = torch.stack([begin, piece, end], 1)
            parts.append(encoder(ids, torch.ones_like(ids), pool=False).mean(1).numpy())
    reduced = principal_components(np.concatenate(parts), dimensions)
    probability = np.exp(vocabulary.scores.astype(np.float64))
    weight = _SMOOTHING / (_SMOOTHING + probability)
    weight[_UNKNOWN] = 0.0
    return np.asarray(reduced * weight[:, None], np.float32)
