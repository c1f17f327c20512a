"""The auditor's version, the one that pyproject.toml states."""

VERSION = "0.1.0"
