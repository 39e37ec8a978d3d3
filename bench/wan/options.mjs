// The command line of bench-wan.

import { Command, Option } from 'commander';
import { count, earlierResults, pattern, refused, time, whole } from '../options.mjs';
import { placeIn } from './document.mjs';
import { grid } from './grid.mjs';

/**
 * @returns the options; what follows from --quick and --soak is filled in. `cells` are the networks that are meant, `earlier` the results
 * to go on from, `document` writes a grid to its place.
 */
export function commandLine() {
  const command = new Command('./scripts/bench-wan')
    .description(
      'Sends the same bytes through the same bad networks, from kernel to kernel and with tapstack in the place of one.',
    )
    .option('--quick', 'fewer networks, 2 MB or 4 s each', false)
    .option(
      '--soak',
      "mixed networks, half of the transfers each way, none of the kernel's alone: all must end",
      false,
    )
    .option('--transfers <n>', 'how many of those', count, 100)
    .option('--pairs <n>', 'transfers of each kind and direction in each network (default: 4)', count)
    .option('--bytes <n>', 'of a transfer (default: 10 MB)', count)
    .option('--seconds <n>', 'after which a transfer is measured by what has arrived (default: 12)', time)
    .option('--congestion <name>', 'of all senders', 'cubic')
    .option('--only <pattern>', 'networks whose name it matches, such as "^1 ms, [12] %"', pattern)
    .addOption(new Option('--way <way>', 'only what tapstack does').choices(['sends', 'receives']))
    .option('--lanes <n>', 'slow transfers at a time', count, 8)
    .option('--seed <n>', 'of the first pair', whole, 1)
    .option('--pcap <directory>', 'record every transfer there, at both ends')
    .option('--limit <n>', 'seconds after which no further transfer begins', whole)
    .option('--json <file>', 'write all transfers, and the ratios')
    .option(
      '--continue',
      'together with those that are in that file already; give this run another --seed',
      false,
    )
    .option('--document <file>', 'put the ratios into it, between the marks there')
    .allowExcessArguments(false)
    .showHelpAfterError('(--help shows what there is)')
    .parse();
  const options = command.opts();
  const { quick, soak } = options;
  const refuse = (why) => command.error(`error: ${why}`);
  const goesOn = options.continue;
  if (goesOn && options.json === undefined) refuse('--continue needs --json FILE, the file to go on from');
  const cells = grid(quick).filter(({ name }) => options.only?.test(name) ?? true);
  if (cells.length === 0)
    refuse(`no network matches ${options.only}; "${grid(quick)[0].name}" is the name of one`);
  return {
    bytes: quick ? 2e6 : 10e6,
    seconds: quick ? 4 : soak ? 120 : 12,
    pairs: quick ? 1 : 4,
    limit: Number.POSITIVE_INFINITY,
    ...options,
    ways: options.way === undefined ? ['sends', 'receives'] : [options.way],
    cells,
    earlier: goesOn ? refused(command, () => earlierResults(options.json, 'results').results) : [],
    document: options.document && refused(command, () => placeIn(options.document, options.congestion)),
  };
}
