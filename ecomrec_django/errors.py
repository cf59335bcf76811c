"""The package's own errors: each says what was wrong and what to do about it."""


class EcomrecError(Exception):
    """Base of every error raised on purpose by ecomrec_django."""


class ConfigurationError(EcomrecError):
    """The ``ECOMREC`` setting, or the catalog adapter it names, cannot be used as it is."""


class DataError(EcomrecError):
    """Data that was read (events, orders, items) does not have the promised form."""


class TrainingError(EcomrecError):
    """A training run could not produce a release; the published release is untouched."""


class MemoryLimitError(EcomrecError):
    """A process took more memory than it may."""
