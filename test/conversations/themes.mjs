// What goes on in a conversation, one move at a time: each theme has its own mixture.

const MSG_PEEK = 2;
const MSG_OOB = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_CORK = 3;
const TCP_QUICKACK = 12;
const SIOCATMARK = 0x8905;
const SIOCINQ = 0x541b;
const SIOCOUTQ = 0x5411;

/** Data for us: in order, behind holes, again, old, out of the window, urgent. */
export function receiving(c) {
  const { pick, chance, weighted } = c.dice;
  const { mss } = c;
  weighted([
    [30, () => c.data(chance(0.5) ? 'P.' : '.', pick([1, 10, 500, mss, mss]), {}, c.pause)],
    [15, () => behindHole(c)],
    [7, () => fillHole(c)],
    [10, () => again(c)],
    [4, () => c.segment('.', { seq: c.sent + pick([1 << 20, 1 << 30]), length: 10 })],
    [14, () => c.call('read', pick([1, 100, 4096, 65536]), pick([0, 0, 0, MSG_PEEK]))],
    [4, () => c.call('read', 1, MSG_OOB)],
    [3, () => c.data('P.U', pick([1, 20]), { urgent: pick([1, 5, 20]) })],
    [5, () => writeAndAck(c)],
    [3, () => c.segment('.', { stamp: c.clock - pick([0, 100, 5000]), length: pick([0, 10]) })],
    [2, () => c.segment('.', { stamp: null, length: pick([0, 10]) })],
    [3, () => c.wait(pick([60, 300]))],
  ])();
}

function behindHole(c) {
  const from = c.sent + c.dice.pick([1, c.mss, 2 * c.mss]);
  const length = c.dice.pick([10, c.mss]);
  c.segment('.', { seq: from, length }, c.pause);
  c.holes.push(from + length);
}

function fillHole(c) {
  const missing = Math.max(0, ...c.holes) - c.sent;
  c.holes = [];
  c.data('.', missing > 0 && missing < 1460 ? missing : c.mss);
}

function again(c) {
  const back = c.dice.pick([1, 100, c.mss]);
  c.segment('.', { seq: Math.max(0, c.sent - back), length: c.dice.pick([back, back >> 1 || 1, back + 10]) });
}

function writeAndAck(c) {
  c.write(c.dice.pick([1, 100, c.mss]));
  if (c.dice.chance(0.7)) c.ackAll();
}

/** Data of ours: acknowledged, in part or selectively, lost, held up by windows. */
export function sending(c) {
  const { pick, weighted } = c.dice;
  const { mss, full } = c;
  weighted([
    [28, () => c.write(pick([1, 100, full, full * 2, full * 5, full * 10, full * 10 + 7, full * 30]))],
    [20, () => ackSome(c)],
    [22, () => duplicateAck(c)],
    [4, () => c.segment('.', c.sackOk ? { sack: [[Math.max(0, c.acked - full), c.acked]] } : {})],
    [6, () => c.wait(pick([60, 300, 300, 700]))],
    [4, () => moveWindow(c)],
    [3, () => c.segment('.E')],
    [3, () => c.call('set', IPPROTO_TCP, pick([TCP_NODELAY, TCP_CORK]), pick([0, 1]))],
    [4, () => c.data('P.', 100)],
    [2, () => c.segment('.', { ack: c.written + pick([1, 1000, 1 << 20]) })],
    [2, () => c.segment('.', { ack: Math.max(0, c.acked - mss) })],
    [2, () => c.call('ioctl', SIOCOUTQ)],
  ])();
}

function ackSome(c) {
  const missing = c.written - c.acked;
  c.acked += c.dice.chance(0.5) ? missing : Math.min(missing, c.full * (1 + c.dice.below(4)));
  c.segment('.', {}, 5);
}

function duplicateAck(c) {
  if (!c.sackOk) return c.segment('.', {}, c.pause);
  const from = c.acked + c.full * (1 + c.dice.below(4));
  const to = from + c.full * (1 + c.dice.below(3));
  const more = c.dice.chance(0.3) ? [[to + c.full, to + 2 * c.full]] : [];
  return c.segment('.', { sack: [[from, to], ...more] }, c.pause);
}

function moveWindow(c) {
  const scale = c.scale ?? 0;
  c.window = c.dice.pick([0, 1, Math.max(1, c.mss >> scale), 1000, Math.max(1, c.opening >> scale)]);
  c.segment('.');
}

