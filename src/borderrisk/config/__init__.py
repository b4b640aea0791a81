"""The config: strict YAML, every problem with its file, line and column."""

from borderrisk.config.loader import json_schema, load_config, schema_text
from borderrisk.config.sections import ESTIMATOR_NAMES
from borderrisk.config.whole import Config

__all__ = ["ESTIMATOR_NAMES", "Config", "json_schema", "load_config", "schema_text"]
