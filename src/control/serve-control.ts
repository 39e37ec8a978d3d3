// Makes a running stack visible to `tapstack ss`, `netstat`, `trace` and `capture`: a Unix socket (mode 0600) in the user's private
// directory. It keeps no process alive, and while nobody asks it does nothing.

import { chmodSync, unlinkSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import type { Stack } from '../stack.js';
import { CaptureFeed } from './capture-feed.js';
import { controlDirectory, socketPath } from './directory.js';
import type { Feed } from './feed.js';
import { interfaceDetails, routeDetails } from './network-details.js';
import { pidNamespace } from './pid-namespace.js';
import { CONTROL_VERSION, type ControlRequest, type Hello, MAX_REQUEST } from './protocol.js';
import { SocketDetails } from './socket-details.js';
import { TraceFeed, unknownPoints } from './trace-feed.js';

// The kernel's own, even where a program has put the stack in the place of `net`: what is said about a stack does not go through it.
const { createServer } = process.getBuiltinModule('node:net');

/** How many sockets of one name a process may have. */
const MOST = 64;
/** How long readers may take to hear that it is over. */
const FAREWELL_MS = 500;

/** How the program is known to those who look. */
export interface ControlOptions {
  /** What the program calls itself; it is how `--name` finds it. */
  name: string;
}

/** A control socket that is served. */
export interface Control {
  /** Where the socket is. */
  readonly path: string;
  /** Ends it and whatever is read through it; idempotent. */
  close(): Promise<void>;
}

/**
 * Serves until `close`, or until the process ends. @throws ControlDirectoryError where no private directory can be had; rejects if
 * no socket can be made there.
 */
export async function serveControl(stack: Stack, { name }: ControlOptions): Promise<Control> {
  const directory = controlDirectory();
  const served = new Served(stack, name);
  for (let nth = 0; ; nth++) {
    const path = socketPath(directory, process.pid, name, nth);
    try {
      await served.listen(path);
      return served;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE' || nth === MOST) throw error;
    }
  }
}

class Served implements Control {
  path = '';
  readonly #stack: Stack;
  readonly #name: string;
  readonly #since = performance.now();
  readonly #details: SocketDetails;
  readonly #feeds = new Set<Feed>();
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  readonly #unlink = (): void => {
    try {
      unlinkSync(this.path);
    } catch {
      // It is gone already.
    }
  };

  constructor(stack: Stack, name: string) {
    this.#stack = stack;
    this.#name = name;
    this.#details = new SocketDetails(stack);
  }

  async listen(path: string): Promise<void> {
    // Half-open: a reader that wants no more is still told how it ended.
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    // Nobody else gets into the directory; that nobody else may use the socket either is the second lock.
    chmodSync(path, 0o600);
    server.unref();
    this.#server = server;
    this.path = path;
    process.on('exit', this.#unlink);
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    process.off('exit', this.#unlink);
    for (const feed of this.#feeds) feed.finish();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // Readers hear the end of their feed; one that does not read is not waited for.
    const hurry = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, FAREWELL_MS);
    await closed;
    clearTimeout(hurry);
  }

  #serve(socket: Socket): void {
    socket.unref();
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    let text = '';
    const more = (bytes: Buffer): void => {
      text += bytes.toString('utf8');
      const end = text.indexOf('\n');
      if (end < 0 && text.length <= MAX_REQUEST) return;
      socket.off('data', more);
      // What else comes is nothing to us; its end is (Feed).
      socket.resume();
      this.#request(socket, text.slice(0, end));
    };
    socket.on('data', more);
    socket.on('end', () => {
      if (!text.includes('\n')) socket.end();
    });
  }

  #request(socket: Socket, text: string): void {
    try {
      const request = JSON.parse(text) as ControlRequest;
      const feed = this.#start(socket, request);
      if (feed === null) {
        socket.end(`${JSON.stringify({ result: this.#answer(request) })}\n`);
        return;
      }
      this.#feeds.add(feed);
      socket.on('close', () => this.#feeds.delete(feed));
    } catch (error) {
      socket.end(`${JSON.stringify({ error: (error as Error).message })}\n`);
    }
  }

  /** What goes on, or null for a question with one answer. The first line says that it has begun. */
  #start(socket: Socket, request: ControlRequest): Feed | null {
    if (request.method === 'trace') {
      const unknown = unknownPoints(request);
      if (unknown.length > 0) throw new RangeError(`there is no trace point ${unknown.join(', ')}`);
      socket.write('{"result":{}}\n');
      return new TraceFeed(socket, this.#stack, request);
    }
    if (request.method === 'capture') {
      const names = this.#stack.ip.routes.devices.map(({ name }) => name);
      const unknown = request.interfaces?.filter((name) => !names.includes(name)) ?? [];
      if (unknown.length > 0)
        throw new RangeError(`there is no interface ${unknown.join(', ')}: it has ${names.join(', ')}`);
      socket.write('{"result":{}}\n');
      return new CaptureFeed(socket, this.#stack, request);
    }
    return null;
  }

  #answer(request: ControlRequest): unknown {
    switch (request.method) {
      case 'hello':
        return this.#hello();
      case 'sockets':
        return this.#details.list();
      case 'counters':
        return this.#stack.snmp();
      case 'interfaces':
        return interfaceDetails(this.#stack);
      case 'routes':
        return routeDetails(this.#stack);
      default:
        throw new TypeError(`it does not know how to answer ${JSON.stringify(request.method)}`);
    }
  }

  #hello(): Hello {
    return {
      version: CONTROL_VERSION,
      pid: process.pid,
      pidNamespace: pidNamespace(),
      name: this.#name,
      command: process.argv.slice(1),
      uptime: (performance.now() - this.#since) / 1000,
      interfaces: this.#stack.ip.routes.devices.map(({ name }) => name),
    };
  }
}
