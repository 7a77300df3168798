"""Where pretrained models come from, one file a provider."""
