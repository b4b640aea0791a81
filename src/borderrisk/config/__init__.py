"""The config: strict YAML, every problem with its file, line and column."""

from borderrisk.config.loader import load_config
from borderrisk.config.model import Config
from borderrisk.config.modelling import ESTIMATOR_NAMES
from borderrisk.config.schema import json_schema, schema_text

__all__ = ["ESTIMATOR_NAMES", "Config", "json_schema", "load_config", "schema_text"]
