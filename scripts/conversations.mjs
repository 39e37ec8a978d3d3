#!/usr/bin/env node
// npm run -s conversations: random conversations between a peer and a socket, segment by segment, played to the running kernel and to
// the stack, and compared. See test/conversations/README.md. Needs root (or a user namespace), /dev/net/tun and python3.

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Conversation } from '../test/conversations/conversation.mjs';
import { knownAs } from '../test/conversations/known.mjs';
import { isMoved } from '../test/conversations/moved.mjs';
import { playToStack } from '../test/conversations/stack.mjs';

const FIELDS =
  'state ca_state retransmits probes backoff snd_mss rcv_mss unacked sacked lost retrans snd_ssthresh snd_cwnd reordering total_retrans bytes_acked bytes_received segs_out segs_in notsent_bytes data_segs_in data_segs_out delivered delivered_ce bytes_sent bytes_retrans dsack_dups reord_seen rcv_ooopack snd_wnd total_rto total_rto_recoveries'.split(
    ' ',
  );
/** How often the kernel must give the same answer before ours is called different, and with how many others meanwhile. */
const KERNEL_TURNS = [40, 20, 5];
/** Conversations, each with a device of its own, that one process plays. */
const ROOMS = 250;
/** How late timers are on our side, and by which jitter steps: the kernel's are, too, by some. Most that differ do so by no more. */
const LATE_MS = [0, 4, 8, 16];
const VARIED = [0, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64].flatMap((ms) =>
  [0, 1, 2, 3].map((jitter) => [ms, jitter]),
);
const TCP_CLOSE = 'state=7 ';

const { values, positionals } = parseArgs({
  options: {
    random: { type: 'string', default: '200' },
    seed: { type: 'string' },
    theme: { type: 'string' },
    all: { type: 'boolean' },
  },
  allowPositionals: true,
});
const first = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const seeds =
  positionals.length > 0
    ? positionals.map(Number)
    : Array.from({ length: Number(values.random) }, (_, i) => first + i);
if (!seeds.every((seed) => Number.isInteger(seed) && seed >= 0)) {
  console.error(
    'Usage: npm run -s conversations -- [--random COUNT] [--seed FIRST] [--theme NAME] [--all] [SEED...]',
  );
  process.exit(2);
}

/** What the kernel answers. Its side ends slowly (closing a device takes 20 ms), after its answer. */
async function playToKernel(conversations, atOnce) {
  const kernel = fileURLToPath(new URL('../test/conversations/kernel.py', import.meta.url));
  const child = spawn('unshare', ['-n', '-r', 'python3', kernel], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify({ fields: FIELDS, atOnce, conversations }));
  const answer = await text(child.stdout);
  if (answer === '') throw new Error("the kernel's side failed");
  return JSON.parse(answer);
}

/** Counters of what does not happen here (docs/differences.md), or by a tick more or less (DelayedACKs), and what a group has besides counters. */
const UNCOUNTED = new Set(
  'Ip.DefaultTTL Ip.Forwarding Ip.OutTransmits IpExt.InOctets IpExt.OutOctets Tcp.RtoAlgorithm Tcp.RtoMax Tcp.RtoMin TcpExt.TCPHPHits TcpExt.TCPPureAcks TcpExt.TCPHPAcks TcpExt.TCPRcvCollapsed TcpExt.TCPBacklogCoalesce TcpExt.TCPAbortFailed TcpExt.TCPSackShifted TcpExt.TCPSackMerged TcpExt.TCPSackShiftFallback TcpExt.TCPRcvCoalesce TcpExt.TCPOFOMerge TcpExt.TCPSpuriousRtxHostQueues TcpExt.DelayedACKs TcpExt.TcpTimeoutRehash TcpExt.TcpDuplicateDataRehash'.split(
    ' ',
  ),
);
const counted = (line) =>
  line
    .replace(/\b[A-Z]\w+\.\w+=\d+ ?/g, (each) =>
      UNCOUNTED.has(each.split('=')[0]) || each.startsWith('IcmpMsg.') ? '' : each,
    )
    .trimEnd();

