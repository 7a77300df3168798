"""zoo.toml gives defaults below flags and variables."""

from __future__ import annotations


def test_flag_beats_variable_beats_file_beats_default(zoo, tmp_path, photos, tiny_vit):
    (tmp_path / "zoo.toml").write_text(
        f'model = "hf:{tiny_vit}"\ndata = "{photos}"\nhead = "knn"\n\n[transfer]\nhead = "ridge"\n'
    )

    def head(*arguments, **env):
        return zoo("transfer", "--json", *arguments, env=env).json["head"]["name"]

    assert head() == "ridge"
    assert head(ZOO_HEAD="prototype") == "prototype"
    assert head("--head", "knn", ZOO_HEAD="prototype") == "knn"


def test_a_broken_file_is_a_usage_error(zoo, tmp_path):
    for text, named in [
        ("head = ", "zoo.toml"),
        ("[transfr]\nseed = 1", "transfr"),
        ("haed = 'knn'", "haed"),
        ("[transfer]\nexport = 'f.npz'", "export"),
        ("seed = [1]", "seed"),
    ]:
        (tmp_path / "zoo.toml").write_text(text)
        done = zoo("plugins")
        assert done.code == 2
        assert named in done.err
        assert "hint: " in done.err