/** Ends of all kinds. */
export function closing(c) {
  const { pick, chance, weighted } = c.dice;
  weighted([
    [12, () => c.write(pick([1, c.mss * 3]))],
    [13, () => c.ackAll()],
    [12, () => theirFin(c, pick([0, 0, 10]))],
    [10, () => shutDown(c, pick([0, 1, 1, 1, 2]))],
    [8, () => close(c)],
    [5, () => c.segment('R', { seq: c.sent + pick([0, 0, 1, 100, -1]) })],
    [4, () => c.segment('R.')],
    [6, () => (chance(0.8) ? c.data('.', pick([1, 100])) : c.segment('.', { length: 1 }))],
    [8, () => c.call('read', 65536, 0)],
    [3, () => c.call('error')],
    [3, () => c.call('linger', pick([0, 0, 1]))],
    [4, () => c.segment('.', { ack: pick([0, c.acked, c.written + 5]) })],
    [3, () => c.segment('S', { ...c.syn, seq: c.sent + pick([0, 10, 100_000]) })],
    [3, () => c.wait(pick([60, 300, 700]))],
    [6, () => c.segment(pick(['', 'F', 'P', 'SF.', 'SR', 'RF.']), { length: pick([0, 5]) })],
  ])();
}

function theirFin(c, length) {
  c.data(c.dice.pick(['F.', 'FP.']), length);
  c.sent++;
}

function ourFin(c) {
  if (c.finished) return;
  c.finished = true;
  c.written++;
}

function shutDown(c, how) {
  c.call('shutdown', how);
  if (how > 0) ourFin(c);
}

function close(c) {
  c.call('close');
  ourFin(c);
}

/** Whatever the header can say. */
export function wild(c) {
  const { pick, below, weighted } = c.dice;
  weighted([
    [60, () => anySegment(c)],
    [10, () => c.write(pick([1, c.mss, c.mss * 4]))],
    [10, () => c.call('read', pick([1, 65536]), pick([0, 0, MSG_OOB, MSG_PEEK]))],
    [5, () => c.ackAll()],
    [3, () => shutDown(c, below(3))],
    [2, () => close(c)],
    [2, () => c.call('write', 5, MSG_OOB)],
    [4, () => c.call('ioctl', pick([SIOCINQ, SIOCOUTQ, SIOCATMARK]))],
    [4, () => c.wait(pick([60, 300]))],
  ])();
}

const CHANCES = { '.': 0.8, R: 0.06, S: 0.06 };

function anySegment(c) {
  const { pick, chance } = c.dice;
  const flags = [...'FSRP.UEW'].filter((flag) => chance(CHANCES[flag] ?? 0.15)).join('');
  const more = {
    seq: c.sent + pick([0, 0, 0, 1, -1, c.mss, -c.mss, 1 << 20]),
    ack: pick([c.acked, c.acked, c.written, c.written + 1, Math.max(0, c.acked - 1), c.acked + (1 << 30)]),
    length: pick([0, 0, 1, 100, c.mss]),
  };
  if (chance(0.1)) more.urgent = pick([0, 1, 200]);
  if (chance(0.1)) more.window = 0;
  if (chance(0.08)) more.stamp = pick([0, c.clock - 10_000, c.clock + 1_000_000]);
  if (chance(0.05)) more.ip = { tos: pick([1, 2, 3]) };
  c.segment(flags, more);
  const taken = more.seq === c.sent && more.stamp === undefined && /^[^RS]*\.[^RS]*$/.test(flags);
  if (taken) c.sent += more.length + (flags.includes('F') ? 1 : 0);
}

/** Questions and answers, with little that goes wrong. */
export function mixed(c) {
  const { pick, weighted } = c.dice;
  const { mss } = c;
  const setOption = (name) => c.call('set', IPPROTO_TCP, name, pick([0, 1]));
  weighted([
    [22, () => c.data('P.', pick([1, 100, mss]))],
    [18, () => c.call('read', 65536, 0)],
    [18, () => c.write(pick([1, 100, mss, mss * 3]))],
    [17, () => c.ackAll()],
    [5, () => c.wait(pick([60, 300]))],
    [4, () => setOption(TCP_QUICKACK)],
    [3, () => setOption(TCP_CORK)],
    [2, () => setOption(TCP_NODELAY)],
    [3, () => c.segment('.')],
    [3, () => c.segment('.', { seq: c.sent - 1 })], // a keepalive probe
    [2, () => c.data('.', 10, { ip: { tos: pick([1, 2, 3]) } })],
    [3, () => c.call('ioctl', pick([SIOCINQ, SIOCOUTQ]))],
  ])();
}
