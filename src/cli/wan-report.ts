// What `tapstack wan` says: what it has made and how to try it; and at the end, what became of the frames.

import type { TapLink } from '../index.js';
import type { Loss } from '../lab/loss.js';
import type { PipeCounters } from '../lab/pipe.js';
import type { PipeOptions } from '../lab/pipe-options.js';
import { formatCidr } from '../net/cidr.js';
import type { WanEndOptions, WanOptions } from './wan-options.js';

export function readyLine({ a, b }: WanOptions): string {
  return `tapstack wan: A (${a.address.address} in ${a.netns}) and B (${b.address.address} in ${b.netns}) are joined\n`;
}

export function wanBanner(
  options: WanOptions,
  taps: { a: TapLink; b: TapLink },
  captures: readonly string[],
): string {
  const { a, b, faults } = options;
  const ab = describeFaults(faults.ab);
  const ba = describeFaults(faults.ba);
  return [
    readyLine(options).trimEnd(),
    `  A: ${describeEnd(a, taps.a)}`,
    `  B: ${describeEnd(b, taps.b)}`,
    ...(ab === ba ? [`  each way: ${ab}`] : [`  A to B: ${ab}`, `  B to A: ${ba}`]),
    `  seed ${options.seed}${options.duration === undefined ? '' : `; ends by itself after ${options.duration} s`}`,
    ...(captures.length === 0 ? [] : [`  every frame is recorded to ${captures.join(' and ')}`]),
    '',
    'Try it from another terminal:',
    `  ip netns exec ${a.netns} ping -c 5 ${b.address.address}`,
    `  ip netns exec ${b.netns} iperf3 -s -1 & sleep 1; ip netns exec ${a.netns} iperf3 -c ${b.address.address}`,
    `  ip netns exec ${b.netns} nc -l -p 5001 > /dev/null & sleep 1; head -c 10M /dev/urandom | ip netns exec ${a.netns} nc -N ${b.address.address} 5001`,
    '',
    'Ctrl-C stops it and removes what it made.',
    '',
  ].join('\n');
}

function describeEnd({ address, netns }: WanEndOptions, { info }: TapLink): string {
  const made = info.netnsCreated ? ' (made for this)' : '';
  const device = `${info.created ? '' : 'existing '}TAP device ${info.name}`;
  return `${formatCidr(address)} on ${device}, MTU ${info.mtu}, in the network namespace ${netns}${made}`;
}

/** `20 ms delay, 1 % lost, 10 Mbit/s with a queue of 1000 frames (tail)` */
export function describeFaults(options: PipeOptions): string {
  const {
    delayUs = 0,
    jitterUs = 0,
    loss = 0,
    duplicate = 0,
    reorder = 0,
    reorderUs = 0,
    corrupt = 0,
  } = options;
  const { bandwidth, queue } = options;
  const parts = [
    delayUs === 0 ? '' : `${delayUs / 1000} ms delay`,
    jitterUs === 0 ? '' : `up to ${jitterUs / 1000} ms jitter`,
    describeLoss(loss),
    duplicate === 0 ? '' : `${percentage(duplicate)} twice`,
    reorder === 0 ? '' : `${percentage(reorder)} held back by ${reorderUs / 1000} ms`,
    corrupt === 0 ? '' : `${percentage(corrupt)} corrupted`,
    bandwidth === undefined
      ? ''
      : `${bandwidth / 1e6} Mbit/s with a queue of ${queue?.frames} frames (${queue?.discipline})`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'no faults' : parts.join(', ');
}

function describeLoss(loss: Loss): string {
  if (typeof loss === 'number') return loss === 0 ? '' : `${percentage(loss)} lost`;
  if ('frames' in loss) return `frames ${loss.frames.join(', ')} lost`;
  const { toBad, toGood, inBad = 1, inGood = 0 } = loss;
  return (
    `bursts (${percentage(toBad)} to bad, ${percentage(toGood)} to good; ` +
    `${percentage(inBad)} lost in bad, ${percentage(inGood)} in good)`
  );
}

/** Chances are binary fractions of what was typed: 0.07 % must not read 0.07000000000000001 %. */
function percentage(chance: number): string {
  return `${Number((chance * 100).toPrecision(12))} %`;
}

/** @param untaken Frames that came out of the pipe, and that the device did not take. */
export function countersLine(way: string, counters: PipeCounters, untaken: number): string {
  const { sent, delivered, lost, queueDropped, duplicated, reordered, corrupted } = counters;
  const flying = sent + duplicated - delivered - lost - queueDropped;
  const parts = [
    `${sent} sent`,
    `${delivered - untaken} passed`,
    `${lost} lost`,
    `${duplicated} duplicated`,
    `${reordered} reordered`,
    `${corrupted} corrupted`,
    `${queueDropped} dropped by the queue`,
    `${untaken} not taken by the device`,
    ...(flying > 0 ? [`${flying} on the way`] : []),
  ];
  return `${way}: ${parts.join(', ')}\n`;
}
