"""How fast: networks beside one another in every engine, where the time goes, and whole studies."""

from __future__ import annotations

from msdnet.evaluation.speed.contenders import CONTENDERS, Contender, Timing, time_contender
from msdnet.evaluation.speed.machine import Machine, read_machine
from msdnet.evaluation.speed.stages import StageTiming, time_stages
from msdnet.evaluation.speed.studies import StudyTiming, time_study
from msdnet.evaluation.speed.tables import write_benchmark

__all__ = [
    "CONTENDERS",
    "Contender",
    "Machine",
    "StageTiming",
    "StudyTiming",
    "Timing",
    "read_machine",
    "time_contender",
    "time_stages",
    "time_study",
    "write_benchmark",
]
