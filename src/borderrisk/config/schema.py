"""JSON Schema of the config, for editors."""

from __future__ import annotations

import json
from typing import Any

from borderrisk.config.model import Config


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a config file."""
    schema = Config.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "borderrisk config",
    }


def schema_text() -> str:
    """Return the schema as it is kept in ``docs/config.schema.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
