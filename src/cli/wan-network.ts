// Opens what `tapstack wan` stands on: two TAP devices, a capture around each if wanted, and between them the two pipes.

import { join, parse } from 'node:path';
import { capture, TapLink } from '../index.js';
import type { Pipe } from '../lab/pipe.js';
import type { Link } from '../link/link.js';
import { formatCidr } from '../net/cidr.js';
import { type Clock, RealClock } from '../time/clock.js';
import type { Lifetime } from './lifetime.js';
import { Refusal, refusalFor, refuse } from './refusal.js';
import { WanClock } from './wan-clock.js';
import type { WanEndOptions, WanOptions } from './wan-options.js';
import { type Directions, layPipes } from './wan-pipes.js';
import { WanPort } from './wan-port.js';

export interface WanNetwork {
  readonly taps: { a: TapLink; b: TapLink };
  readonly ports: { a: WanPort; b: WanPort };
  readonly pipes: Directions<Pipe>;
  /** Files that frames are recorded to. */
  readonly captures: readonly string[];
}

/** `lifetime` takes it all away again. Rejects with what `refusalFor` explains. */
export async function openWan(options: WanOptions, lifetime: Lifetime): Promise<WanNetwork> {
  const real = new RealClock();
  const taps = {
    a: await openEnd('a', options.a, options.mtu, lifetime),
    b: await openEnd('b', options.b, options.mtu, lifetime),
  };
  const files = options.pcap === undefined ? null : captureFiles(options.pcap);
  const links = {
    a: files === null ? taps.a : record(taps.a, files[0], real, lifetime),
    b: files === null ? taps.b : record(taps.b, files[1], real, lifetime),
  };
  const flush = (): void => {
    ports.a.flush();
    ports.b.flush();
  };
  const clock = new WanClock(real, flush, options.busyPoll);
  lifetime.onEnd(async () => clock.close());
  const hand = (port: WanPort, frames: readonly Uint8Array[]): void => {
    port.send(frames);
    clock.expectAnswer();
  };
  const pipes = layPipes(clock.clock, options.seed, options.faults, {
    ab: (frames) => hand(ports.b, frames),
    ba: (frames) => hand(ports.a, frames),
  });
  const into = (pipe: Pipe) => (frames: readonly Uint8Array[]) => {
    // What was due before these frames came comes out before they go in; what needs no time comes out at once.
    clock.catchUp();
    for (const frame of frames) pipe.send(frame);
    clock.catchUp();
  };
  const fail = (error: Error): void => void lifetime.fail(error);
  const ports = {
    a: new WanPort(links.a, into(pipes.ab), fail),
    b: new WanPort(links.b, into(pipes.ba), fail),
  };
  return { taps, ports, pipes, captures: files ?? [] };
}

/** Without offload, and nothing joined: a fault must meet the frames that a real network would carry, whole and with their checksums. */
async function openEnd(
  end: 'a' | 'b',
  options: WanEndOptions,
  mtu: number,
  lifetime: Lifetime,
): Promise<TapLink> {
  try {
    const tap = await TapLink.open({
      name: options.tap,
      netns: options.netns,
      hostAddress: formatCidr(options.address),
      mtu,
      offload: false,
      gro: false,
      // The clock of the lines in between does that, where it is asked for (wan-clock.ts).
      busyPoll: 0,
    });
    lifetime.onEnd(() => tap.close());
    return tap;
  } catch (error) {
    throw namingEnd(end, error);
  }
}

/** The table of refusals speaks to servers, which have one end; here the remedies name the end that is meant. */
function namingEnd(end: 'a' | 'b', error: unknown): unknown {
  const refusal = refusalFor(error);
  if (refusal === undefined) return error;
  const remedies = refusal.remedies.map((remedy) =>
    remedy.replace(/--(tap|netns|address) /, `--$1-${end} `).replace('help echo', 'help wan'),
  );
  return new Refusal(refusal.message, remedies, refusal.exitCode, error);
}

/** `run.pcapng`: `run-a.pcapng` for what A sends and gets, `run-b.pcapng` for B. */
function captureFiles(file: string): [string, string] {
  const { dir, name, ext } = parse(file);
  return [join(dir, `${name}-a${ext}`), join(dir, `${name}-b${ext}`)];
}

function record(tap: TapLink, file: string, clock: Clock, lifetime: Lifetime): Link {
  try {
    const link = capture(tap, file, clock);
    lifetime.onEnd(() => link.close().catch(refuse));
    return link;
  } catch (error) {
    return refuse(error);
  }
}
