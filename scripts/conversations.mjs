#!/usr/bin/env node
// npm run -s conversations: random conversations between a peer and a socket, segment by segment, played to the running kernel and to
// the stack, and compared. See test/conversations/README.md. Needs root (or a user namespace), /dev/net/tun and python3.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Conversation } from '../test/conversations/conversation.mjs';
import { playToStack } from '../test/conversations/stack.mjs';

const FIELDS =
  'state ca_state retransmits probes backoff snd_mss rcv_mss unacked sacked lost retrans snd_ssthresh snd_cwnd reordering total_retrans bytes_acked bytes_received segs_out segs_in notsent_bytes data_segs_in data_segs_out delivered delivered_ce bytes_sent bytes_retrans dsack_dups reord_seen rcv_ooopack snd_wnd total_rto total_rto_recoveries'.split(
    ' ',
  );
/** How often the kernel must give the same answer before ours is called different. */
const KERNEL_TURNS = 3;
const TCP_CLOSE = 'state=7 ';
/** Of a kernel with 250 Hz. */
const TICK_MS = 4;

const { values, positionals } = parseArgs({
  options: { random: { type: 'string', default: '200' }, seed: { type: 'string' }, all: { type: 'boolean' } },
  allowPositionals: true,
});
const first = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const seeds =
  positionals.length > 0
    ? positionals.map(Number)
    : Array.from({ length: Number(values.random) }, (_, i) => first + i);
if (!seeds.every((seed) => Number.isInteger(seed) && seed >= 0)) {
  console.error('Usage: npm run -s conversations -- [--random COUNT] [--seed FIRST] [--all] [SEED...]');
  process.exit(2);
}

function playToKernel(conversations) {
  const kernel = fileURLToPath(new URL('../test/conversations/kernel.py', import.meta.url));
  const input = JSON.stringify({ fields: FIELDS, conversations });
  const result = spawnSync('unshare', ['-n', '-r', 'python3', kernel], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (result.status === 0) return JSON.parse(result.stdout);
  throw new Error(`the kernel's side failed: ${result.error?.message ?? result.stderr}`);
}

/** What TCP_INFO tells of a socket that is closed is left over from before, and compared no further. */
const comparable = (line) => (line.startsWith(TCP_CLOSE) ? TCP_CLOSE : line);
const sameTo = (a, b, end) => a.slice(0, end).every((line, i) => comparable(line) === comparable(b[i]));
const firstDifference = ({ kernel, stack }) =>
  kernel.findIndex((line, i) => comparable(line) !== comparable(stack[i]));

/**
 * The same segments, one of them in another step: a timer of the kernel's is up to two ticks later, ours at most a millisecond. What follows is not compared.
 */
function isMoved({ conversation, kernel, stack, at }) {
  let end = at + 1;
  for (let ms = 0; ms < 2 * TICK_MS && end < kernel.length; end++) ms += conversation.steps[end].ms;
  const segments = (lines) => lines.slice(at, end).flatMap((line) => line.split(' | ').slice(1));
  const answered = (lines) => lines[at].split(' | ')[0];
  return answered(kernel) === answered(stack) && segments(kernel).join() === segments(stack).join();
}

const conversations = seeds.map((seed) => new Conversation(seed));
let answers = [];
for (const [i, conversation] of conversations.entries()) {
  answers.push({ conversation, stack: await playToStack(conversation, FIELDS, i + 1) });
}
for (let turn = 0; turn < KERNEL_TURNS && answers.length > 0; turn++) {
  const played = playToKernel(answers.map(({ conversation }) => conversation));
  answers = answers.filter((answer, i) => {
    answer.kernel ??= played[i];
    answer.at = firstDifference(answer);
    if (values.all) return true;
    return answer.at >= 0 && !isMoved(answer) && sameTo(answer.kernel, played[i], answer.at + 1);
  });
}

function stepText({ segment, call, ms }) {
  if (call !== undefined) return call.join(' ');
  return segment === undefined ? `${ms} ms pass` : `< ${JSON.stringify(segment).replaceAll('"', '')}`;
}

/** Of TCP_INFO only what differs. */
function differing(line, other) {
  if (!line.includes('=')) return line;
  const words = other.split(' ');
  return line
    .split(' ')
    .filter((word, i) => word !== words[i])
    .join(' ');
}

for (const { conversation, kernel, stack, at } of answers) {
  const { seed, role, theme, options } = conversation;
  console.log(`seed ${seed}: ${theme}, ${role}, options ${JSON.stringify(options)}`);
  const end = values.all ? conversation.steps.length : at + 1;
  for (let i = 0; i < end; i++) {
    console.log(`  ${stepText(conversation.steps[i])}`);
    if (comparable(kernel[i]) === comparable(stack[i])) {
      if (kernel[i] !== '') console.log(`      ${kernel[i]}`);
    } else console.log(`    - ${differing(kernel[i], stack[i])}\n    + ${differing(stack[i], kernel[i])}`);
  }
}
const different = answers.filter(({ at }) => at >= 0).length;
console.log(
  `${seeds.length} conversations from seed ${seeds[0]}, ${different} different (- kernel, + stack).`,
);
process.exit(different === 0 ? 0 : 1);
