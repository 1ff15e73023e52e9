"""What training minimizes, with which optimizer, and the metrics that choose the checkpoint."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import numpy as np
import torch
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score
from torch import nn
from transformers import EvalPrediction, PreTrainedModel, Trainer

from comment_toxicity.errors import ModelError
from finetune.config import Settings
from finetune.train.callbacks import EpochCallback
from finetune.train.dataset import UNKNOWN, SimilarLengthSampler


class LabelLoss(nn.Module):
    """Binary cross-entropy over the known labels, or cross-entropy over the classes.

    Summed, then divided by the number of known labels in the whole batch, over all processes and
    accumulated parts: so the gradient does not depend on how a batch is divided. pos_weight is
    the square root of negatives per positive when settings.label_weighting asks for it.

    settings.logit_matching × the squared distance of logits (Ba and Caruana 2014) is added where
    teachers contributed, that is, where a target is neither 0 nor 1. To cross-entropy alone a score
    of 0.001 is hardly different from 0.01, but it matters to the ranking of comments.
    """

    TAUGHT_AT_LEAST = 1e-4  # a lower score of a teacher has the logit of this one
    ALIKE = 1e-3  # logits of a batch that differ by less have collapsed to a constant
    MOST_ALIKE = 100  # batches in a row, after which training is given up; looked at as often

    def __init__(self, settings: Settings, targets: np.ndarray):
        """targets: the training rows' (rows × labels), NaN for unknown."""
        super().__init__()
        self.single_label = settings.single_label
        self.logit_matching = settings.logit_matching
        self.learning_rate = settings.learning_rate
        self.batches = 0
        self.alike: torch.Tensor | int = 0  # a number on the GPU, which is not waited for each time
        weight = None
        if settings.label_weighting:
            positives, negatives = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
            weight = torch.tensor(np.sqrt(negatives / positives), dtype=torch.float32)
        self.pos_weight: torch.Tensor | None
        self.register_buffer("pos_weight", weight)

    def forward(self, outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
        """outputs.logits: (comments × labels); labels: as in CommentDataset.

        Raises ModelError when the model no longer tells comments apart.
        """
        logits = outputs.logits.float()
        self._check(logits.detach())
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

    def _check(self, logits: torch.Tensor) -> None:
        if len(logits) > 1:
            differ = (logits.amax(dim=0) - logits.amin(dim=0) > self.ALIKE).any()  # NaN does not
            self.alike = (self.alike + 1) * ~differ
        self.batches += 1
        if self.batches % self.MOST_ALIKE == 0 and self.alike >= self.MOST_ALIKE:
            raise ModelError(
                f"training has collapsed: for {int(self.alike)} batches every comment got the same "
                f"scores. Lower learning_rate (it is {self.learning_rate:g}), or raise warmup, "
                "and start over with --clear."
            )


class CommentTrainer(Trainer):
    """The Trainer with our batch order, our learning rates, and validation in fp32.

    With bf16=True in its arguments, the Trainer validates in bf16 too, whose three digits make ties
    of different scores.
    """

    def __init__(
        self,
        sampler: SimilarLengthSampler,
        parameter_groups: list[dict],
        bf16: bool = False,
        **rest: Any,
    ) -> None:
        """parameter_groups: as AdamW takes them. bf16: train in bf16, with weights in fp32."""
        self.sampler, self.parameter_groups, self.bf16 = sampler, parameter_groups, bf16
        super().__init__(**rest)
        self.add_callback(EpochCallback(sampler))

    def _get_train_sampler(self, train_dataset=None) -> SimilarLengthSampler:
        return self.sampler

    def autocast_smart_context_manager(
        self, cache_enabled: bool | None = True
    ) -> AbstractContextManager[Any]:
        """Bf16 in training alone: the Trainer enters this for both."""
        if not self.bf16 or not cast(PreTrainedModel, self.model).training:
            return nullcontext()
        return torch.autocast(self.args.device.type, torch.bfloat16, cache_enabled=cache_enabled)

    def create_optimizer(self, model=None) -> torch.optim.Optimizer:
        """AdamW with a learning rate per group of parameters."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(self.parameter_groups, fused=True)
        return self.optimizer


def parameter_groups(model: PreTrainedModel, settings: Settings) -> list[dict]:
    """The trainable parameters, in groups with a learning rate and weight decay, for AdamW.

    The head has head_learning_rate, the encoder learning_rate. Biases and norms don't decay, nor do
    the embeddings beside those of settings.train_words.
    """
    encoder = {id(parameter) for parameter in model.base_model.parameters()}
    groups: dict[tuple[float, float], dict] = {}
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        rate = settings.learning_rate
        if id(parameter) not in encoder:
            rate = settings.head_learning_rate or rate
        decays = parameter.ndim > 1 and not settings.train_words
        decay = settings.weight_decay if decays else 0.0
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})
        group["params"].append(parameter)
    return list(groups.values())


def validation_metrics(prediction: EvalPrediction, settings: Settings) -> dict[str, float]:
    """Metrics that choose the checkpoint; means leave out labels with one class only."""
    logits, targets = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
    if settings.single_label:
        targets_one_hot = np.eye(len(settings.labels))[targets]
        metrics = {"accuracy": float(accuracy_score(targets, logits.argmax(axis=1)))}
        # One class against the rest needs scores that are comparable between comments.
        logits = torch.tensor(logits).softmax(dim=1).numpy()
    else:
        targets_one_hot, metrics = targets, {}
    areas, precisions = [], []
    for scores, truth in zip(logits.T, targets_one_hot.T, strict=True):
        known = truth != UNKNOWN
        if len(np.unique(truth[known])) == 2:
            areas.append(roc_auc_score(truth[known], scores[known]))
            precisions.append(average_precision_score(truth[known], scores[known]))
    return metrics | {
        "roc_auc_mean": float(np.mean(areas)),
        "average_precision_mean": float(np.mean(precisions)),
    }
