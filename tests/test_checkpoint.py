"""Folders that hold no encoder, a damaged one, or one that isn't understood: refused in one clear line."""

import json
import shutil

import pytest
from checkpoints import TEXTS, WIDTH, write_sentence_transformer, write_transformer

from tolman.errors import ModelError
from tolman.models import load_encoder
from tolman.models.checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling

    return write_sentence_transformer(
        tmp_path_factory.mktemp("models") / "m", Pooling(WIDTH), Dense(WIDTH, 8), Normalize()
    )


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "m")


def change(path, **settings):
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def refused(folder, message):
    with pytest.raises(ModelError, match=message) as caught:
        load_encoder(folder)
    assert "\n" not in str(caught.value)


def test_no_folder(tmp_path):
    refused(tmp_path / "none", "expected a folder with an encoder, found none")


def test_an_empty_folder(tmp_path):
    refused(tmp_path, r"not an encoder folder: .* has no config\.json")


def test_no_weights(folder):
    (folder / "model.safetensors").unlink()
    refused(folder, "no weights in .*: expected model.safetensors or pytorch_model.bin")


def test_weights_cut_short(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    refused(folder, "can't read the weights in .*model.safetensors")


def test_weights_that_are_a_pickle_of_code(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    refused(folder, "can't read the weights in .*pytorch_model.bin: it is damaged, or holds more than weights")


def test_a_config_that_is_no_json(folder):
    (folder / "config.json").write_text("{")
    refused(folder, r"can't read .*config\.json")


def test_a_config_of_nothing_known(folder):
    change(folder / "config.json", model_type="no-such-model")
    refused(folder, "transformers can't load .*no-such-model")


def test_a_damaged_tokenizer(folder):
    (folder / "tokenizer.json").write_text('{"model": ')
    refused(folder, r"can't read .*tokenizer\.json")


def test_an_unknown_pooling(folder):
    (folder / "1_Pooling/config.json").write_text(
        json.dumps({"word_embedding_dimension": WIDTH, "pooling_mode": "median"})
    )
    refused(folder, "pools by median; known are mean, cls")


def test_an_unknown_old_pooling(folder):
    old = {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": False, "pooling_mode_median_tokens": True}
    (folder / "1_Pooling/config.json").write_text(json.dumps(old))
    refused(folder, "pools by pooling_mode_median_tokens")


def test_old_pooling_flags(folder):
    expected = read_checkpoint(folder).head.pooling
    flags = {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    (folder / "1_Pooling/config.json").write_text(json.dumps(flags))
    assert read_checkpoint(folder).head.pooling == expected == ("mean",)


def test_an_unknown_module(folder):
    modules = json.loads((folder / "modules.json").read_text())
    modules[2]["type"] = "sentence_transformers.models.CNN"
    (folder / "modules.json").write_text(json.dumps(modules))
    refused(
        folder, "expected Transformer, Pooling, Dense ..., Normalize in .*, got Transformer, Pooling, CNN, Normalize"
    )


def test_a_module_outside_the_folder(folder):
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = "../m-plain"
    (folder / "modules.json").write_text(json.dumps(modules))
    refused(folder, "points outside of the folder")


def test_a_modules_file_of_another_kind(folder):
    (folder / "modules.json").write_text('{"modules": []}')
    refused(folder, "isn't a list of modules")


def test_an_unknown_activation(folder):
    change(folder / "2_Dense/config.json", activation_function="torch.nn.modules.activation.Hardtanh")
    refused(folder, "applies Hardtanh; known are Identity, Tanh")


def test_dense_layers_that_do_not_fit(folder):
    change(folder / "1_Pooling/config.json", pooling_mode=["mean", "cls"])
    refused(folder, r"dense layers of .* don't fit: they take \[32\] values, they are given \[64\]")


def test_a_family_from_the_future(folder):
    (folder / "tolman.json").write_text('{"family": "quantum"}')
    refused(folder, "family 'quantum', which this Tolman doesn't know")


def test_a_damaged_tolman_json(folder):
    (folder / "tolman.json").write_text("[]")
    refused(folder, r"can't read .*tolman\.json")


def test_weights_in_several_files(tmp_path):
    from transformers import AutoModel

    folder = write_transformer(tmp_path / "m")
    expected = load_encoder(folder).encode(TEXTS)
    model = AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    assert len(read_checkpoint(folder).weight_files) > 1
    assert (load_encoder(folder).encode(TEXTS) == expected).all()


def test_a_vocabulary_instead_of_a_tokenizer_json(tmp_path):
    folder = write_transformer(tmp_path / "m")
    expected = load_encoder(folder).encode(TEXTS)
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)) + "\n")
    (folder / "tokenizer.json").unlink()
    change(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer", do_lower_case=True)
    assert (load_encoder(folder).encode(TEXTS) == expected).all()
