"""A provider for zoo: sentence encoders as the Sentence Transformers library runs them."""

from zoo.plugin import Entry, hookimpl

ZOO_API_VERSION = 0


@hookimpl
def zoo_register_providers() -> list[Entry]:
    """What this package adds to zoo: one provider."""
    return [
        Entry(
            "st",
            "zoo_sentence_transformers.provider:SentenceTransformersProvider",
            "Sentence Transformers' models and static embeddings",
            requires=("sentence_transformers",),
            extra="sentence-transformers",
        )
    ]
