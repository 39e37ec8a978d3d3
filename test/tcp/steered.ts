// A listener on port 80 of a conversation, as `stack.listener` hands it out, and what its tests share.

import { onTrace, type TraceMessage } from '../../src/core/trace.js';
import { Listener } from '../../src/kernel/listener-handle.js';
import type { ListenState } from '../../src/tcp/listen/listen-state.js';
import { Steering } from '../../src/tcp/listen/steering.js';
import type { Conversation, Opening, Peer } from './conversation.js';

export function steered(t: Conversation, backlog = 16, { sk } = t.listen(backlog)): Listener {
  return new Listener(sk, sk.listener as ListenState);
}

export function opens(t: Conversation, opening: Opening = {}): Peer {
  const peer = t.peer();
  return peer.sends(t.syn(peer, opening));
}

/** What `steer_listener` and `kfree_skb` tell while `what` runs. */
export function told(what: () => void): string[] {
  const lines: string[] = [];
  const stop = onTrace(
    (name, message) => {
      const { by, verdict, reason } = message as TraceMessage<'steer_listener'> & { reason: string };
      lines.push(name === 'kfree_skb' ? reason : `${by} ${verdict}`);
    },
    ['steer_listener', 'kfree_skb'],
  );
  try {
    what();
  } finally {
    stop();
  }
  return lines;
}

/** Counters, of ours and of Linux's. */
export function counted(t: Conversation, ...names: string[]): number[] {
  return names.map((name) => t.counter(name in new Steering().counters ? 'Listener' : 'TcpExt', name));
}
