"""zoo: transfer learning from any model zoo."""
