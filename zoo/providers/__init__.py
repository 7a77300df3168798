"""Where pretrained models come from, one file a provider."""

from zoo.providers.hf_files import Snapshot, open_snapshot
from zoo.providers.taps import choose as choose_tap

__all__ = ["Snapshot", "choose_tap", "open_snapshot"]
