// Counters by the names of /proc/net/snmp and /proc/net/netstat. Each is a slot of one array, so counting is an increment.

const IP = [
  'InReceives',
  'InHdrErrors',
  'InAddrErrors',
  'InUnknownProtos',
  'InDiscards',
  'InDelivers',
  'OutRequests',
  'OutDiscards',
  'OutNoRoutes',
  'ReasmTimeout',
  'ReasmReqds',
  'ReasmOKs',
  'ReasmFails',
  'FragOKs',
  'FragFails',
  'FragCreates',
  'ForwDatagrams',
] as const;
const IP_EXT = [
  'InNoECTPkts',
  'InECT1Pkts',
  'InECT0Pkts',
  'InCEPkts',
  'InTruncatedPkts',
  'InCsumErrors',
  'ReasmOverlaps',
] as const;
const ICMP = [
  'InMsgs',
  'InErrors',
  'InCsumErrors',
  'InDestUnreachs',
  'InTimeExcds',
  'InParmProbs',
  'InSrcQuenchs',
  'InRedirects',
  'InEchos',
  'InEchoReps',
  'InTimestamps',
  'InTimestampReps',
  'InAddrMasks',
  'InAddrMaskReps',
  'OutMsgs',
  'OutErrors',
  'OutRateLimitGlobal',
  'OutRateLimitHost',
  'OutDestUnreachs',
  'OutTimeExcds',
  'OutParmProbs',
  'OutEchos',
  'OutEchoReps',
] as const;
const UDP = [
  'InDatagrams',
  'NoPorts',
  'InErrors',
  'OutDatagrams',
  'RcvbufErrors',
  'SndbufErrors',
  'InCsumErrors',
] as const;
const ARP = [
  'InRequests',
  'InReplies',
  'InErrors',
  'OutRequests',
  'OutReplies',
  'QueueDrops',
  'ResolveFails',
  'TableFulls',
] as const;
const LINK = ['RxFrames', 'RxBytes', 'RxDropped', 'TxFrames', 'TxBytes', 'TxDropped', 'RxUnknown'] as const;
const TCP = [
  'ActiveOpens',
  'PassiveOpens',
  'AttemptFails',
  'EstabResets',
  'InSegs',
  'OutSegs',
  'RetransSegs',
  'InErrs',
  'OutRsts',
  'InCsumErrors',
] as const;
const TCP_EXT = [
  'SyncookiesSent',
  'SyncookiesRecv',
  'SyncookiesFailed',
  'EmbryonicRsts',
  'PruneCalled',
  'RcvPruned',
  'OfoPruned',
  'OutOfWindowIcmps',
  'LockDroppedIcmps',
  'TW',
  'TWRecycled',
  'TWKilled',
  'PAWSActive',
  'PAWSEstab',
  'TSEcrRejected',
  'PAWSOldAck',
  'PAWSTimewait',
  'DelayedACKs',
  'DelayedACKLost',
  'ListenOverflows',
  'ListenDrops',
  'TCPHPHits',
  'TCPPureAcks',
  'TCPHPAcks',
  'TCPRenoRecovery',
  'TCPSackRecovery',
  'TCPSACKReneging',
  'TCPSACKReorder',
  'TCPRenoReorder',
  'TCPTSReorder',
  'TCPFullUndo',
  'TCPPartialUndo',
  'TCPDSACKUndo',
  'TCPLossUndo',
  'TCPLostRetransmit',
  'TCPRenoFailures',
  'TCPSackFailures',
  'TCPLossFailures',
  'TCPFastRetrans',
  'TCPSlowStartRetrans',
  'TCPTimeouts',
  'TCPLossProbes',
  'TCPLossProbeRecovery',
  'TCPRenoRecoveryFail',
  'TCPSackRecoveryFail',
  'TCPRcvCollapsed',
  'TCPBacklogCoalesce',
  'TCPDSACKOldSent',
  'TCPDSACKOfoSent',
  'TCPDSACKRecv',
  'TCPDSACKOfoRecv',
  'TCPAbortOnData',
  'TCPAbortOnClose',
  'TCPAbortOnMemory',
  'TCPAbortOnTimeout',
  'TCPAbortOnLinger',
  'TCPAbortFailed',
  'TCPMemoryPressures',
  'TCPMemoryPressuresChrono',
  'TCPSACKDiscard',
  'TCPDSACKIgnoredOld',
  'TCPDSACKIgnoredNoUndo',
  'TCPSpuriousRTOs',
  'TCPSackShifted',
  'TCPSackMerged',
  'TCPSackShiftFallback',
  'TCPBacklogDrop',
  'PFMemallocDrop',
  'TCPMD5Unexpected',
  'TCPMinTTLDrop',
  'TCPDeferAcceptDrop',
  'IPReversePathFilter',
  'TCPTimeWaitOverflow',
  'TCPReqQFullDoCookies',
  'TCPReqQFullDrop',
  'TCPRetransFail',
  'TCPRcvCoalesce',
  'TCPOFOQueue',
  'TCPOFODrop',
  'TCPOFOMerge',
  'TCPChallengeACK',
  'TCPSYNChallenge',
  'TCPFastOpenActive',
  'TCPFastOpenActiveFail',
  'TCPFastOpenPassive',
  'TCPFastOpenPassiveFail',
  'TCPFastOpenListenOverflow',
  'TCPFastOpenCookieReqd',
  'TCPFastOpenBlackhole',
  'TCPSpuriousRtxHostQueues',
  'BusyPollRxPackets',
  'TCPAutoCorking',
  'TCPFromZeroWindowAdv',
  'TCPToZeroWindowAdv',
  'TCPWantZeroWindowAdv',
  'TCPSynRetrans',
  'TCPOrigDataSent',
  'TCPHystartTrainDetect',
  'TCPHystartTrainCwnd',
  'TCPHystartDelayDetect',
  'TCPHystartDelayCwnd',
  'TCPACKSkippedSynRecv',
  'TCPACKSkippedPAWS',
  'TCPACKSkippedSeq',
  'TCPACKSkippedFinWait2',
  'TCPACKSkippedTimeWait',
  'TCPACKSkippedChallenge',
  'TCPWinProbe',
  'TCPKeepAlive',
  'TCPMTUPFail',
  'TCPMTUPSuccess',
  'TCPDelivered',
  'TCPDeliveredCE',
  'TCPAckCompressed',
  'TCPZeroWindowDrop',
  'TCPRcvQDrop',
  'TCPWqueueTooBig',
  'TCPFastOpenPassiveAltKey',
  'TcpTimeoutRehash',
  'TcpDuplicateDataRehash',
  'TCPDSACKRecvSegs',
  'TCPDSACKIgnoredDubious',
  'TCPMigrateReqSuccess',
  'TCPMigrateReqFailure',
  'BeyondWindow',
] as const;

