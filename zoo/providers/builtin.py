"""``builtin:formulanet`` and ``builtin:tinyconv``: the small backbones that come with zoo."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from zoo.backbones import formulanet, tinyconv
from zoo.backbones.pooling import NUMERICS as POOLING_NUMERICS
from zoo.errors import SourceError
from zoo.plugin import Backbone, Contract, Facts, Found, LoadOptions, Provider, Reference, Source
from zoo.preprocess import ImageSpec
from zoo.preprocess.stated import check_keys
from zoo.providers import taps

# Each has SIZE, DIM, VERSION (raised when its features change), ABOUT, weights() and build().
_BACKBONES = {"formulanet": formulanet, "tinyconv": tinyconv}


class BuiltinProvider(Provider):
    """Backbones that need no download."""

    def describe(self, source: Source, options: LoadOptions) -> Contract:
        """The contract of a built-in backbone; raises SourceError on an unknown name."""
        backbone = _named(source)
        stated = _stated(backbone, options)
        arrays = backbone.weights()
        tap, pooling = taps.choose(source.tap, stated, ("output", "none"))
        return Contract(
            modality="image",
            preprocess=ImageSpec.from_stated(stated, str(source)).as_dict(),
            model={"architecture": backbone.VERSION, "pooling_numerics": POOLING_NUMERICS},
            weights=tinyconv.digest(arrays),
            tap=tap,
            pooling=pooling,
            info={
                "architecture": source.reference,
                "licence": "Apache-2.0",
                "parameters": sum(
                    array.size for name, array in arrays.items() if "running_" not in name
                ),
                "note": backbone.ABOUT,
            },
        )

    def load(self, source: Source, options: LoadOptions) -> Backbone:
        """The backbone with its weights."""
        from zoo.backbones.torch_trunk import ImageTrunk

        contract, backbone = self.describe(source, options), _named(source)
        spec = ImageSpec.from_stated(_stated(backbone, options), str(source))
        module = backbone.build(backbone.weights())
        return ImageTrunk(module, contract, options, spec=spec, name="input")

    def reference(self, source: Source, options: LoadOptions) -> Reference:
        """Pillow and NumPy before the module."""
        from zoo.providers.torch_reference import torch_reference

        backbone = _named(source)
        module = backbone.build(backbone.weights())
        stated = {**options.preprocess, **_stated(backbone)}
        return torch_reference(module, "input", stated, self.describe(source, options))

    def search(self, query: str, *, offline: bool, limit: int) -> Iterable[Found]:
        """The built-in backbones that match."""
        del offline
        known = [
            Found(f"builtin:{name}", backbone.ABOUT, "Apache-2.0", local=True)
            for name, backbone in _BACKBONES.items()
        ]
        return [found for found in known if found.matches(query)][:limit]

    def inspect(self, source: Source, options: LoadOptions) -> Facts:
        """Facts of a built-in backbone."""
        info, dim = self.describe(source, options).info, _named(source).DIM
        return Facts(dim, info["parameters"], info["licence"], {"output": (dim,)})


def _named(source: Source) -> ModuleType:
    if source.reference not in _BACKBONES:
        raise SourceError(
            f"there is no built-in backbone '{source.reference}'",
            hint=", ".join(f"builtin:{name}" for name in _BACKBONES),
        )
    return _BACKBONES[source.reference]


def _stated(backbone: ModuleType, options: LoadOptions | None = None) -> dict[str, object]:
    """How its pictures are prepared, as a preprocess.toml states it."""
    own = {
        "input": "image",
        "size": backbone.SIZE,
        "resize": "exact",
        "filter": "bilinear",
        "mean": [0.5],
        "std": [0.5],
    }
    if options is None:
        return own
    return check_keys({**own, **options.preprocess}, "--preprocess")
