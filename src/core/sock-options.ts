// The options that a sock is given once, if at all. A sock reads them as its own; they stand in a record that a listener shares
// with its children, and all that never set one share, until one of them sets something else (copy on write).

import { AF_INET, IP_PMTUDISC_WANT } from '../uapi/socket.js';
import { FlagWord } from './flag-word.js';

/** Times in milliseconds, sizes in bytes. */
export class SockOptions {
  /** SO_DOMAIN */
  family = AF_INET;
  reuse = false;
  reusePort = false;
  /** uid of the owner; SO_REUSEPORT groups are per user. */
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
  /** IP_MTU_DISCOVER: one of IP_PMTUDISC_*. */
  mtuDiscover: number = IP_PMTUDISC_WANT;
  /** SO_MAX_PACING_RATE in bytes per second; -1: unlimited. */
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

  get family(): number {
    return this.options.family;
  }

  get reuse(): boolean {
    return this.options.reuse;
  }

  set reuse(value: boolean) {
    if (value !== this.options.reuse) this.options = this.options.with('reuse', value);
  }

  get reusePort(): boolean {
    return this.options.reusePort;
  }

  set reusePort(value: boolean) {
    if (value !== this.options.reusePort) this.options = this.options.with('reusePort', value);
  }

  get uid(): number {
    return this.options.uid;
  }

  set uid(value: number) {
    if (value !== this.options.uid) this.options = this.options.with('uid', value);
  }

  get boundDevice(): number {
    return this.options.boundDevice;
  }

  set boundDevice(value: number) {
    if (value !== this.options.boundDevice) this.options = this.options.with('boundDevice', value);
  }

  get keepOpen(): boolean {
    return this.options.keepOpen;
  }

  set keepOpen(value: boolean) {
    if (value !== this.options.keepOpen) this.options = this.options.with('keepOpen', value);
  }

  get oobInline(): boolean {
    return this.options.oobInline;
  }

  set oobInline(value: boolean) {
    if (value !== this.options.oobInline) this.options = this.options.with('oobInline', value);
  }

  get broadcast(): boolean {
    return this.options.broadcast;
  }

  set broadcast(value: boolean) {
    if (value !== this.options.broadcast) this.options = this.options.with('broadcast', value);
  }

  get lingerOn(): boolean {
    return this.options.lingerOn;
  }

  set lingerOn(value: boolean) {
    if (value !== this.options.lingerOn) this.options = this.options.with('lingerOn', value);
  }

  get lingerMs(): number {
    return this.options.lingerMs;
  }

  set lingerMs(value: number) {
    if (value !== this.options.lingerMs) this.options = this.options.with('lingerMs', value);
  }

  get rcvlowat(): number {
    return this.options.rcvlowat;
  }

  set rcvlowat(value: number) {
    if (value !== this.options.rcvlowat) this.options = this.options.with('rcvlowat', value);
  }

  get rcvTimeoMs(): number {
    return this.options.rcvTimeoMs;
  }

  set rcvTimeoMs(value: number) {
    if (value !== this.options.rcvTimeoMs) this.options = this.options.with('rcvTimeoMs', value);
  }

  get sndTimeoMs(): number {
    return this.options.sndTimeoMs;
  }

  set sndTimeoMs(value: number) {
    if (value !== this.options.sndTimeoMs) this.options = this.options.with('sndTimeoMs', value);
  }

  get priority(): number {
    return this.options.priority;
  }

  set priority(value: number) {
    if (value !== this.options.priority) this.options = this.options.with('priority', value);
  }

  get mark(): number {
    return this.options.mark;
  }

  set mark(value: number) {
    if (value !== this.options.mark) this.options = this.options.with('mark', value);
  }

  get tos(): number {
    return this.options.tos;
  }

  set tos(value: number) {
    if (value !== this.options.tos) this.options = this.options.with('tos', value);
  }

  get ttl(): number {
    return this.options.ttl;
  }

  set ttl(value: number) {
    if (value !== this.options.ttl) this.options = this.options.with('ttl', value);
  }

  get mtuDiscover(): number {
    return this.options.mtuDiscover;
  }

  set mtuDiscover(value: number) {
    if (value !== this.options.mtuDiscover) this.options = this.options.with('mtuDiscover', value);
  }

  get maxPacingRate(): number {
    return this.options.maxPacingRate;
  }

  set maxPacingRate(value: number) {
    if (value !== this.options.maxPacingRate) this.options = this.options.with('maxPacingRate', value);
  }
}
