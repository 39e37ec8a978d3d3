// When the option of Accurate ECN goes with a segment of a connection, and with what (tcp_established_options): counters of bytes
// received by mark, after the timestamps and before SACK. How its fields lie is accecn-fields.ts's.

import { TCPOLEN_TSTAMP_ALIGNED } from '../constants.js';
import { sackBlocks, writeSack } from '../sack-option.js';
import type { TcpSock } from '../sock.js';
import type { AccEcn } from './accecn.js';
import {
  E0B_INIT,
  E1B_INIT,
  fitBlocks,
  fitFields,
  fitNone,
  fitOption,
  fitSize,
  nopsOrRest,
  writeFields,
} from './accecn-fields.js';

const MAX_OPTIONS = 40;
const SACK_BASE = 4;
const SACK_BLOCK = 8;
/** tcp_ecn_option that has it on every packet (TCP_ACCECN_OPTION_FULL). */
const OPTION_FULL = 2;

/** tcp_accecn_option_beacon_check */
function beaconDue(sk: TcpSock, state: AccEcn): boolean {
  const { tcpEcnOptionBeacon: beacon } = sk.host.sysctl;
  if (beacon === 0) return false;
  return state.optUs === 0 || ((sk.host.nowUs - state.optUs) >>> 0) * beacon >= sk.srttUs >> 3;
}

function optionDue(sk: TcpSock, state: AccEcn): boolean {
  const { tcpEcnOption } = sk.host.sysctl;
  if (tcpEcnOption === 0 || state.optSeen === 0) return false;
  return tcpEcnOption >= OPTION_FULL || state.demand > 0 || beaconDue(sk, state);
}

/** Length of the option and of SACK's on the next segment, which writeAccEcn then writes. */
export function accEcnLength(sk: TcpSock, state: AccEcn): number {
  const used = sk.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0;
  const blocks = sackBlocks(sk, used);
  const sack = blocks > 0 ? SACK_BASE + SACK_BLOCK * blocks : 0;
  if (optionDue(sk, state)) fitOption(state.minlen, MAX_OPTIONS - used - sack, blocks > 0 ? 2 : 0, blocks);
  else fitNone(blocks);
  return fitSize + (fitBlocks > 0 ? SACK_BASE + SACK_BLOCK * fitBlocks : 0);
}

/** Writes what accEcnLength has just measured. */
export function writeAccEcn(sk: TcpSock, state: AccEcn, view: DataView, at: number): void {
  let to = at;
  const blocks = fitBlocks;
  if (fitFields >= 0) {
    const { receivedEct1Bytes, receivedCeBytes, receivedEct0Bytes } = sk.rx;
    to += writeFields(
      view,
      to,
      fitFields,
      receivedEct1Bytes + E1B_INIT,
      receivedCeBytes,
      receivedEct0Bytes + E0B_INIT,
    );
    state.minlen = 0;
    state.optUs = sk.host.nowUs || 1;
    if (state.demand > 0) state.demand--;
  }
  if (blocks === 0) return;
  writeSack(sk, view, to, blocks);
  view.setUint16(to, nopsOrRest());
}
