// One client of our iperf3 server, from its cookie to its last word: parameters, streams, the test, results.

import { IPPROTO_TCP, SO_RCVBUF, SO_SNDBUF, SOL_SOCKET, TCP_MAXSEG, TCP_NODELAY } from '../index.js';
import type { ControlConnection } from './iperf3-control.js';
import { uint32 } from './iperf3-control.js';
import {
  CLIENT_TERMINATE,
  CREATE_STREAMS,
  DISPLAY_RESULTS,
  EXCHANGE_RESULTS,
  formatResults,
  IEMESSAGE,
  IENOMSG,
  IERECVPARAMS,
  IERECVRESULTS,
  IPERF_DONE,
  IperfError,
  MAX_PARAMETERS,
  MAX_RESULTS,
  PARAM_EXCHANGE,
  parseParameters,
  parseResults,
  SERVER_ERROR,
  SERVER_TERMINATE,
  TEST_END,
  TEST_RUNNING,
  TEST_START,
} from './iperf3-protocol.js';
import { jsonReport, type TestStart } from './iperf3-report.js';
import { IperfTest } from './iperf3-test.js';
import { TextReport } from './iperf3-text.js';
import type { Alarm, ReadyLoop } from './ready-loop.js';

/** How long a client may be silent where it is its turn to speak, and how much longer than announced a test may last. */
const PATIENCE_MS = 30_000;
const GRACE_MS = 40_000;
/** How long nothing may arrive of what is being received. */
const NO_MESSAGE_MS = 120_000;

export interface SessionSettings {
  /** Seconds between reports. */
  readonly interval: number;
  readonly json: boolean;
  readonly write: (text: string) => void;
  /** The listening socket is to hand these on to what it accepts; 0: what is usual. */
  readonly prepare: (mss: number, window: number) => void;
  readonly done: (session: Session) => void;
}

type Phase = 'parameters' | 'streams' | 'running' | 'results' | 'farewell' | 'over';

export class Session {
  readonly cookie: string;
  readonly #loop: ReadyLoop;
  readonly #control: ControlConnection;
  readonly #settings: SessionSettings;
  readonly #start: TestStart;
  readonly #lines: string[] = [];
  readonly #text: TextReport;
  /** Connections that belong to the test, in the order in which they were accepted. */
  #offered: { fd: number; serial: number }[] = [];
  #phase: Phase = 'parameters';
  #test: IperfTest | null = null;
  #alarms: Alarm[] = [];

