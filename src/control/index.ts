// tapstack/control: what makes a program's stack visible to `tapstack ss`, `netstat`, `trace` and `capture`.

export { ControlDirectoryError } from './directory.js';
export { type Control, type ControlOptions, serveControl } from './serve-control.js';
