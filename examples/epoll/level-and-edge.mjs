// The same six bytes, watched level-triggered and edge-triggered; three are read, three are left.
import { EPOLLET, EPOLLIN, SHUT_WR } from 'tapstack';
import { accept, connect, stack, sys, wait, watch } from './scene.mjs';

const client = connect();
const child = accept();
const level = sys.epoll_create1(0);
const edge = sys.epoll_create1(0);
watch(level, child, EPOLLIN);
watch(edge, child, EPOLLIN | EPOLLET);
const buffer = new Uint8Array(100);

async function look(what) {
  console.log(`${what.padEnd(22)} level ${(await wait(level)).padEnd(12)} edge ${await wait(edge)}`);
}

sys.write(client, buffer, 6);
await look('six bytes arrive');
sys.read(child, buffer, 3);
await look('three are read');
sys.write(client, buffer, 2);
await look('two more arrive');
while (sys.read(child, buffer) > 0);
await look('read until EAGAIN');
sys.shutdown(client, SHUT_WR);
await look('the peer closes');
await look('nobody reacts');
await stack.close();
