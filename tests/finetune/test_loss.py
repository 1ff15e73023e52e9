"""The loss over known labels, and the learning rates of the optimizer."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from comment_toxicity.errors import ModelError
from finetune.config import Settings
from finetune.train.base import load_base
from finetune.train.dataset import UNKNOWN
from finetune.train.loss import LabelLoss, parameter_groups


def test_an_unknown_label_has_no_gradient():
    loss = LabelLoss(Settings(), np.zeros((1, 6)))
    logits = torch.zeros(2, 2, requires_grad=True)
    labels = torch.tensor([[1.0, UNKNOWN], [0.0, 1.0]])
    value = loss(SimpleNamespace(logits=logits), labels)
    value.backward()
    assert value.item() == pytest.approx(np.log(2))
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0
    assert (logits.grad != 0).sum() == 3


def test_training_ends_when_all_comments_get_the_same_scores():
    loss = LabelLoss(Settings(learning_rate=0.1), np.zeros((1, 2)))
    labels = torch.zeros(3, 2)
    alike, unlike = torch.ones(3, 2), torch.eye(3, 2)
    for logits in (*[alike] * 99, unlike, *[alike] * 99):
        loss(SimpleNamespace(logits=logits), labels)
    with pytest.raises(ModelError, match=r"collapsed.*Lower learning_rate \(it is 0.1\)"):
        loss(SimpleNamespace(logits=alike), labels)


def test_label_weighting_counts_rare_positives_more():
    targets = np.array([[1, 1], [0, 0], [0, 0], [0, 0], [0, 1]], dtype=float)
    loss = LabelLoss(Settings(label_weighting=True, labels=["rare", "even"]), targets)
    assert loss.pos_weight is not None
    assert loss.pos_weight.tolist() == pytest.approx([2, np.sqrt(1.5)])


def test_logit_matching_adds_the_squared_distance_to_teachers_logits():
    logits = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    labels = torch.tensor([[1.0, 0.0], [0.5, float(UNKNOWN)]])
    plain, matching = (
        LabelLoss(Settings(teachers=["any"], logit_matching=weight), labels.numpy())(
            SimpleNamespace(logits=logits), labels
        )
        for weight in (0.0, 0.5)
    )
    # One of the three known targets is a teacher's: 0.5, whose logit is 0, 1 away.
    assert float(matching - plain) == pytest.approx(0.5 * 1.0**2 / 3, abs=1e-6)


@pytest.mark.parametrize(("asked", "of_head"), [(1e-2, 1e-2), (0, 1e-3)])
def test_the_head_can_learn_faster_than_the_encoder(tiny_base: Path, asked, of_head):
    settings = Settings(
        base_model=str(tiny_base), max_length=32, learning_rate=1e-3, head_learning_rate=asked
    )
    _, model = load_base(settings)
    rate = {id(p): g["lr"] for g in parameter_groups(model, settings) for p in g["params"]}
    assert rate[id(model.classifier.weight)] == of_head
    assert rate[id(model.bert.embeddings.word_embeddings.weight)] == 1e-3
