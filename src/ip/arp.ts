// ARP (RFC 826, net/ipv4/arp.c): asks for the Ethernet address of a neighbour, answers for our own addresses only, and
// learns from what it hears by arp_process's rules.

import type { Host } from '../core/host.js';
import { Arp as ArpMib, LinkMib } from '../core/mib.js';
import { dropped } from '../core/trace.js';
import {
  ARP_HARDWARE,
  ARP_HARDWARE_LENGTH,
  ARP_LENGTH,
  ARP_OPERATION,
  ARP_PROTOCOL,
  ARP_PROTOCOL_LENGTH,
  ARP_SENDER_IP,
  ARP_SENDER_MAC,
  ARP_TARGET_IP,
  ARP_TARGET_MAC,
  ARPHRD_ETHER,
  ARPHRD_IEEE802,
  ARPOP_REPLY,
  ARPOP_REQUEST,
} from '../packet/arp.js';
import {
  ETH_DST,
  ETH_HLEN,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_SRC,
  ETH_TYPE,
  macHigh,
  macIsGroup,
  macLow,
  writeMac,
} from '../packet/ethernet.js';
import type { NetDevice } from './device.js';
import { NUD_REACHABLE, NUD_STALE } from './neighbour.js';
import type { RoutingTable } from './routes.js';

export class Arp {
  readonly host: Host;
  readonly #routes: RoutingTable;

  constructor(host: Host, routes: RoutingTable) {
    this.host = host;
    this.#routes = routes;
  }

  /** Asks who has `target`: everybody (the broadcast address), or one station that is believed to. */
  request(device: NetDevice, target: number, high: number, low: number): void {
    if (this.#send(device, ARPOP_REQUEST, high, low, device.address.a, 0, 0, target)) {
      this.host.mib.count(ArpMib.OutRequests);
    }
  }

  /** An ARP frame for us or for everybody; `frame` is its Ethernet header. */
  receive(device: NetDevice, frame: number, length: number): void {
    const view = this.host.memory.view;
    const mib = this.host.mib;
    const arp = (frame + ETH_HLEN) | 0;
    if (length < ETH_HLEN + ARP_LENGTH || !understood(view, arp) || device.neighbours === null) {
      mib.count(ArpMib.InErrors);
      return;
    }
    const isRequest = view.getUint16(arp + ARP_OPERATION) === ARPOP_REQUEST;
    mib.count(isRequest ? ArpMib.InRequests : ArpMib.InReplies);
    const high = macHigh(view, arp + ARP_SENDER_MAC);
    const low = macLow(view, arp + ARP_SENDER_MAC);
    const sender = view.getInt32(arp + ARP_SENDER_IP);
    const target = view.getInt32(arp + ARP_TARGET_IP);
    // Nobody's address is a group, loopback is not on the wire (arp_process); a group address is no station either.
    if (target >>> 28 === 14 || target >>> 24 === 127 || macIsGroup(high)) {
      mib.count(ArpMib.InErrors);
      return;
    }
    const forUs = isRequest && this.#routes.isLocal(target);
    if (sender === 0) {
      // Duplicate address detection (RFC 5227): defend our address, learn nothing.
      if (forUs)
        this.#reply(
          device,
          target,
          high,
          low,
          0,
          macHigh(view, frame + ETH_SRC),
          macLow(view, frame + ETH_SRC),
        );
      return;
    }
    if (!this.#believable(sender)) {
      mib.count(ArpMib.InErrors);
      return;
    }
    if (forUs) {
      // neigh_event_ns: who asks us will be sent to next. Stations of other subnets are answered, but never sent to.
      if (this.#onLink(device, sender) && this.#routes.broadcastDevice(sender) === null)
        device.neighbours.lookupOrCreate(sender)?.update(high, low, NUD_STALE, true);
      this.#reply(device, target, high, low, sender, high, low);
      return;
    }
    const known = device.neighbours.lookup(sender);
    if (known === null) return;
    // In an answer both hardware addresses are the sender's, too (arp_is_garp).
    const gratuitous =
      sender === target &&
      (isRequest ||
        (macHigh(view, arp + ARP_TARGET_MAC) === high && macLow(view, arp + ARP_TARGET_MAC) === low));
    const toUs = !isRequest && !macIsGroup(macHigh(view, frame + ETH_DST));
    known.update(high, low, toUs ? NUD_REACHABLE : NUD_STALE, !known.locked || gratuitous);
  }

