// `tapstack/register`, the preload: from here on the program's `net` is the stack's, opened as TAPSTACK_* variables say. Only the
// main thread of a process that has no parent with the same stack gets one; docs/register.md tells of the others.

import './node-version.js';
import { registerProgram } from './register-program.js';

registerProgram();
