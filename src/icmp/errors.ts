// What an ICMP error means to a socket (icmp_err_convert): an errno, and whether it ends a connection.

import {
  ICMP_DEST_UNREACH,
  ICMP_PARAMETERPROB,
  ICMP_TIME_EXCEEDED,
  NR_ICMP_UNREACH,
} from '../packet/icmp.js';
import {
  ECONNREFUSED,
  EHOSTDOWN,
  EHOSTUNREACH,
  EMSGSIZE,
  ENETUNREACH,
  ENOPROTOOPT,
  EOPNOTSUPP,
  EPROTO,
} from '../uapi/errno.js';

/** Machine is not on the network: only ICMP says so, so it is not among the errors of the calls. */
const ENONET = 64;

/** By code of ICMP_DEST_UNREACH. */
const ERRNO = [
  ENETUNREACH,
  EHOSTUNREACH,
  ENOPROTOOPT,
  ECONNREFUSED,
  EMSGSIZE,
  EOPNOTSUPP,
  ENETUNREACH,
  EHOSTDOWN,
  ENONET,
  ENETUNREACH,
  EHOSTUNREACH,
  ENETUNREACH,
  EHOSTUNREACH,
  EHOSTUNREACH,
  EHOSTUNREACH,
  EHOSTUNREACH,
];
const FATAL = [
  false, // ICMP_NET_UNREACH
  false, // ICMP_HOST_UNREACH
  true, // ICMP_PROT_UNREACH
  true, // ICMP_PORT_UNREACH
  false, // ICMP_FRAG_NEEDED
  false, // ICMP_SR_FAILED
  true, // ICMP_NET_UNKNOWN
  true, // ICMP_HOST_UNKNOWN
  true, // ICMP_HOST_ISOLATED
  true, // ICMP_NET_ANO
  true, // ICMP_HOST_ANO
  false, // ICMP_NET_UNR_TOS
  false, // ICMP_HOST_UNR_TOS
  true, // ICMP_PKT_FILTERED
  true, // ICMP_PREC_VIOLATION
  true, // ICMP_PREC_CUTOFF
];

/** errno (positive) of an error message; 0 for one that no socket is told of. */
export function icmpErrno(type: number, code: number): number {
  switch (type) {
    case ICMP_DEST_UNREACH:
      return code <= NR_ICMP_UNREACH ? ERRNO[code] : 0;
    case ICMP_TIME_EXCEEDED:
      return EHOSTUNREACH;
    case ICMP_PARAMETERPROB:
      return EPROTO;
    default:
      return 0;
  }
}

/** True if trying again is pointless. */
export function icmpFatal(type: number, code: number): boolean {
  return type === ICMP_PARAMETERPROB || (type === ICMP_DEST_UNREACH && FATAL[code] === true);
}
