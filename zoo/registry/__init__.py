"""What is installed: built-ins and plugins, each behind a fence, by kind and name."""

from zoo.registry.catalogue import KINDS, Catalogue, Kind, Registered
from zoo.registry.fence import State
from zoo.registry.loading import PluginInfo
from zoo.registry.registry import Registry

__all__ = ["KINDS", "Catalogue", "Kind", "PluginInfo", "Registered", "Registry", "State"]
