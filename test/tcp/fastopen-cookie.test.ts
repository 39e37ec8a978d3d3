// The cookies that a Fast Open server hands out, and the keys they are made with.

import { describe, expect, it } from 'vitest';
import { FastOpenContext } from '../../src/tcp/fastopen/fastopen-cookie.js';
import { address } from '../ip/stack.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const CLIENT = address('10.248.0.2');
const SERVER = address('192.168.0.2');

// covers: Fast Open cookies and keys | RFC 7413 section 4.1.2 | src/tcp/fastopen/fastopen-cookie.ts
describe('the cookie', () => {
  it('is the one that Linux computes for this key and these addresses', () => {
    const context = FastOpenContext.parse('a0bf63f7-ed803d81-cd641d30-cebc4a90');
    expect(hex(context.cookie(CLIENT, SERVER))).toBe('00abaaabe8e954c2');
  });

  it('differs with either address and with the key', () => {
    const context = FastOpenContext.parse('a0bf63f7-ed803d81-cd641d30-cebc4a90');
    const cookies = [
      context.cookie(CLIENT, SERVER),
      context.cookie(SERVER, CLIENT),
      context.cookie(address('10.248.0.3'), SERVER),
      context.cookie(CLIENT, address('192.168.0.3')),
      FastOpenContext.parse('a0bf63f7-ed803d81-cd641d30-cebc4a91').cookie(CLIENT, SERVER),
    ].map(hex);
    expect(new Set(cookies).size).toBe(5);
  });
});

// covers: Fast Open cookies and keys | RFC 7413 section 4.1.2 | src/tcp/fastopen/fastopen-cookie.ts
describe('keys', () => {
  it('are four words of text, each little-endian in the bytes', () => {
    const context = FastOpenContext.parse('a0bf63f7-1-0-cebc4a90');
    expect(hex(context.primary)).toBe('f763bfa0010000000000000090' + '4abcce');
    expect(context.backup).toBeNull();
    expect(`${context}`).toBe('a0bf63f7-00000001-00000000-cebc4a90');
  });

  it('can be two, and then both are honoured', () => {
    const both = FastOpenContext.parse('1-2-3-4,5-6-7-8');
    expect(`${both}`).toBe('00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008');
    const old = FastOpenContext.parse('5-6-7-8').cookie(CLIENT, SERVER);
    expect(both.check(CLIENT, SERVER, both.cookie(CLIENT, SERVER))).toBe(1);
    expect(both.check(CLIENT, SERVER, old)).toBe(2);
    expect(both.check(SERVER, CLIENT, old)).toBe(0);
    expect(both.check(CLIENT, SERVER, old.subarray(0, 4))).toBe(0);
  });

  it('come as bytes from TCP_FASTOPEN_KEY, and go back as they came', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => i);
    const context = FastOpenContext.fromBytes(bytes);
    expect(context.bytes).toEqual(bytes);
    expect(FastOpenContext.fromBytes(bytes.subarray(0, 16)).backup).toBeNull();
  });
});
