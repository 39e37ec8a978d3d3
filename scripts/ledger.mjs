// Which test covers what: reads the tags (`// covers: item | reference | file`) out of test/. docs/tcp.md is drawn from them
// (test/docs/tcp.test.ts), and scripts/mutate.mjs breaks what they name.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const TAG = /^\s*\/\/ covers: (.+?) \| (.+?) \| (\S+)$/;
const LOOKS_LIKE_ONE = /^\s*\/\/ ?covers?\b/i;
const TITLE = /^\s*(?:describe|it|test)(?:\.each)?\(.*?(['`])(.+?)\1,/;

/** Every tag under `root`/test, in the order of the files. @throws Error for a tag that cannot be read */
export function readTags(root) {
  const names = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.pkt') || name.endsWith('.test.ts'))
    .sort()
    .flatMap((name) => tagsOf(root, join('test', name)));
}

function tagsOf(root, path) {
  const lines = readFileSync(join(root, path), 'utf8').split('\n');
  return lines.flatMap((line, at) => {
    if (!LOOKS_LIKE_ONE.test(line)) return [];
    const tag = TAG.exec(line);
    if (tag === null) throw new Error(`${path}:${at + 1}: not "// covers: item | reference | file"`);
    const [, item, reference, file] = tag;
    return [
      { item, reference, file, path, title: path.endsWith('.pkt') ? null : titleAfter(path, lines, at) },
    ];
  });
}

/** The test or group that a tag stands above; tags may stand above one another. */
function titleAfter(path, lines, at) {
  const next = lines.slice(at + 1).find((line) => !LOOKS_LIKE_ONE.test(line));
  const title = TITLE.exec(next ?? '');
  if (title === null) throw new Error(`${path}:${at + 1}: the tag stands above no test`);
  return title[2];
}

/** The ways of breaking things that test/docs/mutations.json lists. */
export function readMutations(root) {
  return JSON.parse(readFileSync(join(root, 'test/docs/mutations.json'), 'utf8'));
}
