"""A simulated AiTEMS for the demo, for tests, and for authors of AiTEMS clients.

It shares no code with the client in ``watcher.aitems``, so that neither hides a mistake of the other.
"""

from __future__ import annotations

from watcher.simulator.calls import CallKind
from watcher.simulator.demo import demo_world
from watcher.simulator.faults.plan import Fault
from watcher.simulator.invented.random_world import random_world
from watcher.simulator.script import Script, ScriptError, load_script
from watcher.simulator.server import Running, SimulatorSettings, build_simulator, run_forever, serve
from watcher.simulator.simulator import (
    SIMULATOR_ACCESS_KEY,
    SIMULATOR_SECRET_KEY,
    ControlAccess,
    DatedChange,
    Simulator,
)
from watcher.simulator.truth import ChangeOrigin, StatusChange, UpdateChange
from watcher.simulator.world import Life, ServiceType, SimulatedService, Step, Training, Update, World

__all__ = [
    "SIMULATOR_ACCESS_KEY",
    "SIMULATOR_SECRET_KEY",
    "CallKind",
    "ChangeOrigin",
    "ControlAccess",
    "DatedChange",
    "Fault",
    "Life",
    "Running",
    "Script",
    "ScriptError",
    "ServiceType",
    "SimulatedService",
    "Simulator",
    "SimulatorSettings",
    "StatusChange",
    "Step",
    "Training",
    "Update",
    "UpdateChange",
    "World",
    "build_simulator",
    "demo_world",
    "load_script",
    "random_world",
    "run_forever",
    "serve",
]