/** What TCP_INFO tells of a socket that is closed is left over from before, and compared no further. */
const comparable = (line) => (line.startsWith(TCP_CLOSE) ? TCP_CLOSE : counted(line));
const sameTo = (a, b, end) => a.slice(0, end).every((line, i) => comparable(line) === comparable(b[i]));
const firstDifference = ({ kernel, stack }) =>
  kernel.findIndex((line, i) => comparable(line) !== comparable(stack[i]));

/** Keeps, of what the stack says at different times, what the kernel agrees with for longest. True: with all of it. */
function compare(answer, stack) {
  const at = firstDifference({ kernel: answer.kernel, stack });
  if (answer.at === undefined || at < 0 || at > answer.at) Object.assign(answer, { stack, at, alike: [] });
  if (at === answer.at) answer.alike.push(stack);
  return at < 0;
}

/** True: the stack does not answer as the kernel, at no time. */
async function differs(answer) {
  for (const stack of answer.stacks) if (compare(answer, stack)) return false;
  for (const [ms, jitter] of answer.varied ? [] : VARIED) {
    if (compare(answer, await playToStack(answer.conversation, FIELDS, answer.seed, ms * 1000, jitter)))
      return false;
  }
  answer.varied = true;
  return !answer.alike.some((stack) => isMoved({ ...answer, stack }));
}

const conversations = seeds.map((seed) => new Conversation(seed, values.theme));
let answers = [];
for (const [i, conversation] of conversations.entries()) {
  const stacks = [];
  for (const ms of LATE_MS) stacks.push(await playToStack(conversation, FIELDS, i + 1, ms * 1000));
  answers.push({ conversation, stacks, seed: i + 1 });
}
for (let turn = 0; turn < KERNEL_TURNS.length && answers.length > 0; turn++) {
  const left = [];
  for (let i = 0; i < answers.length; i += ROOMS) {
    const some = answers.slice(i, i + ROOMS);
    const played = await playToKernel(
      some.map(({ conversation }) => conversation),
      KERNEL_TURNS[turn],
    );
    for (const [j, answer] of some.entries()) {
      answer.kernel ??= played[j];
      const different = await differs(answer);
      if (values.all || (different && sameTo(answer.kernel, played[j], answer.at + 1))) left.push(answer);
    }
  }
  answers = left;
}

function stepText({ segment, icmp, arp, call, ms, peer, on }) {
  const who = peer || on ? `${peer ?? on}: ` : '';
  if (call !== undefined) return who + call.join(' ');
  const said = segment ?? icmp ?? arp;
  return said === undefined ? `${ms} ms pass` : `${who}< ${JSON.stringify(said).replaceAll('"', '')}`;
}

/** Of TCP_INFO and counters only what differs. */
function differing(line, other) {
  if (!line.includes('=')) return line;
  const words = new Set(other.split(' '));
  return line
    .split(' ')
    .filter((word) => !words.has(word))
    .join(' ');
}

const isKnown = ({ conversation, kernel, alike, at }) =>
  alike.some((stack) => knownAs(conversation, at, counted(kernel[at]), counted(stack[at])) !== undefined);
const known = values.all ? [] : answers.filter(isKnown);
answers = answers.filter((answer) => !known.includes(answer));
for (const { conversation, kernel, stack, at } of answers) {
  const { seed, role, theme, options, sysctl } = conversation;
  const settings = JSON.stringify({ options, ...sysctl }).replaceAll('"', '');
  console.log(`seed ${seed}: ${theme}, ${role} ${settings}`);
  const end = values.all ? conversation.steps.length : at + 1;
  for (let i = 0; i < end; i++) {
    console.log(`  ${stepText(conversation.steps[i])}`);
    if (comparable(kernel[i]) === comparable(stack[i])) {
      if (kernel[i] !== '') console.log(`      ${kernel[i]}`);
    } else
      console.log(
        `    - ${differing(counted(kernel[i]), counted(stack[i]))}\n    + ${differing(counted(stack[i]), counted(kernel[i]))}`,
      );
  }
}
const different = answers.filter(({ at }) => at >= 0).length;
console.log(
  `${seeds.length} conversations from seed ${seeds[0]}, ${different} different (- kernel, + stack), ${known.length} more as docs/differences.md says.`,
);
process.exit(different === 0 ? 0 : 1);
