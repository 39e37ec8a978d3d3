// Makes what a server of the command stands on: a TAP device, a capture around it if one is wanted, and a stack on top.

import { serveControl } from '../control/index.js';
import { capture, Stack, type StackOptions, TapLink } from '../index.js';
import { formatCidr } from '../net/cidr.js';
import { recordSession } from '../replay/record-session.js';
import type { Lifetime } from './lifetime.js';
import type { ListenerOptions } from './options.js';
import { refuse } from './refusal.js';

/** Descriptors of the server: more connections than fit through one port of one peer. */
const NOFILE = 1 << 20;

export interface Network {
  readonly stack: Stack;
  readonly tap: TapLink;
}

/**
 * Opens everything, and makes it known to `tapstack ss` and its like as `name`; `lifetime` takes it away again. Rejects with what
 * `refusalFor` explains, and leaves nothing behind then.
 */
export async function openNetwork(
  name: string,
  options: ListenerOptions,
  lifetime: Lifetime,
): Promise<Network> {
  const tap = await TapLink.open({
    name: options.tap,
    mtu: options.mtu,
    hostAddress: formatCidr(options.hostAddress),
    offload: options.offload,
    busyPoll: options.busyPoll,
    napi: options.napi,
    ...(options.netns === undefined ? {} : { netns: options.netns }),
  });
  lifetime.onEnd(() => tap.close());
  const stack = make(options, {
    link: options.pcap === undefined ? tap : captured(tap, options.pcap),
    address: formatCidr(options.address),
    nofile: NOFILE,
    doctor: options.doctor,
    onLinkDown: (_name, error) => void lifetime.fail(error),
  });
  lifetime.onEnd(() => stack.close().catch(refuse));
  await makeKnown(stack, name, lifetime);
  return { stack, tap };
}

/** A server works without being seen, too: what keeps it from that is said, and no more. */
async function makeKnown(stack: Stack, name: string, lifetime: Lifetime): Promise<void> {
  try {
    const control = await serveControl(stack, { name });
    lifetime.onEnd(() => control.close());
  } catch (error) {
    const { message } = error as Error;
    process.stderr.write(`tapstack: tapstack ss and its like will not see this one: ${message}.\n`);
  }
}

/** The stack, recorded if one wants; a full journal is said, and the server goes on. */
function make({ record, recordLimit }: ListenerOptions, options: StackOptions): Stack {
  if (record === undefined) return new Stack(options);
  const onEnd = ({ message }: Error): void => void process.stderr.write(`tapstack: ${message}\n`);
  try {
    return recordSession(options, record, { limit: recordLimit * 2 ** 20, onEnd });
  } catch (error) {
    return refuse(error);
  }
}

function captured(tap: TapLink, file: string) {
  try {
    return capture(tap, file);
  } catch (error) {
    return refuse(error);
  }
}