/** What steered listeners did on their own account (tcp/listen/steering.ts); Linux has none of these. */
const LISTENER = [
  'PausedDrops',
  'PausedResets',
  'PausedPasses',
  'OnSynDrops',
  'OnSynResets',
  'OnSynCookies',
  'OnSynErrors',
  'OverflowResets',
] as const;
export type ListenerCounter = (typeof LISTENER)[number];

const groups = {
  Ip: IP,
  IpExt: IP_EXT,
  Icmp: ICMP,
  Udp: UDP,
  Arp: ARP,
  Link: LINK,
  Tcp: TCP,
  TcpExt: TCP_EXT,
  Listener: LISTENER,
} as const;
type Groups = typeof groups;
type Index<G extends keyof Groups> = { readonly [K in Groups[G][number]]: number };

/**
 * First in each object of slot numbers, so that none has the shape of a snapshot of the same names: the engine would find out with
 * the first snapshot that such properties vary, and throw away all compiled code that counts.
 */
const APART = Symbol('slots');

let slots = 0;
function number<G extends keyof Groups>(group: G): Index<G> {
  const entries: [string | symbol, unknown][] = groups[group].map((name) => [name, slots++]);
  return Object.fromEntries([[APART, group], ...entries]) as Index<G>;
}

/** Slot numbers: `host.mib.count(TcpExt.ListenOverflows)`. */
export const Ip = number('Ip');
/** Its first four in the order of the field's values. */
export const IpExt = number('IpExt');
export const Icmp = number('Icmp');
export const Udp = number('Udp');
export const Arp = number('Arp');
export const LinkMib = number('Link');
export const Tcp = number('Tcp');
export const TcpExt = number('TcpExt');
export const ListenerMib = number('Listener');

/** A stack's counters. Doubles, so that they never wrap. */
export class Mib {
  readonly values = new Float64Array(slots);

  count(slot: number): void {
    this.values[slot]++;
  }

  add(slot: number, n: number): void {
    this.values[slot] += n;
  }

  /** All of them, as `{ Tcp: { InSegs: … }, TcpExt: { … } … }`. */
  snapshot(): Record<string, Record<string, number>> {
    let slot = 0;
    const values = (names: readonly string[]) => names.map((name) => [name, this.values[slot++]]);
    return Object.fromEntries(
      Object.entries(groups).map(([group, names]) => [group, Object.fromEntries(values(names))]),
    );
  }
}
