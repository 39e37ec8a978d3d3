// A stack without any link: a server and its client talk over 127.0.0.1, both inside it, and no privilege is needed. They use
// the calls that may sleep, which read like the ones in a textbook.
import { AF_INET, SHUT_WR, SOCK_STREAM, Stack } from 'tapstack';

const stack = new Stack();
const { sys, blocking } = stack;
const address = { family: AF_INET, address: '127.0.0.1', port: 7 };

const listener = sys.socket(AF_INET, SOCK_STREAM, 0);
sys.bind(listener, address);
sys.listen(listener, 128);

async function serveOne() {
  const fd = await blocking.accept(listener);
  const buffer = new Uint8Array(4096);
  for (let count = await blocking.read(fd, buffer); count > 0; count = await blocking.read(fd, buffer)) {
    await blocking.write(fd, buffer, count);
  }
  sys.close(fd);
}

async function ask(text) {
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  await blocking.connect(fd, address);
  await blocking.write(fd, new TextEncoder().encode(text));
  sys.shutdown(fd, SHUT_WR);
  const buffer = new Uint8Array(4096);
  let answer = '';
  for (let count = await blocking.read(fd, buffer); count > 0; count = await blocking.read(fd, buffer)) {
    answer += new TextDecoder().decode(buffer.subarray(0, count));
  }
  sys.close(fd);
  return answer;
}

const served = serveOne();
console.log(await ask('Hello, loopback'));
await served;
await stack.close();
