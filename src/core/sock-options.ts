// The options that a sock is given once, if at all. A sock reads them as its own; they stand in a record that a listener shares
// with its children, and all that never set one share, until one of them sets something else (copy on write).

import { AF_INET, IP_PMTUDISC_WANT } from '../uapi/socket.js';
import { FlagWord } from './flag-word.js';

/** What OptionedSock's accessors tell of. */
export class SockOptions {
  family = AF_INET;
  reuse = false;
  reusePort = false;
  uid = 0;
  boundDevice = 0;
  keepOpen = false;
  oobInline = false;
  broadcast = false;
  lingerOn = false;
  lingerMs = 0;
  rcvlowat = 1;
  rcvTimeoMs = 0;
  sndTimeoMs = 0;
  priority = 0;
  mark = 0;
  tos = 0;
  ttl = 0;
  mtuDiscover: number = IP_PMTUDISC_WANT;
  maxPacingRate = -1;

  /** The same but for what `name` is. */
  with<K extends keyof SockOptions>(name: K, value: SockOptions[K]): SockOptions {
    const copy: SockOptions = Object.assign(new SockOptions(), this);
    copy[name] = value;
    return copy;
  }
}

const DEFAULTS = Object.freeze(new SockOptions());

/** A sock's side of it. */
export abstract class OptionedSock extends FlagWord {
  /** Never changed in place. */
  options: SockOptions = DEFAULTS;

  /** sk_family: AF_INET. */
  get family(): number {
    return this.options.family;
  }

  /** sk_reuse: SO_REUSEADDR. */
  get reuse(): boolean {
    return this.options.reuse;
  }

  set reuse(value: boolean) {
    if (value !== this.options.reuse) this.options = this.options.with('reuse', value);
  }

  /** sk_reuseport: SO_REUSEPORT. */
  get reusePort(): boolean {
    return this.options.reusePort;
  }

  set reusePort(value: boolean) {
    if (value !== this.options.reusePort) this.options = this.options.with('reusePort', value);
  }

  /** sk_uid: of its owner. SO_REUSEPORT groups are per user. */
  get uid(): number {
    return this.options.uid;
  }

  set uid(value: number) {
    if (value !== this.options.uid) this.options = this.options.with('uid', value);
  }

  /** sk_bound_dev_if: index of the interface of SO_BINDTODEVICE; 0: any. */
  get boundDevice(): number {
    return this.options.boundDevice;
  }

  set boundDevice(value: number) {
    if (value !== this.options.boundDevice) this.options = this.options.with('boundDevice', value);
  }

  /** SOCK_KEEPOPEN: SO_KEEPALIVE. */
  get keepOpen(): boolean {
    return this.options.keepOpen;
  }

  set keepOpen(value: boolean) {
    if (value !== this.options.keepOpen) this.options = this.options.with('keepOpen', value);
  }

  /** SOCK_URGINLINE: SO_OOBINLINE. */
  get oobInline(): boolean {
    return this.options.oobInline;
  }

  set oobInline(value: boolean) {
    if (value !== this.options.oobInline) this.options = this.options.with('oobInline', value);
  }

  /** SOCK_BROADCAST: SO_BROADCAST. */
  get broadcast(): boolean {
    return this.options.broadcast;
  }

  set broadcast(value: boolean) {
    if (value !== this.options.broadcast) this.options = this.options.with('broadcast', value);
  }

  /** SOCK_LINGER: SO_LINGER is on. */
  get lingerOn(): boolean {
    return this.options.lingerOn;
  }

  set lingerOn(value: boolean) {
    if (value !== this.options.lingerOn) this.options = this.options.with('lingerOn', value);
  }

  /** sk_lingertime: for so long; milliseconds. */
  get lingerMs(): number {
    return this.options.lingerMs;
  }

  set lingerMs(value: number) {
    if (value !== this.options.lingerMs) this.options = this.options.with('lingerMs', value);
  }

  /** sk_rcvlowat: bytes below which nobody is told (SO_RCVLOWAT). */
  get rcvlowat(): number {
    return this.options.rcvlowat;
  }

  set rcvlowat(value: number) {
    if (value !== this.options.rcvlowat) this.options = this.options.with('rcvlowat', value);
  }

  /** sk_rcvtimeo: SO_RCVTIMEO, milliseconds; 0: for ever, -1: not at all. */
  get rcvTimeoMs(): number {
    return this.options.rcvTimeoMs;
  }

  set rcvTimeoMs(value: number) {
    if (value !== this.options.rcvTimeoMs) this.options = this.options.with('rcvTimeoMs', value);
  }

  /** sk_sndtimeo: SO_SNDTIMEO, likewise. */
  get sndTimeoMs(): number {
    return this.options.sndTimeoMs;
  }

  set sndTimeoMs(value: number) {
    if (value !== this.options.sndTimeoMs) this.options = this.options.with('sndTimeoMs', value);
  }

  /** sk_priority: SO_PRIORITY. Kept for whoever asks; nothing goes by it. */
  get priority(): number {
    return this.options.priority;
  }

  set priority(value: number) {
    if (value !== this.options.priority) this.options = this.options.with('priority', value);
  }

  /** sk_mark: SO_MARK. Kept likewise. */
  get mark(): number {
    return this.options.mark;
  }

  set mark(value: number) {
    if (value !== this.options.mark) this.options = this.options.with('mark', value);
  }

  /** inet_sk.tos: the type of service of what it sends (IP_TOS). */
  get tos(): number {
    return this.options.tos;
  }

  set tos(value: number) {
    if (value !== this.options.tos) this.options = this.options.with('tos', value);
  }

  /** inet_sk.uc_ttl: the TTL of what it sends (IP_TTL); 0: the route's. */
  get ttl(): number {
    return this.options.ttl;
  }

  set ttl(value: number) {
    if (value !== this.options.ttl) this.options = this.options.with('ttl', value);
  }

  /** inet_sk.pmtudisc: IP_MTU_DISCOVER, one of IP_PMTUDISC_*. */
  get mtuDiscover(): number {
    return this.options.mtuDiscover;
  }

  set mtuDiscover(value: number) {
    if (value !== this.options.mtuDiscover) this.options = this.options.with('mtuDiscover', value);
  }

  /** sk_max_pacing_rate: SO_MAX_PACING_RATE, bytes per second; -1: unlimited. */
  get maxPacingRate(): number {
    return this.options.maxPacingRate;
  }

  set maxPacingRate(value: number) {
    if (value !== this.options.maxPacingRate) this.options = this.options.with('maxPacingRate', value);
  }
}
