"""Training rows → a fine-tuned encoder."""
