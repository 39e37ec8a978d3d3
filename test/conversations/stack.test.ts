// The stack's side of the conversations: that any of them can be played, twice alike. The kernel's side needs a quiet machine and is
// run by hand (README.md).

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
