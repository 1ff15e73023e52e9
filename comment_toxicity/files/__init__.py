"""Files of comments → the same rows with scores."""
