"""The File page: an upload, its scoring job, and the result."""
