// What `--help` shows below the options of the commands that serve and run: lines to paste.

import type { Command } from 'commander';
import { AS_ROOT, TAPSTACK } from './called.js';

/** `sudo` and `tapstack` stand for what they must be here. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  echo: [
    'sudo tapstack echo',
    'sudo tapstack echo --netns demo --pcap echo.pcapng',
    'sudo tapstack echo --record echo.journal',
    'tapstack lab',
  ],
  http: [
    'sudo tapstack http --port 8080 --trace',
    'sudo tapstack http --address 10.9.9.2/24 --edge --doctor',
  ],
  'bench-server': ['sudo tapstack bench-server --no-offload'],
  iperf3: ['sudo tapstack iperf3', 'sudo tapstack iperf3 --json --one-off --netns demo'],
  run: [
    'sudo tapstack run app.js',
    'sudo tapstack run --gateway host --kernel 127.0.0.0/8 server.js --port 80',
  ],
  lab: [
    'tapstack lab',
    'tapstack lab ip address',
    "tapstack lab bash -c 'tapstack http & sleep 1; curl 10.0.0.2'",
  ],
  replay: [
    'tapstack replay echo.journal',
    'tapstack replay echo.journal --frame 42',
    'tapstack replay echo.journal --trace --from 100 --until 120 --pcap replay.pcapng',
  ],
  script: ['tapstack script test/scripts', 'tapstack script --json -D mss=1460 one.pkt'],
  wan: [
    'sudo tapstack wan --delay 20 --loss 1',
    'sudo tapstack wan --rate 100/10 --queue 50 --pcap wan.pcapng',
  ],
};

export function addExamples(program: Command): void {
  for (const command of program.commands) {
    const examples = EXAMPLES[command.name()];
    if (examples === undefined) continue;
    command.addHelpText(
      'after',
      `\nExamples:\n${examples.map((line) => `  $ ${asCalled(line)}`).join('\n')}`,
    );
  }
}

function asCalled(line: string): string {
  return line.replace(/^sudo tapstack/, AS_ROOT).replace(/^tapstack/, TAPSTACK);
}
