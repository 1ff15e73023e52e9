"""A model's name → its folder on disk: here, from the Hub, or from S3."""
