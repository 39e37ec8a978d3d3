// `tapstack echo --trace`: the way of a real connection, from the frame on the TAP device to the sleeper in epoll_wait and back.

import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { place, type Server, shell, start } from './server.js';

const ROOM = 86;

/** Connects, and says something only when the server has had time to accept. */
async function talk(server: Server): Promise<void> {
  const socket = connect({ host: server.at.stack, port: 7 });
  await once(socket, 'connect');
  await sleep(100);
  socket.write('Hello\n');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toBe('Hello\n');
  socket.end();
  await once(socket, 'close');
}

test('draws the call path of the first connection', async () => {
  const server = await start('echo', place(ROOM, 1), { options: ['--trace', '--quiet'] });
  await talk(server);
  await server.stop();
  const at = `${server.at.stack.replaceAll('.', '\\.')}:7`;
  const step = (text: string) => `(?:.*\\n)*?${text}`;
  const path = [
    `tcp_v4_rcv {2}.* > ${at} SYN seq 0\\n`,
    ' {2}tcp_conn_request',
    ' {4}inet_csk_reqsk_queue_hash_add {2}SYN queue: 1 ',
    ' {2}tcp_transmit_skb {2}SYN\\|ACK seq 0 ack 1\\n',
    `tcp_v4_rcv {2}.* > ${at} ACK seq 1 ack 1\\n`,
    ' {2}tcp_v4_syn_recv_sock',
    ' {4}inet_csk_reqsk_queue_add {2}accept queue: 1 ',
    ' {6}sock_def_readable\\n',
    ' {8}__wake_up_common {2}key IN\\|PRI\\|RDNORM\\|RDBAND\\n',
    ' {10}ep_poll_callback {2}fd \\d+: rdllist\\n',
    ' {14}try_to_wake_up {2}the sleeper in epoll_wait\\n',
    'ep_send_events',
    'inet_csk_accept',
    `tcp_v4_rcv {2}.* > ${at} PSH\\|ACK seq 1 ack 1 len 6\\n`,
    ' {4}tcp_data_queue {2}6 bytes in order\\n',
    ' {10}ep_poll_callback {2}fd \\d+: rdllist\\n',
    'tcp_recvmsg {2}6 bytes\\n',
    'tcp_sendmsg {2}6 bytes\\n',
    ' {2}tcp_transmit_skb {2}PSH\\|ACK seq 1 ack 7 len 6\\n',
  ];
  expect(server.out).toMatch(new RegExp(path.map(step).join('')));
});

test('the answer carries the ACK: no bare one is sent for the request', async () => {
  const server = await start('echo', place(ROOM, 2), { options: ['--trace', '--quiet'] });
  await talk(server);
  await server.stop();
  const request = server.out.slice(server.out.indexOf('len 6'));
  const sent = [...request.matchAll(/tcp_transmit_skb {2}(\S+)/g)].map(([, flags]) => flags);
  expect(sent[0]).toBe('PSH|ACK');
});

test('--doctor has nothing to say of our own servers, level- or edge-triggered', async () => {
  for (const [net, options] of [
    [3, []],
    [4, ['--edge']],
  ] as const) {
    const server = await start('echo', place(ROOM, net), { options: ['--doctor', '--quiet', ...options] });
    expect(shell(`head -c 3000000 /dev/zero | nc -N ${server.at.stack} 7 | wc -c`).stdout.trim()).toBe(
      '3000000',
    );
    await server.stop();
    expect(server.err).toBe('');
  }
});
