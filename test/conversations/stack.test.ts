// The stack's side of the conversations: that any of them can be played, twice alike. The kernel's side needs a quiet machine and is
// run by hand (README.md).

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Played {
  options: unknown[];
  steps: { segment?: { flags: string; seq: number; ack: number; length?: number }; call?: unknown[] }[];
}

const directory = new URL('.', import.meta.url).href;
const { Conversation } = (await import(`${directory}conversation.mjs`)) as {
  Conversation: new (seed: number, theme?: string) => Played;
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

  it('is a queue that was collapsed in a buffer of fixed size, and nothing that was lost by it', () => {
    const full = new Conversation(7_102_389);
    const counters = full.steps.findIndex(({ call }) => call?.[0] === 'counters');
    const theirs = 'Tcp.InSegs=9 TcpExt.PruneCalled=1 TcpExt.TCPWantZeroWindowAdv=6';
    const told = (played: Played, kernel: string) => knownAs(played, counters, kernel, 'Tcp.InSegs=9');
    expect(told(full, theirs)).toBe('what segments weigh in the receive buffer');
    expect(told(full, `${theirs} TcpExt.RcvPruned=1`)).toBeUndefined();
    expect(told({ ...full, options: [] }, theirs)).toBeUndefined();
  });

  it('is a cookie that comes back as far beside in both numbers, where cookies are sent unasked for', () => {
    const shifted = new Conversation(88_120_363, 'fastopen');
    const at = shifted.steps.findIndex(({ segment }) => segment?.seq === 100 && segment.ack === 100);
    const ours = ' | 1: R 100(0) id 0';
    expect([knownAs(shifted, at, '', ours), knownAs(shifted, at, ours, '')]).toEqual([
      'SYN cookies',
      undefined,
    ]);
    const before = shifted.steps.findIndex(({ segment }) => segment?.flags === 'R.');
    expect(knownAs(shifted, before, '', ours)).toBeUndefined();
  });

  it('is an acknowledgement of nothing, after a SYN that crossed ours', () => {
    const crossed = new Conversation(88_120_383, 'opening');
    const at = crossed.steps.findIndex(({ segment }) => segment?.ack === -1 && segment.length === 10);
    const [theirs, ours] = [' | . 0(0) ack 10 echo 1903', ' | R -1(0) id 0'];
    const nothing = 'an acknowledgement of nothing, while SYNs that crossed';
    expect([knownAs(crossed, at, theirs, ours), knownAs(crossed, at, ours, theirs)]).toEqual([
      nothing,
      undefined,
    ]);
    expect(knownAs({ ...crossed, steps: crossed.steps.slice(at) }, 0, theirs, ours)).toBeUndefined();
  });

  it('is a connection that is none on Linux, made by an acknowledgement with a SYN', () => {
    const made = new Conversation(55_311_091);
    const by = made.steps.findIndex(({ segment }) => segment?.flags === 'SF.');
    const poll = made.steps.findIndex(({ call }, at) => at > by && call?.[0] === 'poll');
    const row = "a handshake's acknowledgement that bears a SYN";
    expect([knownAs(made, poll, '0', '4'), knownAs(made, poll, '4', '0')]).toEqual([row, undefined]);
    expect(knownAs({ ...made, steps: made.steps.slice(poll) }, 0, '0', '4')).toBeUndefined();
  });

  it('is what was once part of something sent again, where the peer has forgotten that it came', () => {
    const forgotten = new Conversation(7_102_670);
    const info = forgotten.steps.length - 2;
    const told = (at: number, kernel: string, stack: string) => knownAs(forgotten, at, kernel, stack);
    const side = 'segments that are selected side by side';
    expect(told(info, 'backoff=1 reordering=3', 'backoff=0 reordering=4')).toBe(side);
    expect(told(info, 'backoff=1 retransmits=1', 'backoff=0 retransmits=0')).toBeUndefined();
    const first = forgotten.steps.findIndex(({ call }) => call?.[0] === 'info');
    expect(told(first, 'backoff=1', 'backoff=0')).toBeUndefined();
  });
});
