"""LoRA (Hu et al. 2021), by peft: train a product of two thin matrices beside each frozen one."""

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from finetune.train.base import encoder_layers


def add_adapters(model: PreTrainedModel, rank: int) -> Any:
    """Put adapters beside the linear layers of the encoder, in place.

    What is trainable now, such as the head, stays so. Returns the tuner: its merge_and_unload()
    adds the products to the model's own weights, and leaves a model without adapters.
    """
    from peft import LoraConfig, LoraModel

    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    names = {id(module): name for name, module in model.named_modules()}
    linear = [
        names[id(module)]
        for layer in encoder_layers(model)
        for module in layer.modules()
        if isinstance(module, nn.Linear)
    ]
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=linear)
    adapters = LoraModel(model, config, "default")
    for parameter in trainable:
        parameter.requires_grad = True
    return adapters
