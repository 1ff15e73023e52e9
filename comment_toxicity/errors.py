"""What a user can mend. Each message is one sentence or two: what is wrong, where, and what to do.

UserError
├── DataError       a table or a file of comments
├── ModelError      a model's name, folder or weights
├── PublishError    a place to publish to: it cannot be reached, or refuses
│   └── GateError   a model that does not meet the conditions for being published
└── SettingsError   a flag or a line of a config

Command lines catch UserError once, in main(), print it on stderr and exit with EXIT_CODE; with
GATE_EXIT_CODE after a GateError, so that a script can tell “not good enough” from “not possible”.
"""

import os
import sys

EXIT_CODE = 2
GATE_EXIT_CODE = 3


class UserError(Exception):
    """Base of all errors that the user, not the programmer, can mend."""


class DataError(UserError):
    """A table or a file of comments cannot be used as it is."""


class ModelError(UserError):
    """A model cannot be found, or its folder cannot be used as it is."""


class PublishError(UserError):
    """A place to publish to cannot be reached, or does not let us write; nothing is half done."""


class GateError(PublishError):
    """A model does not meet the conditions for being published; nothing was uploaded."""


class SettingsError(UserError):
    """A flag or a config line is wrong, or does not go with another."""


def let_go_of_stdout() -> None:
    """Send nowhere what standard output still holds: Python would fail on it again at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
