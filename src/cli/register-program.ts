// Puts a program on a stack: which one its environment says, and why not where it cannot be. What is printed is for whoever started
// the program, so it looks as the command's own refusals do.

import { basename } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { serveControl } from '../control/index.js';
import { createNet } from '../net/create-net.js';
import { defaultStack, onLeave } from '../net/default-stack.js';
import { refuseSharing, warnOnUse } from '../net/elsewhere.js';
import { installNet } from '../net/install.js';
import { readSettings, type StackSettings } from '../net/settings.js';
import { tuneV8 } from '../v8-flags.js';
import { describeRefusal, refusalFor } from './refusal.js';

/** Set for child processes, which inherit the environment and often our preload too: which device is taken, and by whom. */
const OWNER = 'TAPSTACK_OWNER';

/** Puts this process's program on a stack. Ends the process, saying why, when there can be none. */
export function registerProgram(settings?: StackSettings): void {
  if (!isMainThread) {
    warnOnUse('This worker thread uses the kernel: the stack belongs to the main thread.');
    return;
  }
  try {
    register(settings ?? readSettings(process.env));
  } catch (error) {
    const refusal = refusalFor(error);
    if (refusal === undefined) throw error;
    process.stderr.write(describeRefusal(refusal));
    process.exit(refusal.exitCode);
  }
}

function register(settings: StackSettings): void {
  const name = settings.tap?.name;
  const [pid, taken] = (process.env[OWNER] ?? '').split(' ');
  if (name !== undefined && taken === name && pid === String(process.ppid)) {
    warnOnUse(
      `This process uses the kernel: the device ${name} belongs to the stack of its parent, process ${pid}. ` +
        'Give it one of its own by another TAPSTACK_TAP and TAPSTACK_ADDRESS.',
    );
    return;
  }
  tuneV8();
  const stack = defaultStack(settings);
  if (name !== undefined) process.env[OWNER] = `${process.pid} ${name}`;
  // `tapstack ss` finds it by the program's name. The program is the same without being seen.
  serveControl(stack, { name: basename(process.argv[1] ?? 'node') }).then(
    // The socket is gone when this returns; readers hear of the end by the process's.
    (control) => onLeave(() => void control.close()),
    ({ message }: Error) =>
      process.emitWarning(`tapstack ss and its like will not see this program: ${message}.`, {
        type: 'TapstackWarning',
      }),
  );
  const net = createNet(stack, { kernel: settings.kernel });
  installNet(net);
  refuseSharing(net);
}
