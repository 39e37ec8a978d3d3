// Protection against wrapped sequence numbers (RFC 7323 section 5): a segment whose timestamp is older than the last one is
// an old duplicate. Shared by connections, requests and TIME_WAIT remnants.

/** After 24 days without a segment the peer's clock may have wrapped, so that its timestamps tell nothing. */
const TCP_PAWS_WRAP_MS = 24 * 24 * 3600 * 1000;
const TCP_PAWS_MSL_MS = 60_000;

/** tcp_paws_check: milliseconds of stack time; `slack`: how much older a timestamp may be. */
export function pawsPasses(
  recent: number,
  stampMs: number,
  nowMs: number,
  tsVal: number,
  slack: number,
): boolean {
  // Some stacks put 0 into their SYN and go on with true values: 0 cannot be compared with.
  if (((recent - tsVal) | 0) <= slack || recent === 0) return true;
  // Unsigned: an idle connection may be older than what a signed number can tell.
  return (nowMs - stampMs) >>> 0 >= TCP_PAWS_WRAP_MS;
}

/** tcp_paws_reject: a reset is not held to it once a segment's lifetime has passed. */
export function pawsRejects(
  recent: number,
  stampMs: number,
  nowMs: number,
  tsVal: number,
  isRst: boolean,
): boolean {
  if (pawsPasses(recent, stampMs, nowMs, tsVal, 0)) return false;
  return !(isRst && (nowMs - stampMs) >>> 0 >= TCP_PAWS_MSL_MS);
}
