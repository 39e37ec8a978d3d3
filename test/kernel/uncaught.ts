// What of a program's exceptions nobody catches, for tests of hooks that throw.

/** The messages of exceptions that end up in `uncaughtException` while `what` runs, and until what it put off has run. */
export async function uncaught(what: () => Promise<unknown>): Promise<string[]> {
  const heard: string[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', ({ message }) => heard.push(message));
  try {
    await what();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  }
  return heard;
}
