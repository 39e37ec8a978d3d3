// Which files a command line means: scripts by name, and all `.pkt` files below a folder.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const SCRIPT_EXTENSION = '.pkt';

/** Sorted within each folder. Throws as fs does when a path is not there. */
export function findScripts(paths: readonly string[]): string[] {
  return paths.flatMap((path) => (statSync(path).isDirectory() ? scriptsBelow(path) : [path]));
}

function scriptsBelow(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return scriptsBelow(path);
    return entry.name.endsWith(SCRIPT_EXTENSION) ? [path] : [];
  });
}