  constructor(loop: ReadyLoop, control: ControlConnection, cookie: string, settings: SessionSettings) {
    this.#loop = loop;
    this.#control = control;
    this.#settings = settings;
    this.cookie = cookie;
    const peer = { family: 0, address: '', port: 0 };
    loop.sys.getpeername(control.fd, peer);
    this.#start = {
      cookie,
      peer,
      wallClock: Date.now(),
      mss: this.#option(IPPROTO_TCP, TCP_MAXSEG),
      sndbuf: this.#option(SOL_SOCKET, SO_SNDBUF),
      rcvbuf: this.#option(SOL_SOCKET, SO_RCVBUF),
    };
    this.#text = new TextReport((line) => this.#line(line));
    loop.sys.setsockopt(control.fd, IPPROTO_TCP, TCP_NODELAY, 1);
    control.onInput = () => this.#guarded(() => this.#input());
  }

  /** Asks the client what it wants. It may be gone, and the session over, when this returns. */
  begin(): void {
    this.#expect(PATIENCE_MS, new IperfError(IERECVPARAMS, 'the client does not say what it wants'));
    this.#control.sendState(PARAM_EXCHANGE);
    this.#control.onInput();
  }

  /** Whether connections with our cookie are streams. */
  get wantsStreams(): boolean {
    return this.#phase === 'streams';
  }

  /** Takes one. Those that came later may be met earlier, so all are put in order once they are complete. */
  offer(fd: number, serial: number): void {
    const test = this.#test as IperfTest;
    this.#offered.push({ fd, serial });
    if (this.#offered.length === test.sending + test.receiving) this.#guarded(() => this.#run(test));
  }

  /** The server ends; the client is told. */
  terminate(): void {
    if (this.#phase === 'over') return;
    this.#control.sendState(SERVER_TERMINATE);
    this.#over('the server has terminated');
  }

  #input(): void {
    while (this.#phase !== 'over') {
      if (this.#phase === 'parameters') {
        const text = this.#control.takeJson(MAX_PARAMETERS);
        if (text === null) break;
        this.#parameters(text ?? '');
      } else if (this.#phase === 'results') {
        const text = this.#control.takeJson(MAX_RESULTS);
        if (text === null) break;
        if (text === undefined) throw new IperfError(IERECVRESULTS, 'unable to receive results');
        this.#results(text);
      } else {
        const state = this.#control.takeState();
        if (state === null) break;
        this.#state(state);
      }
    }
    if (!this.#control.ended || this.#phase === 'over') return;
    this.#over(this.#phase === 'farewell' ? null : 'the client has unexpectedly closed the connection');
  }

  #parameters(text: string): void {
    const parameters = parseParameters(text);
    const { interval, prepare } = this.#settings;
    const test = new IperfTest(this.#loop, parameters, 'server', interval, {
      interval: (each) => this.#text.interval(each),
    });
    this.#test = test;
    test.onFailure = (error) => this.#fail(error);
    prepare(parameters.mss, parameters.window);
    this.#enter('streams');
    this.#expect(PATIENCE_MS, new IperfError(IEMESSAGE, 'the client does not open its streams'));
    this.#control.sendState(CREATE_STREAMS);
  }

  #run(test: IperfTest): void {
    const fds = this.#offered.sort((a, b) => a.serial - b.serial).map(({ fd }) => fd);
    this.#offered = [];
    fds.forEach((fd, at) => {
      try {
        test.addStream(fd, at >= test.receiving);
      } catch (error) {
        for (const rest of fds.slice(at)) this.#loop.sys.close(rest);
        throw error;
      }
    });
    this.#text.begin(test, this.#start);
    this.#enter('running');
    const { seconds, omit } = test.parameters;
    if (seconds > 0) {
      const end = performance.now() + (seconds + omit) * 1000 + GRACE_MS;
      this.#alarms.push(this.#loop.at(end, () => this.terminate()));
    }
    if (test.receiving > 0) this.#watchProgress(test, -1);
    this.#control.sendState(TEST_START);
    this.#control.sendState(TEST_RUNNING);
    test.start();
  }

  #state(state: number): void {
    if (this.#phase === 'running' && state === TEST_END) {
      this.#test?.stop();
      this.#test?.close();
      this.#enter('results');
      this.#expect(PATIENCE_MS, new IperfError(IERECVRESULTS, 'the client does not send its results'));
      this.#control.sendState(EXCHANGE_RESULTS);
    } else if (state === CLIENT_TERMINATE) this.#over('the client has terminated');
    else if (this.#phase === 'farewell' && state === IPERF_DONE) this.#over(null);
    else throw new IperfError(IEMESSAGE, `the client sent a message that does not belong here (${state})`);
  }

  #results(text: string): void {
    const test = this.#test as IperfTest;
    const remote = parseResults(text);
    for (const { id } of remote.streams)
      if (!test.streams.some((stream) => stream.id === id))
        throw new IperfError(IERECVRESULTS, `the client reports a stream ${id} that there is not`);
    test.remote = remote;
    this.#text.end(test);
    const results = test.results();
    if (test.parameters.serverOutput)
      results.serverOutput = this.#settings.json
        ? { server_output_json: jsonReport(this.#start, test, null) }
        : { server_output_text: `${this.#lines.join('\n')}\n` };
    this.#control.sendJson(formatResults(results, test.sending > 0));
    this.#control.sendState(DISPLAY_RESULTS);
    this.#enter('farewell');
    this.#alarms.push(this.#loop.at(performance.now() + PATIENCE_MS, () => this.#over(null)));
  }

  #watchProgress(test: IperfTest, before: number): void {
    const { received } = test;
    if (received === before) this.#fail(new IperfError(IENOMSG, 'nothing has arrived for two minutes'));
    else
      this.#alarms.push(
        this.#loop.at(performance.now() + NO_MESSAGE_MS, () => this.#watchProgress(test, received)),
      );
  }

  /** The client's turn: it must have spoken until then. */
  #expect(milliseconds: number, otherwise: IperfError): void {
    this.#alarms.push(this.#loop.at(performance.now() + milliseconds, () => this.#fail(otherwise)));
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    for (const alarm of this.#alarms) this.#loop.cancel(alarm);
    this.#alarms = [];
  }

  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof IperfError)) throw error;
      this.#fail(error);
    }
  }

  /** Tells the client why, in iperf3's numbers. */
  #fail(error: IperfError): void {
    if (this.#phase === 'over') return;
    this.#control.sendState(SERVER_ERROR);
    this.#control.send(uint32(error.code));
    this.#control.send(uint32(error.errno));
    this.#over(error.message);
  }

  #over(error: string | null): void {
    this.#enter('over');
    const test = this.#test;
    test?.close();
    for (const { fd } of this.#offered) this.#loop.sys.close(fd);
    this.#control.finish();
    if (this.#settings.json) {
      const report = jsonReport(this.#start, test, error === null ? null : `error - ${error}`);
      this.#settings.write(`${JSON.stringify(report, null, 2)}\n`);
    } else if (error !== null) this.#line(`iperf3: error - ${error}`);
    this.#settings.done(this);
  }

  #line(text: string): void {
    if (this.#settings.json) return;
    this.#settings.write(`${text}\n`);
    if (this.#test?.parameters.serverOutput) this.#lines.push(text);
  }

  #option(level: number, name: number): number {
    const out: { value: object | number | string } = { value: 0 };
    return this.#loop.sys.getsockopt(this.#control.fd, level, name, out) < 0 ? 0 : (out.value as number);
  }
}