  /** A station's address: neither ours nor loopback or multicast. A subnet's broadcast address passes (fib_validate_source). */
  #believable(sender: number): boolean {
    return sender >>> 28 < 14 && !this.#routes.isLocal(sender);
  }

  #onLink(device: NetDevice, sender: number): boolean {
    return (sender & device.mask) === device.network;
  }

  /** Tells the station `high`, `low`, whose address is `theirs`, that `ours` is here; the frame goes to `toHigh`, `toLow`. */
  #reply(
    device: NetDevice,
    ours: number,
    high: number,
    low: number,
    theirs: number,
    toHigh: number,
    toLow: number,
  ): void {
    if (this.#send(device, ARPOP_REPLY, toHigh, toLow, ours, high, low, theirs))
      this.host.mib.count(ArpMib.OutReplies);
  }

  #send(
    device: NetDevice,
    operation: number,
    toHigh: number,
    toLow: number,
    senderIp: number,
    targetHigh: number,
    targetLow: number,
    targetIp: number,
  ): boolean {
    const frame = device.tx.claim();
    if (frame < 0) {
      dropped(this.host, 'FULL_RING');
      this.host.mib.count(LinkMib.TxDropped);
      return false;
    }
    const view = this.host.memory.view;
    writeMac(view, frame + ETH_DST, toHigh, toLow);
    writeMac(view, frame + ETH_SRC, device.macHigh, device.macLow);
    view.setUint16(frame + ETH_TYPE, ETH_P_ARP);
    const arp = (frame + ETH_HLEN) | 0;
    view.setUint16(arp + ARP_HARDWARE, ARPHRD_ETHER);
    view.setUint16(arp + ARP_PROTOCOL, ETH_P_IP);
    view.setUint8(arp + ARP_HARDWARE_LENGTH, 6);
    view.setUint8(arp + ARP_PROTOCOL_LENGTH, 4);
    view.setUint16(arp + ARP_OPERATION, operation);
    writeMac(view, arp + ARP_SENDER_MAC, device.macHigh, device.macLow);
    view.setInt32(arp + ARP_SENDER_IP, senderIp);
    writeMac(view, arp + ARP_TARGET_MAC, targetHigh, targetLow);
    view.setInt32(arp + ARP_TARGET_IP, targetIp);
    this.host.mib.count(LinkMib.TxFrames);
    this.host.mib.add(LinkMib.TxBytes, ETH_HLEN + ARP_LENGTH);
    device.tx.commit(frame, ETH_HLEN + ARP_LENGTH, 0, 0, 0, 0);
    return true;
  }
}

/** Of IPv4 over Ethernet, and a question or an answer (arp_rcv, arp_process). */
function understood(view: DataView, arp: number): boolean {
  const hardware = view.getUint16(arp + ARP_HARDWARE);
  const operation = view.getUint16(arp + ARP_OPERATION);
  return (
    (hardware === ARPHRD_ETHER || hardware === ARPHRD_IEEE802) &&
    view.getUint16(arp + ARP_PROTOCOL) === ETH_P_IP &&
    view.getUint8(arp + ARP_HARDWARE_LENGTH) === 6 &&
    view.getUint8(arp + ARP_PROTOCOL_LENGTH) === 4 &&
    (operation === ARPOP_REQUEST || operation === ARPOP_REPLY)
  );
}
