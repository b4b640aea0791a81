"""A run's folder, manifest, log and stage cache."""

from borderrisk.runs.cache import StageCache, StageKey, StageRecord
from borderrisk.runs.folder import (
    RunFolder,
    Stopped,
    alone,
    check_free,
    check_target,
    is_frozen,
    stoppable,
    sweep,
    workplace,
)
from borderrisk.runs.hashing import (
    SUMS,
    FileHashes,
    check_plain,
    check_sums,
    code_version,
    files_below,
    package_versions,
    read_json,
    sha256_file,
)
from borderrisk.runs.manifest import (
    Manifest,
    file_facts,
    find_run,
    new_run_id,
    project_folder,
    shown_path,
    write_manifest,
)
from borderrisk.runs.runlog import LOG, run_log

__all__ = [
    "LOG",
    "SUMS",
    "FileHashes",
    "Manifest",
    "RunFolder",
    "StageCache",
    "StageKey",
    "StageRecord",
    "Stopped",
    "alone",
    "check_free",
    "check_plain",
    "check_sums",
    "check_target",
    "code_version",
    "file_facts",
    "files_below",
    "find_run",
    "is_frozen",
    "new_run_id",
    "package_versions",
    "project_folder",
    "read_json",
    "run_log",
    "sha256_file",
    "shown_path",
    "stoppable",
    "sweep",
    "workplace",
    "write_manifest",
]
