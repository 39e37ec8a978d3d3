// What a server says when it is ready: what it made, and lines to paste into another terminal.

import { formatCidr } from '../net/cidr.js';
import type { Network } from './network.js';
import type { ListenerOptions } from './options.js';

/** @param tries Commands for the host's side; each gets the prefix that takes it into the namespace, if there is one. */
export function banner(
  what: string,
  { tap }: Network,
  options: ListenerOptions & { edge?: boolean },
  tries: readonly string[],
): string {
  const { info } = tap;
  const mode = options.edge === undefined ? '' : options.edge ? ', edge-triggered' : ', level-triggered';
  const offload = info.vnetHdr ? 'checksums and segmentation left to the kernel' : 'plain frames, no offload';
  const made = [
    `${info.created ? '' : 'existing '}TAP device ${info.name}: MTU ${info.mtu}, ${offload}`,
    `host's end ${formatCidr(options.hostAddress)}${options.netns === undefined ? '' : `, in the network namespace ${options.netns}${info.netnsCreated ? ' (made for this)' : ''}`}`,
    ...(options.pcap === undefined ? [] : [`every frame is recorded to ${options.pcap}`]),
    ...(options.record === undefined ? [] : [`the session is recorded to ${options.record}`]),
  ];
  const prefix = options.netns === undefined ? '' : `ip netns exec ${options.netns} `;
  return [
    `tapstack ${what}: listening on ${options.address.address} port ${options.port}${mode}`,
    ...made.map((line) => `  ${line}`),
    '',
    'Try it from another terminal:',
    ...tries.map((line) => `  ${prefix}${line}`),
    '',
    'Ctrl-C stops it and removes what it made.',
    '',
  ].join('\n');
}
