// From the start of a process to its first answer: milliseconds, and the memory it then has. Each round starts the server anew.

import { once } from 'node:events';
import { connect } from 'node:net';
import { contenders } from '../contenders.mjs';
import { memoryOf } from '../memory.mjs';
import { launch, makeVeth, removeVeth } from '../server.mjs';
import { progress } from '../shell.mjs';

const WHO = ['tapstack', 'tapstack-net', 'node-net', 'kernel'];

async function firstEcho(address) {
  const socket = connect({ host: address, port: 7001, noDelay: true });
  socket.write(Buffer.alloc(64));
  await once(socket, 'data');
  socket.destroy();
}

async function measure(contender) {
  const from = performance.now();
  const server = await launch(contender);
  try {
    await firstEcho(contender.server);
    return { ms: performance.now() - from, residentMb: memoryOf(server.pid).resident / 1e6 };
  } finally {
    await server.stop();
  }
}

export const startup = {
  name: 'startup',
  title: 'from process start to the first echo',
  unit: 'ms',
  metric: 'ms',
  contenders: contenders.filter(({ name }) => WHO.includes(name)),
  /** Samples by contender. The network is there before: making a veth pair is not the server's work. */
  async run(some, { rounds }) {
    const samples = Object.fromEntries(some.map(({ name }) => [name, []]));
    const networks = some.filter(({ kernel }) => kernel);
    for (const contender of networks) await makeVeth(contender);
    try {
      for (let round = 0; round < rounds; round++)
        for (const contender of some) {
          progress(`${this.title}: round ${round + 1} of ${rounds}, ${contender.name}`);
          samples[contender.name].push(await measure(contender));
        }
    } finally {
      for (const contender of networks) await removeVeth(contender);
      progress('');
    }
    return samples;
  },
};
