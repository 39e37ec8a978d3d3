// A contender's server: its network made, started, and both taken away again.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { sh } from './shell.mjs';

const PATIENCE_MS = 20_000;

export const makeVeth = ({ device, namespace, host, server }) =>
  sh(`
    ip netns add ${namespace}
    ip link add ${device} type veth peer name ${device} netns ${namespace}
    ip address add ${host}/16 dev ${device}
    ip link set ${device} up
    ip -n ${namespace} address add ${server}/16 dev ${device}
    ip -n ${namespace} link set lo up
    ip -n ${namespace} link set ${device} up`);

export const removeVeth = ({ device, namespace }) =>
  sh(`ip link delete ${device}; ip netns delete ${namespace}`);

/** Resolves when the child has printed its ready line. */
function untilReady(child, { name, ready = /^ready$/m }) {
  return new Promise((resolve, reject) => {
    let said = '';
    const complain = (what) => reject(new Error(`${name} ${what}: ${said.trim()}`));
    const timer = setTimeout(() => complain(`is not ready after ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
    const hear = (text) => {
      said = (said + text).slice(-10_000);
      if (!ready.test(said)) return;
      clearTimeout(timer);
      resolve();
    };
    child.once('error', reject);
    child.once('exit', (code, signal) => complain(`ended (${code ?? signal})`));
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
  });
}

async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const impatient = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(impatient);
}

/** Resolves with the server when it listens; its network is there already. */
export async function launch(contender) {
  const [file, args] = contender.command(contender);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = () => end(child, contender.kernel ? 'SIGKILL' : 'SIGTERM');
  try {
    await untilReady(child, contender);
  } catch (error) {
    await stop();
    throw error;
  }
  return { contender, pid: child.pid, stop };
}

/** Makes the network too, and takes it away with the server. */
export async function start(contender) {
  if (!contender.kernel) return launch(contender);
  await makeVeth(contender);
  try {
    const server = await launch(contender);
    const stop = async () => {
      await server.stop();
      await removeVeth(contender);
    };
    return { ...server, stop };
  } catch (error) {
    await removeVeth(contender);
    throw error;
  }
}
