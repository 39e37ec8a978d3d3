// One kind of work, all its contenders, in rounds (A B C, A B C, …), so that a noisy machine disturbs all alike.

import { start } from './server.mjs';
import { progress } from './shell.mjs';

/** Rounds that count for nobody: a just-in-time compiler needs several, and whole ones, since it compiles what ends a connection, too. */
export const warmUpsOf = ({ compiled }, { warmUps }) => (compiled ? 1 : warmUps);

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
    // Round 0 is the warm-up.
    for (let round = 0; round <= rounds; round++) {
      for (const server of servers) {
        const { name } = server.contender;
        if (samples[name] === undefined) continue;
        progress(`${work.title}: round ${round} of ${rounds}, ${name}`);
        try {
          const warmUps = Math.min(warmUpsOf(server.contender, options), work.mostWarmUps ?? Infinity);
          for (let i = 0; i < (round === 0 ? warmUps : 1); i++) {
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
