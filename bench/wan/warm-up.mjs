// A transfer in the lab, in virtual time, through loss and disorder: the kernel's TCP was compiled long ago, and a server's that has
// been running has been too. Without this, half of a short transfer meets code that the engine still interprets.

import { AF_INET, SOCK_STREAM } from 'tapstack';
import { Lab } from 'tapstack/lab';

const BYTES = 3_000_000;
const FAULTS = {
  bandwidth: 50_000_000,
  delayUs: 2000,
  loss: 0.01,
  reorder: 0.01,
  duplicate: 0.01,
  queue: { frames: 60 },
};

export async function warmUp(congestion) {
  const lab = new Lab({ seed: 1 });
  const cable = lab.cable(FAULTS);
  const a = lab.stack({ link: cable.a, address: '10.9.0.1/24' });
  const b = lab.stack({ link: cable.b, address: '10.9.0.2/24' });
  a.sysctl('net.ipv4.tcp_congestion_control', congestion);
  const server = b.sys.socket(AF_INET, SOCK_STREAM);
  b.sys.bind(server, { family: AF_INET, address: '0.0.0.0', port: 80 });
  b.sys.listen(server, 1);
  const receive = async () => {
    const fd = await b.blocking.accept(server);
    const buffer = new Uint8Array(65536);
    while ((await b.blocking.read(fd, buffer)) > 0);
  };
  const send = async () => {
    const fd = a.sys.socket(AF_INET, SOCK_STREAM);
    await a.blocking.connect(fd, { family: AF_INET, address: '10.9.0.2', port: 80 });
    await a.blocking.write(fd, new Uint8Array(BYTES));
    a.sys.close(fd);
  };
  await lab.run({ until: Promise.all([receive(), send()]) });
  await lab.close();
}
