// The fields of Accurate ECN's option (RFC 9768 section 3.2.3; tcp_options_fit_accecn, tcp_options_write): how many fit, and how they
// lie. Its odd length makes use of the nops that pad the option behind it. accecn-option.ts decides for an established connection;
// a SYN-ACK asks here for itself.

const OPT_NOP = 1;
/** Order 1: ECT(1), CE, ECT(0). */
const OPT_ACCECN1 = 174;
const BASE = 2;
const PER_FIELD = 3;
const FIELDS = 3;
const MAX_OPTIONS = 40;
const SACK_BLOCK = 8;
const TSTAMP = 12;
/** Two counters do not begin with 0, so that one who zeroes them is found out (TCP_ACCECN_*_INIT_OFFSET). */
export const E1B_INIT = 1;
export const E0B_INIT = 1;

/** What the last fitOption found: fields (-1: no option), the blocks of SACK beside them, and bytes of the option in words of its own. */
export let fitFields = -1;
export let fitBlocks = 0;
export let fitSize = 0;
/** What is left of an option when its whole words are written: these stand where the next one has two nops. */
let leftHigh = OPT_NOP;
let leftLow = OPT_NOP;

/**
 * tcp_options_fit_accecn: `required` fields at least, else none, into `remaining` bytes; up to `saving` bytes may stand in the place
 * of nops that are there anyway. What is required may cost blocks of SACK, but two stay.
 */
export function fitOption(required: number, remaining: number, saving: number, blocks: number): void {
  let fields = FIELDS;
  let room = remaining;
  fitBlocks = blocks;
  while (fields >= required) {
    const size = BASE + fields * PER_FIELD;
    fitSize = (size & 3) > saving ? (size + 3) & ~3 : size & ~3;
    if (room >= fitSize) {
      fitFields = fields;
      return;
    }
    if (fields === required && fitBlocks > 2 && required > 0) {
      fitBlocks--;
      room += SACK_BLOCK;
      fields = FIELDS;
    } else fields--;
  }
  fitNone(blocks);
}

/** No option, beside so many blocks of SACK. */
export function fitNone(blocks: number): void {
  fitFields = -1;
  fitBlocks = blocks;
  fitSize = 0;
}

/** Bytes of a SYN-ACK's options besides AccECN's and Fast Open's. */
export function synOptionsLength(sack: boolean, timestamps: boolean, wscale: boolean): number {
  return 4 + (timestamps ? TSTAMP : sack ? 4 : 0) + (wscale ? 4 : 0);
}

/** How many fields a SYN-ACK has room for beside these options and `more` bytes of others; -1: none. */
export function fieldsOfSynAck(sack: boolean, timestamps: boolean, wscale: boolean, more: number): number {
  const left = MAX_OPTIONS - synOptionsLength(sack, timestamps, wscale) - more;
  if (left < BASE) return -1;
  fitOption(0, left, sack && !timestamps ? 2 : wscale ? 1 : 0, 0);
  return fitFields;
}

/** The option of a SYN-ACK, its counters as they begin; see writeFields. */
export function writeSynAckFields(view: DataView, at: number, fields: number): number {
  return fields < 0 ? 0 : writeFields(view, at, fields, E1B_INIT, 0, E0B_INIT);
}

/** The two bytes before an option that is padded by two nops. */
export function nopsOrRest(): number {
  const rest = (leftHigh << 8) | leftLow;
  leftHigh = OPT_NOP;
  leftLow = OPT_NOP;
  return rest;
}

/** The byte before an option that is padded by one: only a single one that is left may stand there. */
export function nopOrRest(): number {
  return leftLow === OPT_NOP ? nopsOrRest() >> 8 : OPT_NOP;
}

/** Writes so many fields; returns the bytes of whole words, and leaves the rest for `nopsOrRest`. */
export function writeFields(
  view: DataView,
  at: number,
  fields: number,
  e1b: number,
  ceb: number,
  e0b: number,
): number {
  if (fields === 0) {
    leftHigh = OPT_ACCECN1;
    leftLow = BASE;
    return 0;
  }
  view.setUint16(at, (OPT_ACCECN1 << 8) | (BASE + fields * PER_FIELD));
  view.setUint16(at + 2, e1b >> 8);
  if (fields === 1) {
    leftHigh = e1b & 0xff;
    return 4;
  }
  view.setUint32(at + 4, (e1b << 24) | (ceb & 0xffffff));
  if (fields === 2) return 8;
  view.setUint32(at + 8, (e0b << 8) | OPT_NOP);
  return 12;
}
