// ICMP types and codes by the names that scripts use (RFC 792, RFC 1122, RFC 1812).

import {
  ICMP_ADDRESS,
  ICMP_ADDRESSREPLY,
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_INFO_REPLY,
  ICMP_INFO_REQUEST,
  ICMP_PARAMETERPROB,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  ICMP_TIMESTAMP,
  ICMP_TIMESTAMPREPLY,
} from '../../packet/icmp.js';

const types: Readonly<Record<string, number>> = {
  echo_reply: ICMP_ECHOREPLY,
  unreachable: ICMP_DEST_UNREACH,
  source_quench: ICMP_SOURCE_QUENCH,
  redirect: ICMP_REDIRECT,
  echo_request: ICMP_ECHO,
  time_exceeded: ICMP_TIME_EXCEEDED,
  parameter_problem: ICMP_PARAMETERPROB,
  timestamp_request: ICMP_TIMESTAMP,
  timestamp_reply: ICMP_TIMESTAMPREPLY,
  information_request: ICMP_INFO_REQUEST,
  information_reply: ICMP_INFO_REPLY,
  address_mask_request: ICMP_ADDRESS,
  address_mask_reply: ICMP_ADDRESSREPLY,
};

/** Codes of Destination Unreachable, in the order of their numbers. */
const unreachable = [
  'net_unreachable',
  'host_unreachable',
  'protocol_unreachable',
  'port_unreachable',
  'frag_needed',
  'source_route_failed',
  'net_unknown',
  'host_unknown',
  'source_host_isolated',
  'net_prohibited',
  'host_prohibited',
  'net_unreachable_for_tos',
  'host_unreachable_for_tos',
  'packet_filtered',
  'precedence_violation',
  'precedence_cutoff',
];

function numbered(prefix: string, name: string): number | null {
  const match = new RegExp(`^${prefix}_([0-9]{1,3})$`).exec(name);
  return match !== null && Number(match[1]) <= 255 ? Number(match[1]) : null;
}

/** ICMPv6 names (RFC 4443) that scripts for IPv6 use; such scripts are read, and then skipped. */
const types6: Readonly<Record<string, number>> = { packet_too_big: 2 };
const codes6: Readonly<Record<string, number>> = {
  no_route: 0,
  admin_prohibited: 1,
  not_neighbour: 2,
  address_unreachable: 3,
};

export function icmpType(name: string): number | null {
  return types[name] ?? types6[name] ?? numbered('type', name);
}

export function icmpCode(type: number, name: string): number | null {
  if (name in codes6) return codes6[name];
  const code = type === ICMP_DEST_UNREACH ? unreachable.indexOf(name) : -1;
  return code >= 0 ? code : numbered('code', name);
}

export function icmpText(type: number, code: number): string {
  const name = Object.keys(types).find((each) => types[each] === type) ?? `type_${type}`;
  if (type === ICMP_DEST_UNREACH) return `${name} ${unreachable[code] ?? `code_${code}`}`;
  return code === 0 ? name : `${name} code_${code}`;
}

/** Whether only ICMPv6 has a type of that name. */
export function isIcmp6Name(name: string): boolean {
  return name in types6;
}
