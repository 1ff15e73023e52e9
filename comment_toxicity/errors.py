"""Errors that a user can fix. A message is a sentence or two: what is wrong, where, what to do.

UserError
├── DataError       a table or a file of comments
├── ModelError      a model's name, folder or weights
├── PublishError    a destination that cannot be reached, or refuses
│   └── GateError   a model that does not meet the conditions for publishing
└── SettingsError   a flag or a line of a config

cli.run catches UserError, prints it on standard error and exits with its exit_code: 3 after a
GateError, so that a script can tell “not good enough” from “not possible”.
"""


class UserError(Exception):
    """Base of all errors that the user, not the programmer, can fix."""

    exit_code = 2


class DataError(UserError):
    """A table or a file of comments cannot be used as it is."""


class ModelError(UserError):
    """A model cannot be found, or its folder cannot be used as it is."""


class PublishError(UserError):
    """A destination cannot be reached, or does not let us write; nothing is half done."""


class GateError(PublishError):
    """A model does not meet the conditions for publishing; nothing was uploaded."""

    exit_code = 3


class SettingsError(UserError):
    """A flag or a config line is wrong, or conflicts with another."""
