// Imported first by whatever people start: in a Node.js that is too old, what else would be loaded fails by errors that do not say so.

/** engines.node of package.json: the least that will do. */
export const LEAST_NODE = [20, 19] as const;

export function isEnough(version: string): boolean {
  const [major, minor] = version.split('.').map(Number);
  return major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
}

if (!isEnough(process.versions.node)) {
  const least = LEAST_NODE.join('.');
  process.stderr.write(
    `tapstack: This needs Node.js ${least} or newer, and runs in ${process.versions.node} (${process.execPath}).\n` +
      `  - install Node.js ${least} or newer: https://nodejs.org\n`,
  );
  process.exit(1);
}
