"""Joules of every stage, with the power that the idle machine draws and without it."""

from __future__ import annotations

from rag_eval.cost.energy import above_idle
from rag_eval.report.context import ReportContext
from rag_eval.report.table import Cell, Figure, Table


def tables(context: ReportContext) -> list[Table]:
    """One line an arm and stage."""
    rows: list[tuple[Cell, ...]] = []
    for arm in context.arms:
        idle = arm.run.record.facts.provenance.idle_watts
        for stage, spend in arm.run.record.spends.items():
            device, cpu = spend.device_joules, spend.cpu_joules
            net = (above_idle(device, spend.energy_s, idle.device_watts), above_idle(cpu, spend.energy_s, idle.cpu_watts))
            rows.append((f"{arm.label}: {stage}", Figure(device), Figure(net[0]), Figure(cpu), Figure(net[1])))
    reading = "By the counters of the accelerator (NVML) and of the processor packages (RAPL), over windows of at least a second."
    header = ("arm and stage", "device", "device above idle", "processor", "processor above idle")
    return [Table("Energy, J", reading, header, tuple(rows))]
