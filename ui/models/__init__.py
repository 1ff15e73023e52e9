"""The Models page: a model's facts, its metrics, its audit."""
