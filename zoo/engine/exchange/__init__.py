"""Rows out to files that other programs read, and in from them: one reader or writer a format."""

from zoo.engine.exchange.verbs import Exported, Imported, export_rows, import_rows

__all__ = ["Exported", "Imported", "export_rows", "import_rows"]
