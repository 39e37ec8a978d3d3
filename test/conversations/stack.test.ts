// The stack's side of the conversations: that any of them can be played, twice alike. The kernel's side needs a quiet machine and is
// run by hand (README.md).

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Played {
  steps: unknown[];
}

const directory = new URL('.', import.meta.url).href;
const { Conversation } = (await import(`${directory}conversation.mjs`)) as {
  Conversation: new (seed: number) => Played;
};
const { playToStack } = (await import(`${directory}stack.mjs`)) as {
  playToStack: (played: Played, fields: string[], seed: number) => Promise<string[]>;
};

const { KNOWN_ROWS } = (await import(`${directory}known.mjs`)) as { KNOWN_ROWS: string[] };

describe('a conversation from a seed', () => {
  it('is played to the end, and the same way again', async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const once = await playToStack(new Conversation(seed), ['state', 'snd_cwnd'], 1);
      const again = await playToStack(new Conversation(seed), ['state', 'snd_cwnd'], 1);
      expect(once.length).toBe(new Conversation(seed).steps.length);
      expect([seed, again]).toEqual([seed, once]);
    }
  });
});

describe('a difference that is told apart', () => {
  it('stands in docs/differences.md', () => {
    const page = readFileSync(new URL('../../docs/differences.md', import.meta.url), 'utf8');
    expect(KNOWN_ROWS.filter((row) => !page.includes(`\n| ${row}`))).toEqual([]);
  });
});
