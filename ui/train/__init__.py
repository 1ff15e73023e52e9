"""The Train page: the form, the run in the background, and publishing."""
