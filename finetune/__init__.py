"""Labelled comments → a model folder: python -m finetune --config configs/NAME.toml."""
