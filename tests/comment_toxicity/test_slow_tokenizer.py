"""A model like finiteautomata's BERTweet, whose tokenizer exists in Python only."""

import json

import numpy as np
import pytest

from comment_toxicity import load_classifier


@pytest.fixture(scope="module")
def bertweet(tmp_path_factory):
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification

    folder = tmp_path_factory.mktemp("bertweet")
    (folder / "vocab.txt").write_text("hello 9\nhel@@ 8\nlo 7\nyou 6\n@USER 5\nh@@ 4\ne@@ 3\n")
    (folder / "bpe.codes").write_text("l o</w> 9\nh e 8\nhe l 7\nhel lo</w> 6\ny o 5\nyo u</w> 4\n")
    settings = {"tokenizer_class": "BertweetTokenizer", "normalization": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = RobertaConfig(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=18,
        pad_token_id=1,
        initializer_range=0.5,
        id2label={0: "NEG", 1: "NEU", 2: "POS"},
        label2id={"NEG": 0, "NEU": 1, "POS": 2},
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        RobertaForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_slow_tokenizer_gives_the_scores_of_transformers(bertweet):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = load_classifier(bertweet)
    assert model.single_label
    tokenizer = AutoTokenizer.from_pretrained(bertweet)
    other = AutoModelForSequenceClassification.from_pretrained(bertweet).eval()
    text = "@someone hello you"
    with torch.inference_mode():
        logits = other(**tokenizer(text, return_tensors="pt")).logits
    assert np.allclose(model.score([text]), logits.softmax(1).numpy(), atol=1e-6)


def test_long_texts_are_read_in_windows_without_a_warning(bertweet, capfd):
    model = load_classifier(bertweet)
    assert len(model.windows("hello you " * 50)) > 5
    assert model.score(["", "hello " * 100]).shape == (2, 3)
    assert "longer than" not in "".join(capfd.readouterr())
