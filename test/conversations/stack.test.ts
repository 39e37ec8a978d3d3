// The stack's side of the conversations: that any of them can be played, twice alike. The kernel's side needs a quiet machine and is
// run by hand (README.md).

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Played {
  steps: { segment?: { flags: string; seq: number; length?: number }; call?: unknown[] }[];
}

const directory = new URL('.', import.meta.url).href;
const { Conversation } = (await import(`${directory}conversation.mjs`)) as {
  Conversation: new (seed: number) => Played;
};
const { playToStack } = (await import(`${directory}stack.mjs`)) as {
  playToStack: (played: Played, fields: string[], seed: number) => Promise<string[]>;
};

const { KNOWN_ROWS, knownAs } = (await import(`${directory}known.mjs`)) as {
  KNOWN_ROWS: string[];
  knownAs: (played: Played, at: number, kernel: string, stack: string) => string | undefined;
};

describe('a conversation from a seed', () => {
  it('is played to the end, and the same way again', async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const once = await playToStack(new Conversation(seed), ['state', 'snd_cwnd'], 1);
      const again = await playToStack(new Conversation(seed), ['state', 'snd_cwnd'], 1);
      expect(once.length).toBe(new Conversation(seed).steps.length);
      expect([seed, again]).toEqual([seed, once]);
    }
  }, 120_000);
});

describe('a difference that is told apart', () => {
  it('stands in docs/differences.md', () => {
    const page = readFileSync(new URL('../../docs/differences.md', import.meta.url), 'utf8');
    expect(KNOWN_ROWS.filter((row) => !page.includes(`\n| ${row}`))).toEqual([]);
  });

  it('is an acknowledgement that comes sooner here, where segments came twice in part', () => {
    const played = new Conversation(515_816_360);
    const at = played.steps.findIndex(({ segment }) => segment?.seq === 5850);
    const ours = ' | . 100(0) ack 7310 echo 1994';
    expect(knownAs(played, at, '', ours)).toBe('what segments weigh in the receive buffer');
    expect(knownAs(played, at, ours, '')).toBeUndefined();
    const once = { ...played, steps: played.steps.slice(at) };
    expect(knownAs(once, 0, '', ours)).toBeUndefined();
  });

  it('is what a client tells late, or forgets, that its kernel did not yet predict the next segment', () => {
    const fast = 'the fast path of an established connection';
    const put = new Conversation(608_169_949);
    const first = put.steps.findIndex(({ segment }) => segment?.flags === 'P.');
    const theirs = ' | . 0(0) ack 0 echo 1673';
    expect([knownAs(put, first, theirs, ''), knownAs(put, first, '', theirs)]).toEqual([fast, undefined]);
    const told = new Conversation(608_169_891);
    const error = told.steps.findIndex(({ call }) => call?.[0] === 'error');
    expect([knownAs(told, error, '0', '111'), knownAs(told, error, '111', '0')]).toEqual([fast, undefined]);
  });
});
