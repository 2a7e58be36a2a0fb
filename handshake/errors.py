"""The errors a caller may catch: each is one line that says what is wrong and what to do."""


class HandshakeError(Exception):
    """The base of all errors that this package raises on purpose.

    HandshakeError
     +-- CaptureError    a file that cannot be read as a capture
     +-- UsageError      a request that makes no sense
     +-- LocalError       the machine does not let us: privilege, route, name
     +-- ConnectionLostError       the peer, or the way, ended a connection in the middle
    """

    exit_code = 2
    """What the command line ends with when nothing catches the error."""


class CaptureError(HandshakeError):
    """A file could not be read as a capture."""


class UsageError(HandshakeError):
    """The request itself is wrong."""


class LocalError(HandshakeError):
    """The machine does not allow what was asked for."""

    exit_code = 3


class ConnectionLostError(HandshakeError):
    """A connection that was open did not come to its end."""

    exit_code = 1
