"""The File page: an upload, its scoring job, and what is shown of the result."""
