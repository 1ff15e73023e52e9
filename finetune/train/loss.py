"""What a training minimizes, by which optimizer, and the metrics that choose its checkpoint."""

from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score
from torch import nn
from transformers import EvalPrediction, PreTrainedModel, Trainer

from finetune.config import Settings
from finetune.train.callbacks import EpochCallback
from finetune.train.dataset import UNKNOWN, SimilarLengthSampler


class LabelLoss(nn.Module):
    """Binary cross-entropy over the known labels, or cross-entropy over the classes.

    Summed, then divided by the number of known labels in the whole batch, over all processes and
    accumulated parts: so the gradient does not depend on how a batch is shared out. pos_weight is
    the square root of negatives per positive when settings.label_weighting asks for it.

    settings.logit_matching × the squared distance of logits (Ba and Caruana 2014) is added where
    teachers had a say, that is, where a target is neither 0 nor 1. Cross-entropy alone hardly tells
    a score of 0.001 from one of 0.01, which matters to the order of comments.
    """

    TAUGHT_AT_LEAST = 1e-4  # beyond, a teacher's logit is that of this score

    def __init__(self, settings: Settings, targets: np.ndarray):
        """targets: the training rows' (rows × labels), NaN for unknown."""
        super().__init__()
        self.single_label = settings.single_label
        self.logit_matching = settings.logit_matching
        weight = None
        if settings.label_weighting:
            positives, negatives = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
            weight = torch.tensor(np.sqrt(negatives / positives), dtype=torch.float32)
        self.pos_weight: torch.Tensor | None
        self.register_buffer("pos_weight", weight)

    def forward(self, outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
        """outputs.logits: (comments × labels); labels: as CommentDataset gives them."""
        logits = outputs.logits.float()
        if self.single_label:
            weight = self.pos_weight
            total = nn.functional.cross_entropy(logits, labels, weight=weight, reduction="sum")
            known = torch.tensor(len(labels))
        else:
            is_known = labels != UNKNOWN
            each = nn.functional.binary_cross_entropy_with_logits(
                logits, labels.clamp(min=0), pos_weight=self.pos_weight, reduction="none"
            )
            if self.logit_matching:
                taught = (labels > 0) & (labels < 1)
                distance = logits - torch.logit(labels, eps=self.TAUGHT_AT_LEAST)
                each = each + self.logit_matching * torch.where(taught, distance.square(), 0)
            total, known = (each * is_known).sum(), is_known.sum()
        return total / (num_items_in_batch if num_items_in_batch is not None else known)


class CommentTrainer(Trainer):
    """The Trainer with our batch order and a learning rate a layer."""

    def __init__(
        self, sampler: SimilarLengthSampler, parameter_groups: list[dict], **rest: Any
    ) -> None:
        """parameter_groups: as AdamW takes them."""
        self.sampler, self.parameter_groups = sampler, parameter_groups
        super().__init__(**rest)
        self.add_callback(EpochCallback(sampler))

    def _get_train_sampler(self, train_dataset=None) -> SimilarLengthSampler:
        return self.sampler

    def create_optimizer(self, model=None) -> torch.optim.Optimizer:
        """Give each group of parameters its own learning rate."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(self.parameter_groups, fused=True)
        return self.optimizer


def parameter_groups(model: PreTrainedModel, settings: Settings) -> list[dict]:
    """Give AdamW its parameters with a learning rate each.

    The head has head_learning_rate, the encoder learning_rate. Biases and norms don't decay.
    """
    encoder = {id(parameter) for parameter in model.base_model.parameters()}
    groups: dict[tuple[float, float], dict] = {}
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        rate = settings.learning_rate
        if id(parameter) not in encoder:
            rate = settings.head_learning_rate or rate
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})
        group["params"].append(parameter)
    return list(groups.values())


def validation_metrics(prediction: EvalPrediction, settings: Settings) -> dict[str, float]:
    """Figures that choose the checkpoint; a label with one class only is left out of the means."""
    logits, targets = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
    if settings.single_label:
        targets_one_hot = np.eye(len(settings.labels))[targets]
        figures = {"accuracy": float(accuracy_score(targets, logits.argmax(axis=1)))}
        # One class against the rest needs scores that are comparable between comments.
        logits = torch.tensor(logits).softmax(dim=1).numpy()
    else:
        targets_one_hot, figures = targets, {}
    areas, precisions = [], []
    for scores, truth in zip(logits.T, targets_one_hot.T, strict=True):
        known = truth != UNKNOWN
        if len(np.unique(truth[known])) == 2:
            areas.append(roc_auc_score(truth[known], scores[known]))
            precisions.append(average_precision_score(truth[known], scores[known]))
    return figures | {
        "roc_auc_mean": float(np.mean(areas)),
        "average_precision_mean": float(np.mean(precisions)),
    }
