"""What a provider raises for settings it cannot work with."""


class ConfigurationError(Exception):
    pass
