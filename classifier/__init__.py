"""Text → scores."""
