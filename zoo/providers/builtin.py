"""``builtin:tinyconv``: the small backbone that comes with zoo."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.backbones import tinyconv
from zoo.backbones.pooling import NUMERICS as POOLING_NUMERICS
from zoo.errors import SourceError
from zoo.plugin import Backbone, Contract, Facts, Found, LoadOptions, Provider, Reference, Source
from zoo.preprocess import ImageSpec
from zoo.preprocess.stated import check_keys
from zoo.providers import taps

_STATED = {
    "input": "image",
    "size": tinyconv.SIZE,
    "resize": "exact",
    "filter": "bilinear",
    "mean": [0.5],
    "std": [0.5],
}


class BuiltinProvider(Provider):
    """Backbones that need no download."""

    def describe(self, source: Source, options: LoadOptions) -> Contract:
        """The contract of a built-in backbone; raises SourceError on an unknown name."""
        if source.reference != "tinyconv":
            raise SourceError(
                f"there is no built-in backbone '{source.reference}'", hint="builtin:tinyconv"
            )
        stated = check_keys({**_STATED, **options.preprocess}, "--preprocess")
        arrays = tinyconv.weights()
        tap, pooling = taps.choose(source.tap, stated, ("output", "none"))
        return Contract(
            modality="image",
            preprocess=ImageSpec.from_stated(stated, str(source)).as_dict(),
            model={"architecture": "tinyconv-1", "pooling_numerics": POOLING_NUMERICS},
            weights=tinyconv.digest(arrays),
            tap=tap,
            pooling=pooling,
            info={
                "architecture": "tinyconv",
                "licence": "Apache-2.0",
                "parameters": sum(array.size for array in arrays.values()),
                "note": "random weights: not pretrained",
            },
        )

    def load(self, source: Source, options: LoadOptions) -> Backbone:
        """The backbone with its random weights."""
        from zoo.backbones.torch_trunk import ImageTrunk

        contract = self.describe(source, options)
        stated = check_keys({**_STATED, **options.preprocess}, "--preprocess")
        spec = ImageSpec.from_stated(stated, str(source))
        module = tinyconv.build(tinyconv.weights())
        return ImageTrunk(module, contract, options, spec=spec, name="input")

    def reference(self, source: Source, options: LoadOptions) -> Reference:
        """Pillow and NumPy before the module."""
        from zoo.providers.torch_reference import torch_reference

        module = tinyconv.build(tinyconv.weights())
        stated = {**options.preprocess, **_STATED}
        return torch_reference(module, "input", stated, self.describe(source, options))

    def search(self, query: str, *, offline: bool, limit: int) -> Iterable[Found]:
        """The built-in backbones that match."""
        del offline
        known = [Found("builtin:tinyconv", "random weights, for demos", "Apache-2.0", local=True)]
        return [found for found in known if found.matches(query)][:limit]

    def inspect(self, source: Source, options: LoadOptions) -> Facts:
        """Facts of a built-in backbone."""
        info = self.describe(source, options).info
        return Facts(tinyconv.DIM, info["parameters"], info["licence"], {"output": (tinyconv.DIM,)})
