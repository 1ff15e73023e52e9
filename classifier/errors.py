"""What a user can mend. Each message is one sentence or two: what is wrong, where, and what to do.

UserError
├── DataError       a table or a file of comments
├── ModelError      a model's name, folder or weights
└── SettingsError   a flag or a line of a config

Command lines catch UserError once, in main(), print it on stderr and exit with EXIT_CODE.
"""

EXIT_CODE = 2


class UserError(Exception):
    """Base of all errors that the user, not the programmer, can mend."""


class DataError(UserError):
    """A table or a file of comments cannot be used as it is."""


class ModelError(UserError):
    """A model cannot be found, or its folder cannot be used as it is."""


class SettingsError(UserError):
    """A flag or a config line is wrong, or does not go with another."""
