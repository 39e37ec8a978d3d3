// The lab's public face (`tapstack/lab`): networks in memory under virtual time, and packet scripts.

export { Cable, type CableOptions } from './cable.js';
export type { CableEnd } from './cable-end.js';
export { Lab, type LabOptions, type LabStackOptions, LabStuckError, type RunOptions } from './lab.js';
export type { Loss } from './loss.js';
export type { Pipe, PipeCounters } from './pipe.js';
export type { PipeOptions } from './pipe-options.js';
export type { QueueOptions } from './queue.js';
export type { Router, RouterPort, RouterRoute } from './router.js';
export type { Rung, ScriptResult } from './script/outcome.js';
export { reportText } from './script/report.js';
export { runScript } from './script/runner.js';
export type { Series, SeriesOptions, SeriesPoint } from './series.js';
export { type Scenario, type ShrinkOptions, type Shrunk, shrink } from './shrink.js';
export type { Switch } from './switch.js';
