// How a page is cut into blocks, and output compared with what a page shows.

import { expect, it } from 'vitest';
import { blocksOf, commandsOf, pattern } from './blocks.js';

const fence = (info: string, ...lines: string[]) => [`\`\`\`${info}`, ...lines, '```', ''].join('\n');

it('finds blocks, their lines, and the notes right above them', () => {
  const page = [
    '# Title',
    '<!-- not run: of somebody else -->',
    'A sentence between.',
    '<!-- before:',
    'const a = 1;',
    '-->',
    '<!-- continues -->',
    fence('ts', 'a;'),
    fence('', 'plain'),
  ].join('\n');
  const [first, second] = blocksOf('x.md', page);
  expect(first).toMatchObject({ line: 8, language: 'ts', text: 'a;\n', previous: undefined });
  expect([...first.notes]).toEqual([
    ['before', 'const a = 1;'],
    ['continues', ''],
  ]);
  expect(second).toMatchObject({ language: '', text: 'plain\n', previous: first });
});

it('unindents a block in a list', () => {
  expect(blocksOf('x.md', '- so:\n  ```sh\n  ls\n    -l\n  ```\n')[0]).toMatchObject({ text: 'ls\n  -l\n' });
});

it('tells commands, what is typed into them, and what they print', () => {
  const [block] = blocksOf(
    'x.md',
    fence('console', '$ one \\', '  two', 'out', '$ shell', '# typed', 'echo'),
  );
  expect(commandsOf(block)).toEqual([
    { command: 'one \\\n  two', typed: [], shown: ['out'] },
    { command: 'shell', typed: ['typed'], shown: ['echo'] },
  ]);
  const [root] = blocksOf('x.md', fence('console', '# id', 'root'));
  expect(commandsOf(root)).toEqual([{ command: 'id', typed: [], shown: ['root'] }]);
});

it('takes … for the rest of a line or for lines', () => {
  const shown = 'a … c\n…\nend';
  expect('a b c\nend\n').toMatch(pattern(shown));
  expect('a b c\n1\n2\nend\n').toMatch(pattern(shown));
  expect('a b d\nend\n').not.toMatch(pattern(shown));
  expect('a b c\nend\nmore\n').not.toMatch(pattern(shown));
});
