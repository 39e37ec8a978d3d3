// Transfers before the one that counts: the kernel's TCP was compiled long ago, and a server's that has been running has been too.
// Without them most of a short transfer meets code that the engine still interprets, and pages that nobody has touched.

import { AF_INET, errnoName, SHUT_WR, SO_RCVBUF, SOCK_STREAM, SOL_SOCKET, Stack } from 'tapstack';
import { Lab } from 'tapstack/lab';
import { payload } from './payload.mjs';

const LAB_BYTES = 12_000_000;
const FAULTS = {
  bandwidth: 50_000_000,
  delayUs: 2000,
  loss: 0.01,
  reorder: 0.01,
  duplicate: 0.01,
  queue: { frames: 60 },
};

const PORT = 80;
const NEAR_BYTES = 8_000_000;
/** Few segments at a time, as they come through a slow network, and then as many as there are. */
const NEAR_BUFFERS = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? 12_000 : 0));

/** In the lab, in virtual time, through loss and disorder. */
export async function warmUpInLab(congestion) {
  const lab = new Lab({ seed: 1 });
  const cable = lab.cable(FAULTS);
  const a = lab.stack({ link: cable.a, address: '10.9.0.1/24' });
  const b = lab.stack({ link: cable.b, address: '10.9.0.2/24' });
  a.sysctl('net.ipv4.tcp_congestion_control', congestion);
  await lab.run({ until: carry(a, b, '10.9.0.2', LAB_BYTES, 0) });
  await lab.close();
}

/** Over the device itself, from and to another stack in this process that has `link`, a second device on the same bridge. */
export async function warmUpNearby(stack, address, link, peerAddress) {
  const peer = await Stack.create({ link, address: peerAddress });
  for (const buffer of NEAR_BUFFERS) {
    await carry(stack, peer, peerAddress.split('/')[0], NEAR_BYTES, buffer);
    await carry(peer, stack, address.split('/')[0], NEAR_BYTES, buffer);
  }
  await peer.close();
}

/** `bytes` from one stack to the other, whose receive buffer is `rcvbuf` unless that is 0. */
async function carry(from, to, address, bytes, rcvbuf) {
  const server = must(to.sys.socket(AF_INET, SOCK_STREAM));
  if (rcvbuf > 0) must(to.sys.setsockopt(server, SOL_SOCKET, SO_RCVBUF, rcvbuf));
  must(to.sys.bind(server, { family: AF_INET, address: '0.0.0.0', port: PORT }));
  must(to.sys.listen(server, 1));
  const receive = async () => {
    const fd = must(await to.blocking.accept(server));
    const buffer = new Uint8Array(65536);
    while (must(await to.blocking.recv(fd, buffer, buffer.length)) > 0);
    to.sys.close(fd);
    to.sys.close(server);
  };
  const send = async () => {
    const fd = must(from.sys.socket(AF_INET, SOCK_STREAM));
    must(await from.blocking.connect(fd, { family: AF_INET, address, port: PORT }));
    const data = payload(bytes);
    must(await from.blocking.write(fd, data, bytes));
    from.sys.shutdown(fd, SHUT_WR);
    // Over on both sides, so that nothing is sent again into the transfer that counts.
    must(await from.blocking.recv(fd, new Uint8Array(1), 1));
    from.sys.close(fd);
  };
  await Promise.all([receive(), send()]);
}

function must(result) {
  if (result < 0) throw new Error(`a system call of the warm-up failed: ${errnoName(result)}`);
  return result;
}
