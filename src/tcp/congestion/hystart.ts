// Where slow start ends before a loss does it: HyStart as Linux has it (ACK trains and rising delay; tcp_cubic.c), and HyStart++
// (RFC 9406), which slows down first and asks again. cubic.ts feeds it a round-trip time per ACK while in slow start.

import { TcpExt } from '../../core/mib.js';
import { after } from '../seq.js';
import type { TcpSock } from '../sock.js';

const TRAIN = 1;
const DELAY = 2;
const MIN_SAMPLES = 8;
const DELAY_MIN_US = 4000;
const DELAY_MAX_US = 16_000;
/** Bytes that may leave in one burst, times the four bursts that a train may lag behind (hystart_ack_delay). */
const LAG_BYTES = 4 * 65_536;
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;
const NONE = 0x7fffffff;

/** Rounds, their least delays, and what they led to. */
export class HyStart {
  /** Slow start's end has been found. */
  found = false;
  #roundStartUs = 0;
  #lastAckUs = 0;
  /** How many ACKs came at one time, and when. */
  #together = 0;
  #togetherUs = 0;
  #roundEnd = 0;
  #leastUs = NONE;
  #samples = 0;
  /** HyStart++: the least of the round before, and of the one that began conservative slow start; 0 rounds: not in it. */
  #lastLeastUs = NONE;
  #baselineUs = NONE;
  #cssRounds = 0;
  #cssAcked = 0;

  /** bictcp_hystart_reset: a round begins. */
  beginRound(sk: TcpSock): void {
    this.#roundStartUs = sk.host.nowUs;
    this.#lastAckUs = sk.host.nowUs;
    this.#roundEnd = sk.sndNxt;
    this.#lastLeastUs = this.#leastUs;
    this.#leastUs = NONE;
    this.#samples = 0;
  }

  /** hystart_update: an ACK came with round-trip time `delay`; `least` is the least ever; microseconds both. */
  update(sk: TcpSock, delay: number, least: number): void {
    const roundOver = after(sk.sndUna, this.#roundEnd);
    if (roundOver) this.beginRound(sk);
    const { sysctl } = sk.host;
    if (sysctl.tcpCubicHystart === 2) {
      this.#plusPlus(sk, delay, roundOver);
      return;
    }
    if (sk.sndCwnd < sysctl.tcpCubicHystartLowWindow) return;
    if ((sysctl.tcpCubicHystartDetect & TRAIN) !== 0) this.#train(sk, least);
    if ((sysctl.tcpCubicHystartDetect & DELAY) !== 0) this.#delay(sk, delay, least);
  }

  /** ACKs that come close together for longer than half of the round trip: the pipe is full. */
  #train(sk: TcpSock, least: number): void {
    const { nowUs, sysctl } = sk.host;
    // What is received together came one by one while the program held up the loop, where Linux would have looked at each.
    this.#together = nowUs === this.#togetherUs ? this.#together + 1 : 1;
    this.#togetherUs = nowUs;
    if (((nowUs - this.#lastAckUs) | 0) > this.#together * sysctl.tcpCubicHystartAckDeltaUs) return;
    this.#lastAckUs = nowUs;
    const lag = sk.pacingRate > 0 ? Math.min(1000, (LAG_BYTES * 1e6) / sk.pacingRate) : 0;
    let threshold = least + lag;
    // What is paced may be half a round trip behind.
    if (!sk.pacingNeeded && sk.maxPacingRate < 0) threshold /= 2;
    if (((nowUs - this.#roundStartUs) | 0) <= threshold) return;
    this.#end(sk, TcpExt.TCPHystartTrainDetect, TcpExt.TCPHystartTrainCwnd);
  }

  #delay(sk: TcpSock, delay: number, least: number): void {
    if (delay < this.#leastUs) this.#leastUs = delay;
    if (this.#samples < MIN_SAMPLES) {
      this.#samples++;
      return;
    }
    if (this.#leastUs <= least + threshold(least)) return;
    this.#end(sk, TcpExt.TCPHystartDelayDetect, TcpExt.TCPHystartDelayCwnd);
  }

  #end(sk: TcpSock, detect: number, cwnd: number): void {
    this.found = true;
    sk.host.mib.count(detect);
    sk.host.mib.add(cwnd, sk.sndCwnd);
    sk.sndSsthresh = sk.sndCwnd;
  }

  /** RFC 9406 section 4.2. */
  #plusPlus(sk: TcpSock, delay: number, roundOver: boolean): void {
    if (roundOver && this.#cssRounds > 0 && ++this.#cssRounds > CSS_ROUNDS) {
      this.#end(sk, TcpExt.TCPHystartDelayDetect, TcpExt.TCPHystartDelayCwnd);
      return;
    }
    if (delay < this.#leastUs) this.#leastUs = delay;
    if (++this.#samples < MIN_SAMPLES) return;
    if (this.#cssRounds > 0) {
      // It was jitter: on with slow start.
      if (this.#leastUs < this.#baselineUs) this.#cssRounds = 0;
    } else if (
      this.#lastLeastUs !== NONE &&
      this.#leastUs >= this.#lastLeastUs + threshold(this.#lastLeastUs)
    ) {
      this.#baselineUs = this.#leastUs;
      this.#cssRounds = 1;
      this.#cssAcked = 0;
    }
  }

  /** How many of `acked` segments count for slow start: a quarter in its conservative phase (section 4.2). */
  counted(acked: number): number {
    if (this.#cssRounds === 0) return acked;
    this.#cssAcked += acked;
    const counted = Math.floor(this.#cssAcked / CSS_GROWTH_DIVISOR);
    this.#cssAcked -= counted * CSS_GROWTH_DIVISOR;
    return counted;
  }
}

/** An eighth of the round trip, between 4 and 16 ms. */
function threshold(rttUs: number): number {
  return Math.min(Math.max(rttUs / 8, DELAY_MIN_US), DELAY_MAX_US);
}
