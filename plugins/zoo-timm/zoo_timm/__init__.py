"""A provider for zoo: every image model of timm, by its own name."""

from zoo.plugin import Entry, hookimpl

ZOO_API_VERSION = 0


@hookimpl
def zoo_register_providers() -> list[Entry]:
    """What this package adds to zoo: one provider."""
    return [
        Entry("timm", "zoo_timm.provider:TimmProvider", "timm's image models", requires=("timm",))
    ]
