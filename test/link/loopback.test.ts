// The loopback interface: in the sending call, in order, never inside a receiver, and quiet before it returns.

import { beforeEach, describe, expect, it } from 'vitest';
import type { RxPacket } from '../../src/ip/rx-packet.js';
import { RX_GSO_TCP4 } from '../../src/link/link.js';
import { Timer } from '../../src/time/timer-wheel.js';
import { address, counter, pass, sendPlain, type TestStack, testStack } from '../ip/stack.js';
import { bytes, pattern } from '../packet/build.js';

let stack: TestStack;
let log: string[];

beforeEach(() => {
  stack = testStack();
  log = [];
});

/** Protocol 200 hands what it receives to `onText`. */
function listen(onText: (text: string, packet: RxPacket) => void): void {
  stack.ip.register(200, {
    receive: (packet) => {
      const payload = stack.host.memory.bytes.slice(packet.transport, packet.transport + packet.length);
      onText(new TextDecoder().decode(payload), packet);
    },
    error: () => {},
  });
}

function send(text: string): number {
  return sendPlain(stack, '127.0.0.1', 200, bytes(text));
}

describe('the loopback link', () => {
  it('delivers inside the sending call', () => {
    listen((text, packet) => log.push(`${text} ${packet.loopback} ${packet.device}`));
    send('hello');
    log.push('sent');
    expect(log).toEqual(['hello true 1', 'sent']);
    expect(stack.host.memory.used).toBe(0);
  });

  it('queues what receivers send, and delivers it before the first send returns, in order', () => {
    listen((text) => {
      log.push(`<${text}`);
      if (text.length < 3) {
        send(`${text}a`);
        send(`${text}b`);
      }
      log.push(`${text}>`);
    });
    send('x');
    expect(log.join(' ')).toBe('<x x> <xa xa> <xb xb> <xaa xaa> <xab xab> <xba xba> <xbb xbb>');
  });

  it('runs what was put off when the queue is empty, and goes on until all is quiet', () => {
    let owed = 0;
    stack.host.onFlush({
      runDeferred: () => {
        log.push(`flush ${owed}`);
        for (; owed > 0; owed--) send('ack');
      },
    });
    listen((text) => {
      log.push(text);
      if (text === 'data') owed++;
    });
    send('data');
    expect(log).toEqual(['data', 'flush 1', 'ack', 'flush 0']);
  });

  it('waits with what a timer or a batch of another link sends until that is over', () => {
    listen((text) => log.push(text));
    class Sender extends Timer {
      override expire(): void {
        send('from a timer');
        log.push('timer ends');
      }
    }
    stack.host.wheel.arm(new Sender(), 5);
    pass(stack, 5);
    expect(log).toEqual(['timer ends', 'from a timer']);
  });

  it('flushes on request once the program’s turn is over', async () => {
    stack.host.onFlush({ runDeferred: () => log.push('flush') });
    stack.ip.lo.link.requestFlush();
    stack.ip.lo.link.requestFlush();
    log.push('turn ends');
    await Promise.resolve();
    expect(log).toEqual(['turn ends', 'flush']);
  });

  it('carries what a wire could not: a packet of 65535 bytes, a TSO frame whole', () => {
    const { memory } = stack.host;
    const route = stack.ip.route(address('127.0.0.1'));
    if (route === null) throw new Error('no route');
    const big = pattern(65515);
    const chunk = memory.alloc(big.length);
    memory.bytes.set(big, memory.start[chunk]);
    const seen: [number, number, boolean][] = [];
    stack.ip.register(200, {
      receive: (packet) => {
        const payload = memory.bytes.slice(packet.transport, packet.transport + packet.length);
        seen.push([packet.length, packet.gsoSize, (packet.flags & RX_GSO_TCP4) !== 0]);
        if (!Buffer.from(payload).equals(big.subarray(0, payload.length)))
          throw new Error('other bytes came');
      },
      error: () => {},
    });
    for (const gsoSize of [0, 1000]) {
      stack.ip.begin(route);
      const at = memory.start[chunk];
      route.device.tx.piece(at, 15);
      route.device.tx.piece(at + 15, 50_000);
      route.device.tx.piece(at + 50_015, 15_500);
      stack.ip.send(route, route.source, route.destination, 200, 0, 65515, 0, 64, true, -1, gsoSize, 0);
    }
    expect(seen).toEqual([
      [65515, 0, false],
      [65515, 1000, true],
    ]);
  });

  it('drops beyond netdev_max_backlog, and without memory, and counts it', () => {
    stack.host.sysctl.netdevMaxBacklog = 3;
    let first = true;
    listen((text) => {
      log.push(text);
      if (first) for (let i = 0; i < 5; i++) send(`${i}`);
      first = false;
    });
    send('x');
    expect(log).toEqual(['x', '0', '1', '2']);
    expect(counter(stack, 'Link', 'RxDropped')).toBe(2);
    while (stack.host.memory.alloc(1) !== 0);
    expect(send('y')).toBe(0);
    expect(counter(stack, 'Link', 'RxDropped')).toBe(3);
  });

  it('takes a thousand frames from one receiver', () => {
    let sent = 0;
    let received = 0;
    listen(() => {
      received++;
      for (; sent < 900; sent++) send('x');
    });
    send('x');
    expect(received).toBe(901);
  });

  it('is attached once, and silent when closed', async () => {
    const { link } = stack.ip.lo;
    expect(() => link.attach(stack.ip, stack.host.memory)).toThrow(/already/);
    await link.close();
    listen((text) => log.push(text));
    send('x');
    expect(log).toEqual([]);
  });
});
