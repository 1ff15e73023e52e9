"""What the pages are made of: importable, testable parts, each with one reason to change."""
