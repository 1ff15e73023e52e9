"""A model folder → the Hub or S3, if its metrics meet the conditions."""
