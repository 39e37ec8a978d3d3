// The rarer options of level IPPROTO_TCP: what recvmsg tells beside the bytes, the SYN that made a connection, the timestamp
// clock, and what is refused because only a checkpoint of a connection could use it (TCP_REPAIR and its kin).

import { TCP_DELACK_MAX, TCP_RTO_MAX, TCP_RTO_MIN } from '../tcp/constants.js';
import type { TcpSock } from '../tcp/sock.js';
import { tcpTimestamp } from '../tcp/transmit.js';
import { EINVAL, ENOPROTOOPT, EPERM } from '../uapi/errno.js';
import { IPPROTO_TCP } from '../uapi/socket.js';
import {
  TCP_CC_INFO,
  TCP_CLOSE,
  TCP_DELACK_MAX_US,
  TCP_INQ,
  TCP_QUEUE_SEQ,
  TCP_REPAIR_OPTIONS,
  TCP_REPAIR_QUEUE,
  TCP_REPAIR_WINDOW,
  TCP_RTO_MAX_MS,
  TCP_RTO_MIN_US,
  TCP_SAVE_SYN,
  TCP_SAVED_SYN,
  TCP_THIN_LINEAR_TIMEOUTS,
  TCP_TIMESTAMP,
  TCP_ULP,
} from '../uapi/tcp.js';
import { getKept, keptOption, setKept } from './kept-options.js';
import type { OptionResult } from './proto-ops.js';

/** TCP_TIMEOUT_MIN (two ticks), milliseconds. */
const TIMEOUT_MIN = 2;

const within = (value: number, low: number, high: number): boolean => value >= low && value <= high;

/** 0 or -errno. */
export function setRareTcp(sk: TcpSock, name: number, int: number): number {
  switch (name) {
    case TCP_INQ:
      if (!within(int, 0, 1)) return -EINVAL;
      if (int !== 0 || sk.extras !== null) sk.ownExtras().recvmsgInq = int !== 0;
      return 0;
    case TCP_SAVE_SYN:
      if (!within(int, 0, 2)) return -EINVAL;
      if (int !== 0 || sk.extras !== null) sk.ownExtras().saveSyn = int;
      return 0;
    case TCP_THIN_LINEAR_TIMEOUTS:
      if (!within(int, 0, 1)) return -EINVAL;
      sk.ownTuning().thinLinearTimeouts = int !== 0;
      return 0;
    case TCP_RTO_MAX_MS:
      if (!within(int, 1000, TCP_RTO_MAX)) return -EINVAL;
      sk.ownTuning().rtoMaxMs = int;
      return 0;
    case TCP_RTO_MIN_US:
      if (!within(Math.ceil(int / 1000), TIMEOUT_MIN, TCP_RTO_MIN)) return -EINVAL;
      sk.ownTuning().rtoMinUs = int;
      return 0;
    case TCP_DELACK_MAX_US:
      if (!within(Math.ceil(int / 1000), TIMEOUT_MIN, TCP_DELACK_MAX)) return -EINVAL;
      sk.ownTuning().delackMaxMs = Math.ceil(int / 1000);
      return 0;
    case TCP_TIMESTAMP:
    case TCP_REPAIR_QUEUE:
    case TCP_REPAIR_WINDOW:
      return -EPERM;
    case TCP_QUEUE_SEQ:
      return sk.state === TCP_CLOSE ? -EINVAL : -EPERM;
    case TCP_REPAIR_OPTIONS:
      return -EINVAL;
    default: {
      const kept = keptOption(IPPROTO_TCP, name);
      return kept === undefined ? -ENOPROTOOPT : setKept(sk, kept, int);
    }
  }
}

/** 0, with the answer in `out.value`; or -errno. */
export function getRareTcp(sk: TcpSock, name: number, out: OptionResult): number {
  const { extras } = sk;
  switch (name) {
    case TCP_INQ:
      out.value = Number(extras?.recvmsgInq === true);
      return 0;
    case TCP_SAVE_SYN:
      out.value = extras === null ? 0 : extras.saveSyn;
      return 0;
    case TCP_SAVED_SYN:
      // Told once: who has read it needs it no more.
      out.value = extras?.savedSyn ?? new Uint8Array(0);
      if (extras !== null) extras.savedSyn = null;
      return 0;
    case TCP_THIN_LINEAR_TIMEOUTS:
      out.value = Number(sk.tuning.thinLinearTimeouts);
      return 0;
    case TCP_RTO_MAX_MS:
      out.value = sk.tuning.rtoMaxMs;
      return 0;
    case TCP_RTO_MIN_US:
      out.value = sk.tuning.rtoMinUs;
      return 0;
    case TCP_DELACK_MAX_US:
      out.value = sk.tuning.delackMaxMs * 1000;
      return 0;
    case TCP_TIMESTAMP:
      out.value = tcpTimestamp(sk);
      return 0;
    case TCP_CC_INFO:
      // Most controls have nothing to tell (get_info).
      out.value = sk.cc.info(sk) ?? {};
      return 0;
    case TCP_ULP:
      out.value = '';
      return 0;
    case TCP_REPAIR_QUEUE:
    case TCP_QUEUE_SEQ:
    case TCP_REPAIR_WINDOW:
      return -EINVAL;
    default: {
      const kept = keptOption(IPPROTO_TCP, name);
      return kept === undefined ? -ENOPROTOOPT : getKept(sk, kept, out);
    }
  }
}
