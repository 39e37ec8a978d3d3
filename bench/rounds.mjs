// One kind of work, all its contenders, in rounds (A B C, A B C, …), so that a noisy machine disturbs all alike.

import { start } from './server.mjs';
import { progress } from './shell.mjs';

/**
 * Samples by contender. One that fails is left out from then on, and said to have failed: ten minutes of the others'
 * measurements are not lost for it.
 */
export async function inRounds(work, contenders, options, failures) {
  const servers = [];
  const rounds = Math.min(options.rounds, work.most ?? Infinity);
  const samples = {};
  const failed = ({ name }, error) => {
    progress('');
    console.error(`${work.name}, ${name} FAILED: ${error.message}\n`);
    failures.push({ work: work.name, contender: name, error: error.message });
    delete samples[name];
  };
  try {
    for (const contender of contenders) {
      samples[contender.name] = [];
      try {
        servers.push(await start(contender));
      } catch (error) {
        failed(contender, error);
      }
    }
    // Round 0 is nobody's: a just-in-time compiler needs several of them, and whole ones, since it compiles what ends a connection, too.
    for (let round = 0; round <= rounds; round++) {
      for (const server of servers) {
        const { name, compiled } = server.contender;
        if (samples[name] === undefined) continue;
        progress(`${work.title}: round ${round} of ${rounds}, ${name}`);
        try {
          const times = round > 0 || compiled ? 1 : Math.min(options.warmUps, work.mostWarmUps ?? Infinity);
          for (let i = 0; i < times; i++) {
            const sample = await work.measure(server, work, options);
            if (round > 0) samples[name].push(sample);
          }
        } catch (error) {
          failed(server.contender, error);
        }
      }
    }
  } finally {
    for (const server of servers) await server.stop();
    progress('');
  }
  return samples;
}
