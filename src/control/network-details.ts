// Interfaces and routes of a stack, as `ip link`, `ip neigh` and `ip route` would tell them.

import type { NetDevice } from '../ip/device.js';
import {
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  NUD_VALID,
} from '../ip/neighbour.js';
import { DEFAULT_METRICS } from '../ip/route-metrics.js';
import { LINK_F_CSUM, LINK_F_ECN, LINK_F_TSO4 } from '../link/link.js';
import { IpAddress } from '../packet/address.js';
import type { Stack } from '../stack.js';
import { AF_INET } from '../uapi/socket.js';
import type { InterfaceDetail, RouteDetail } from './protocol.js';

const NUD_NAMES = [
  [NUD_INCOMPLETE, 'INCOMPLETE'],
  [NUD_REACHABLE, 'REACHABLE'],
  [NUD_STALE, 'STALE'],
  [NUD_DELAY, 'DELAY'],
  [NUD_PROBE, 'PROBE'],
  [NUD_FAILED, 'FAILED'],
  [NUD_PERMANENT, 'PERMANENT'],
] as const;

const OFFLOADS = [
  [LINK_F_CSUM, 'csum'],
  [LINK_F_TSO4, 'tso4'],
  [LINK_F_ECN, 'ecn'],
] as const;

export function interfaceDetails(stack: Stack): InterfaceDetail[] {
  return stack.ip.routes.devices.map((device) => ({
    index: device.index,
    name: device.name,
    mtu: device.link.mtu,
    mac: macText(device.link.mac),
    address: device.address.toString(),
    prefix: device.prefix,
    up: device.up,
    loopback: device.loopback,
    offloads: OFFLOADS.filter(([bit]) => (device.features & bit) !== 0).map(([, name]) => name),
    txQueued: device.tx.pending,
    txSlots: device.tx.slots,
    stats: device.link.stats?.() ?? null,
    neighbours: neighbours(device),
  }));
}

function neighbours(device: NetDevice): InterfaceDetail['neighbours'] {
  return [...(device.neighbours?.entries() ?? [])].map((neighbour) => ({
    address: new IpAddress(AF_INET, neighbour.address).toString(),
    mac: (neighbour.state & NUD_VALID) === 0 ? null : macText(macBytes(neighbour.macHigh, neighbour.macLow)),
    state: NUD_NAMES.find(([state]) => state === neighbour.state)?.[1] ?? 'NONE',
  }));
}

export function routeDetails(stack: Stack): RouteDetail[] {
  return stack.ip.routes.lines.map(({ network, mask, device, gateway, metrics }) => ({
    destination: mask === 0 ? 'default' : `${new IpAddress(AF_INET, network)}/${Math.clz32(~mask)}`,
    gateway: gateway?.toString() ?? null,
    interface: device.name,
    source: device.address.toString(),
    metrics: Object.fromEntries(
      Object.entries(metrics).filter(
        ([name, value]) => value !== (DEFAULT_METRICS as unknown as Record<string, unknown>)[name],
      ),
    ),
  }));
}

function macBytes(high: number, low: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(6));
  view.setUint16(0, high);
  view.setInt32(2, low);
  return new Uint8Array(view.buffer);
}

function macText(mac: Uint8Array): string {
  return [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
