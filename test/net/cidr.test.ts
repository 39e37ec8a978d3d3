// Addresses on the command line: what is one, what is none and why, and who is whose neighbour.

import { expect, test } from 'vitest';
import { areNeighbours, type Cidr, formatCidr, neighbourOf, parseCidr } from '../../src/net/cidr.js';

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (typeof parsed === 'string') throw new Error(`${text}: ${parsed}`);
  return parsed;
}

test.each(['10.0.0.2/24', '192.0.2.1/30', '223.255.255.254/1', '10.0.0.0/31', '10.0.0.1/31'])(
  '%s',
  (text) => {
    expect(formatCidr(cidr(text))).toBe(text);
  },
);

test.each([
  ['10.0.0.2', 'prefix length'],
  ['10.0.0/24', 'prefix length'],
  ['10.0.0.2/24 ', 'prefix length'],
  ['fe80::1/64', 'IPv4'],
  ['10.0.0.256/24', '0 to 255'],
  ['10.0.0.2/0', '1 to 31'],
  ['10.0.0.2/32', '1 to 31'],
  ['127.0.0.2/8', 'loopback'],
  ['224.0.0.1/24', 'not the address of one machine'],
  ['0.0.0.1/8', 'not the address of one machine'],
  ['10.0.0.0/24', 'the network itself'],
  ['10.0.0.255/24', 'broadcast'],
  ['192.168.255.255/16', 'broadcast'],
])('%s is none: %s', (text, why) => {
  expect(parseCidr(text)).toContain(why);
});

test.each([
  ['10.0.0.2/24', '10.0.0.1/24'],
  ['10.0.0.1/24', '10.0.0.2/24'],
  ['192.168.200.9/22', '192.168.200.1/22'],
  ['10.0.0.6/31', '10.0.0.7/31'],
  ['10.0.0.7/31', '10.0.0.6/31'],
])('the neighbour of %s is %s', (text, neighbour) => {
  expect(formatCidr(neighbourOf(cidr(text)))).toBe(neighbour);
  expect(areNeighbours(cidr(text), neighbourOf(cidr(text)))).toBe(true);
});

test('neighbours share a network and are not the same', () => {
  expect(areNeighbours(cidr('10.0.0.2/24'), cidr('10.0.1.1/24'))).toBe(false);
  expect(areNeighbours(cidr('10.0.0.2/24'), cidr('10.0.0.1/16'))).toBe(false);
  expect(areNeighbours(cidr('10.0.0.2/24'), cidr('10.0.0.2/24'))).toBe(false);
  expect(areNeighbours(cidr('200.0.0.2/1'), cidr('130.0.0.2/1'))).toBe(true);
});
