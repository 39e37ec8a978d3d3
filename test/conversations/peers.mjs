// One of several peers of a listener, drawn for a move: what it has sent so far stands in `c.peers`.

/** The window in a header, scaled as the peers' SYNs have said. */
export const scaled = (c) => (c.scale === null ? c.opening : Math.max(1, c.opening >> c.scale));

/** The peer, and `from(flags, more)`, by which it sends a segment. */
export function drawPeer(c) {
  const peer = c.dice.below(c.peers.length);
  const who = c.peers[peer];
  const from = (flags, more = {}) => {
    const window = flags.includes('S') ? c.opening : scaled(c);
    c.segment(flags, { seq: who.sent, ack: 0, window, ...more, peer });
  };
  return { who, from };
}
