// Tests of net run twice: on Node's own, whose answers are what is right, and on the stack.
import nodeNet from 'node:net';
import { createNet } from '../../src/net/create-net.js';
import { Stack } from '../../src/stack.js';

export type Net = typeof nodeNet;

export const nets: [name: string, net: Net][] = [
  ['node:net', nodeNet],
  ['tapstack/net', createNet(new Stack({ memory: 16 << 20 }))],
];
