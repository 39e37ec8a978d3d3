// The stack that a session happens to again: made as the recorded one was, with everything that it puts off to a microtask held back until
// the journal says that it was its turn.

import { EpSleeper } from '../eventpoll/ep-poll.js';
import type { Interposer } from '../kernel/interposer.js';
import type { Process } from '../kernel/process.js';
import type { LoopbackLink } from '../link/loopback.js';
import { Stack } from '../stack.js';
import { OUT_LINK_DOWN, OUTCALL, TELLS } from './format.js';
import { ReplayRandom } from './replay-clock.js';
import type { Replayer } from './replayer.js';

export class ReplayStack {
  readonly processes = new Map<number, Process>();
  /** Those asleep in epoll_wait, by number, and who of them was woken. */
  readonly sleepers: EpSleeper[] = [];
  readonly woken = new Set<number>();
  /** Blocking calls that may go on, by the number of the promise that they wait for. */
  readonly resumable = new Map<number, () => void>();
  /** What loopback has put off. */
  readonly soon: (() => void)[] = [];

  make(replayer: Replayer): Stack {
    const { header } = replayer.reader;
    const collects: Interposer = {
      examine: (process, sys) => {
        this.processes.set(process.pid, process);
        for (const [tell, why] of TELLS) {
          const told = process[tell].bind(process);
          process[tell] = () => {
            told();
            if (replayer.nextIs(OUTCALL)) replayer.outcall(why);
          };
        }
        return sys;
      },
      examineBlocking: (_process, blocking) => blocking,
    };
    const stack = new Stack({
      interfaces: header.links.map(({ address, gateway, neighbours }, number) => ({
        link: replayer.links[number],
        address,
        ...(gateway === undefined ? {} : { gateway }),
        ...(neighbours === undefined ? {} : { neighbours }),
      })),
      ...(header.nofile === undefined ? {} : { nofile: header.nofile }),
      ...(header.sysctl === undefined ? {} : { sysctl: header.sysctl }),
      routes: (header.routes ?? []) as unknown as readonly { to: string }[],
      memory: header.memory,
      clock: replayer.clock,
      random: new ReplayRandom(replayer),
      doctor: header.doctor ? () => {} : false,
      interposers: [collects],
      onLinkDown: () => replayer.outcall(OUT_LINK_DOWN),
    });
    this.#holdBack(stack, replayer);
    return stack;
  }

  #holdBack(stack: Stack, replayer: Replayer): void {
    const { kernel } = stack;
    kernel.eventpolls.newSleeper = (shared) => {
      const number = this.sleepers.length;
      const sleeper = new HeldSleeper(shared, () => this.woken.add(number));
      this.sleepers.push(sleeper);
      return sleeper;
    };
    let resumptions = 0;
    kernel.resumes = (promise) => {
      const number = resumptions++;
      return new Promise((resolve, reject) => {
        promise.then(
          (value) => this.resumable.set(number, () => resolve(value)),
          (error) => this.resumable.set(number, () => reject(error)),
        );
      });
    };
    stack.host.thrown = (error) => replayer.threw(error);
    (stack.ip.lo.link as LoopbackLink).soon = (run) => this.soon.push(run);
  }
}

class HeldSleeper extends EpSleeper {
  protected override readonly run: () => void;

  constructor(shared: ConstructorParameters<typeof EpSleeper>[0], runnable: () => void) {
    super(shared);
    this.run = runnable;
  }
}
