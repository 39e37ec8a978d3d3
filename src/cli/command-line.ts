// Runs what the command line says, and tells what went wrong.

import { tuneV8 } from '../v8-flags.js';
import { program } from './program.js';
import { describeBug, describeRefusal, Refusal, refusalFor } from './refusal.js';

// Whoever reads our output may have had enough of it (`| head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(describeRefusal(new Refusal(`Standard output cannot be written: ${error.message}.`)));
  process.exit(1);
});

tuneV8();
try {
  await program().parseAsync();
} catch (error) {
  const refusal = refusalFor(error);
  process.stderr.write(refusal === undefined ? describeBug(error) : describeRefusal(refusal));
  process.exitCode = refusal?.exitCode ?? 1;
}
