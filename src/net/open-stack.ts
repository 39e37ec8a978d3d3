// The default stack, from its settings: a TAP device, a capture around it if one is wanted, and the stack on top. All of it at once,
// without a promise, because a program's first line may be `require`.

import { type CaptureLink, capture, Stack, type StackOptions, TapLink } from '../index.js';
import { recordSession } from '../replay/record-session.js';
import { leave } from './leave.js';
import { SettingsError, type StackSettings } from './settings.js';

/** Descriptors: more connections than fit through one port of one peer. */
const NOFILE = 1 << 20;

export interface OpenStack {
  readonly stack: Stack;
  readonly tap: TapLink | undefined;
  /** Ends everything at once, as an operating system does at the end of a process. Idempotent. */
  leave(): void;
}

/**
 * Opens what `settings` say. @throws what `TapLink.open` and `Stack` reject with; nothing is left behind then.
 * @param onLinkDown told when the device is gone
 */
export function openStack(settings: StackSettings, onLinkDown: (error: Error) => void): OpenStack {
  const { tap: wanted, sysctl } = settings;
  let over = false;
  const options = {
    sysctl,
    nofile: NOFILE,
    onLinkDown: (_name: string, error: Error): void => {
      over = true;
      onLinkDown(error);
    },
  };
  if (wanted === undefined) {
    const stack = understood(() => make(settings, options));
    return { stack, tap: undefined, leave: () => {} };
  }
  const { name, mtu, hostAddress, offload, busyPoll, napi, netns, address, gateway, pcap } = wanted;
  const tap = TapLink.openSync({
    name,
    mtu,
    hostAddress,
    offload,
    busyPoll,
    napi,
    ...(netns === undefined ? {} : { netns }),
  });
  try {
    const link = pcap === undefined ? tap : understood(() => captured(tap, pcap));
    const way = gateway === undefined ? {} : { gateway };
    const stack = understood(() => make(settings, { ...options, link, address, ...way }));
    // The device alone keeps no process: that is for sockets to decide.
    tap.unref();
    return {
      stack,
      tap,
      leave: () => {
        if (!over) leave(stack, tap, link);
        over = true;
      },
    };
  } catch (error) {
    void tap.close();
    throw error;
  }
}

function captured(tap: TapLink, pcap: string): CaptureLink {
  const link = capture(tap, pcap);
  link.writer.onError = say;
  return link;
}

function make({ record, recordLimit }: StackSettings, options: StackOptions): Stack {
  if (record === undefined) return new Stack(options);
  return recordSession(options, record, { limit: recordLimit, onEnd: say });
}

/** A recording has ended and the program goes on. At once, not as a warning: the process may be at its end, where those are lost. */
function say({ message }: Error): void {
  process.stderr.write(`tapstack: ${message}\n`);
}

/** What these throw is about what they were given. */
function understood<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    const message = `The stack cannot be set up: ${(error as Error).message}`;
    throw new SettingsError(/[.!?]$/.test(message) ? message : `${message}.`, { cause: error });
  }
}
