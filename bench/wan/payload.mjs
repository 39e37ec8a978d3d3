// The bytes that are sent: random, the same in every process, so that what arrived can be told from its length and its digest.

import { createCipheriv, createHash } from 'node:crypto';

/** `bytes` of AES in counter mode over zeros. */
export function payload(bytes) {
  return createCipheriv('aes-128-ctr', 'tapstack payload', Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
